//! Handles of coroutines: the memory that they are in, and whose they are.
//!
//! A handle is the address of a *slot*, with a number in its lowest bits that changes whenever the slot gets another owner. Slots
//! are never freed, so any handle that was ever given out may be looked up; the slot's stamp says which one it is of now
//! (invariant 42). Everything but the stamp and the thread is the owning thread's.

use super::status::Status;
use crate::arch::StackPointer;
use crate::coroutine::Block;
use crate::stack::fork::Lock;
use crate::{Coroutine, Yielder};
use core::cell::{Cell, UnsafeCell};
use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::collections::BTreeMap;

/// `swb_co *`: only ever compared and masked.
pub(super) type Handle = *mut Opaque;

/// What a C program has pointers to.
#[repr(C)]
pub(super) struct Opaque {
    _opaque: [u8; 0],
}

/// `swb_error`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Error {
    pub(super) code: i32,
    pub(super) data: *mut c_void,
}

// The functions of the inline header hand over two words of what comes to a yield.
const _: () = assert!(size_of::<Error>() <= 2 * size_of::<usize>());

impl Error {
    pub(super) const NONE: Self = Self { code: 0, data: ptr::null_mut() };
}

pub(super) type Co = Coroutine<usize, usize, usize, Error>;
pub(super) type Yield = Yielder<usize, usize, Error>;

/// How a body has ended.
#[derive(Clone, Copy)]
pub(super) enum End {
    NotYet,
    Returned(usize),
    With(Status),
}

/// The lowest bits of a handle.
const NUMBERS: usize = 63;

/// What is known of a coroutine. The first five fields are also read by `include/switchback_inline.h`.
#[repr(C, align(64))]
pub(super) struct Slot {
    /// The handle of the coroutine that is in here, or null.
    stamp: AtomicPtr<Opaque>,
    /// The [`key`] of the handle and its thread, or 0.
    key: AtomicUsize,
    /// What it is resumed by in the usual case, without a look at the rest (invariant 50).
    pub(super) block: Cell<Block>,
    /// The body's stack: its lowest address, and its length, which is zero when the body has ended. Other threads may look.
    limit: AtomicUsize,
    len: AtomicUsize,
    /// The number of its thread.
    thread: AtomicU64,
    /// The library has the handle, to resume, delegate or close: nobody else touches `co` (invariant 43).
    is_busy: Cell<bool>,
    co: UnsafeCell<Option<Co>>,
    /// Set by the body, which is there as long as `len` is not zero and somebody runs on the stack.
    pub(super) yielder: Cell<*const Yield>,
    /// Its stack is its creator's own memory: see [`current`].
    is_elsewhere: Cell<bool>,
    /// The coroutine that this one delegates to.
    pub(super) delegate: Cell<Option<&'static Slot>>,
    /// What was thrown in last, or what the body has ended with.
    pub(super) error: Cell<Error>,
    pub(super) end: Cell<End>,
    /// The last number that a handle of this slot had.
    number: Cell<usize>,
}

// What the header's `struct swb_inline_slot` says. With another layout, `swb_inline_resumed_3` and `swb_inline_woken_3` get the next
// number, here and there: so programs that were compiled with this one do not link.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(Slot, stamp) == 0);
    assert!(offset_of!(Slot, key) == 8);
    assert!(offset_of!(Slot, block) == 16);
    assert!(offset_of!(Slot, limit) == 24);
    assert!(offset_of!(Slot, len) == 32);
    assert!(align_of::<Slot>() == NUMBERS + 1);
};

// SAFETY: what other threads look at is atomic; the rest is touched only by the thread that they name, or by whoever has taken
// the slot out of the list of free ones (invariant 42).
unsafe impl Sync for Slot {}

/// The slots that nobody has. The last to be given back is the first to be used, while it is in the cache.
static FREE: Lock<Vec<&'static Slot>> = Lock::new(Vec::new());

/// Those that are in use and whose stacks are not the pool's, by the lowest address of the stack.
static ELSEWHERE: Lock<BTreeMap<usize, &'static Slot>> = Lock::new(BTreeMap::new());

/// How many these are; written under their lock. Who runs on one of these stacks has counted it.
static HOW_MANY: AtomicUsize = AtomicUsize::new(0);

/// The handle and the calling thread in one word.
#[inline(always)]
fn key(handle: Handle) -> usize {
    // Handles of one slot differ in the bits of NUMBERS only. The tokens of two threads differ in other bits, as more memory than that
    // begins or ends at each. So in one slot no other handle, and no other thread, has the same key.
    handle.addr() ^ token()
}

/// What tells the calling thread from the others that are alive. One that has ended may have had the same.
#[inline(always)]
fn token() -> usize {
    #[cfg(all(target_os = "linux", not(switchback_fallback)))]
    return crate::arch::thread_pointer();
    #[cfg(not(all(target_os = "linux", not(switchback_fallback))))]
    return NUMBER.with(|number| ptr::from_ref(number).addr());
}

/// The number of a thread, for as long as the process lives. Aligned as [`key`] asks of a token, where its address is one.
#[repr(align(64))]
struct Number(Cell<u64>);

const _: () = assert!(align_of::<Number>() > NUMBERS);

thread_local! {
    // Without a destructor, so that reaching it is an instruction or two.
    static NUMBER: Number = const { Number(Cell::new(0)) };
}

/// The number of the calling thread.
#[inline(always)]
fn number_here() -> u64 {
    NUMBER.with(|number| match number.0.get() {
        0 => number.begin(),
        number => number,
    })
}

impl Number {
    #[cold]
    fn begin(&self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.0.set(number);
        number
    }
}

/// The slot that a handle was given out for, whoever has it now.
///
/// # Safety
///
/// The handle is null, or was once given out (invariant 41).
#[inline(always)]
unsafe fn place(handle: Handle) -> Option<&'static Slot> {
    // SAFETY: what is not null is the address of a slot, and slots are never freed (invariant 42).
    unsafe { handle.map_addr(|address| address & !NUMBERS).cast::<Slot>().as_ref() }
}

/// The slot of a handle that is alive.
///
/// # Safety
///
/// The handle is null, or was once given out (invariant 41).
#[inline(always)]
pub(super) unsafe fn find(handle: Handle) -> Result<&'static Slot, Status> {
    // SAFETY: the same contract.
    match unsafe { place(handle) } {
        Some(slot) if slot.stamp.load(Ordering::Acquire) == handle => Ok(slot),
        _ => Err(Status::Invalid),
    }
}

/// [`find`], on the coroutine's own thread only.
///
/// # Safety
///
/// As for [`find`].
#[inline(always)]
pub(super) unsafe fn find_mine(handle: Handle) -> Result<&'static Slot, Status> {
    // SAFETY: the same contract.
    let slot = unsafe { find(handle) }?;
    if slot.thread.load(Ordering::Relaxed) != number_here() {
        return Err(Status::WrongThread);
    }
    Ok(slot)
}

/// [`find_mine`], if the coroutine is suspended: with where it is parked. `None` is for [`find_mine`] to explain.
///
/// # Safety
///
/// As for [`find`].
#[inline(always)]
pub(super) unsafe fn find_suspended(handle: Handle) -> Option<(&'static Slot, StackPointer)> {
    // SAFETY: the same contract.
    let slot = unsafe { place(handle) }?;
    // Whoever has another key may be writing this one, and then it is not the caller's either.
    if slot.key.load(Ordering::Relaxed) != key(handle) {
        return None;
    }
    // SAFETY: it is the calling thread's, or that of one that has ended, and then its block is marked or none (invariant 50).
    let parked = unsafe { slot.block.get().parked() }?;
    Some((slot, parked))
}

/// [`find`], from the coroutine's own body only.
///
/// # Safety
///
/// As for [`find`].
#[inline(always)]
pub(super) unsafe fn find_self(handle: Handle) -> Result<(&'static Slot, &'static Yield), Status> {
    // SAFETY: the same contract.
    let slot = unsafe { find(handle) }?;
    if !slot.is_on_stack() {
        return Err(Status::Outside);
    }
    // SAFETY: the caller runs on the coroutine's stack, so the body is there, and its yielder with it (invariant 44).
    Ok((slot, unsafe { &*slot.yielder.get() }))
}

impl Slot {
    /// A slot with a coroutine of the calling thread, and its handle. `make` is given both before the coroutine is there.
    pub(super) fn take(make: impl FnOnce(&'static Slot, Handle) -> Result<Co, Status>) -> Result<Handle, Status> {
        // Not locked any more when `more` locks it.
        let free = FREE.lock().pop();
        let slot = free.unwrap_or_else(more);
        let number = slot.number.get().wrapping_add(1) & NUMBERS;
        let handle: Handle = ptr::from_ref(slot).cast_mut().cast::<Opaque>().map_addr(|address| address | number);
        let co = match make(slot, handle) {
            Ok(co) => co,
            Err(status) => {
                FREE.lock().push(slot);
                return Err(status);
            }
        };
        let bounds = co.bounds();
        slot.number.set(number);
        slot.block.set(co.block());
        slot.limit.store(bounds.start, Ordering::Relaxed);
        slot.len.store(bounds.len(), Ordering::Release);
        slot.error.set(Error::NONE);
        slot.end.set(End::NotYet);
        if !co.set_tag(ptr::from_ref(slot).cast()) {
            slot.is_elsewhere.set(true);
            let mut elsewhere = ELSEWHERE.lock();
            elsewhere.insert(bounds.start, slot);
            HOW_MANY.store(elsewhere.len(), Ordering::Relaxed);
        }
        // SAFETY: nobody else has the slot.
        unsafe { *slot.co.get() = Some(co) };
        slot.thread.store(number_here(), Ordering::Relaxed);
        slot.key.store(key(handle), Ordering::Relaxed);
        slot.stamp.store(handle, Ordering::Release);
        Ok(handle)
    }

    /// Gives the slot back. The calling thread owns it, and has taken the coroutine out.
    pub(super) fn give_back(&'static self) {
        self.stamp.store(ptr::null_mut(), Ordering::Release);
        self.key.store(0, Ordering::Relaxed);
        self.has_left();
        self.is_busy.set(false);
        self.delegate.set(None);
        FREE.lock().push(self);
    }

    pub(super) fn handle(&self) -> Handle {
        self.stamp.load(Ordering::Relaxed)
    }

    /// What has delegated to this coroutine is gone, without a word.
    pub(super) fn is_given_back(&self) {
        self.is_busy.set(false);
    }

    /// The body has ended: nobody is on its stack any more.
    pub(super) fn has_left(&self) {
        self.block.set(Block::none());
        self.len.store(0, Ordering::Relaxed);
        self.yielder.set(ptr::null());
        if self.is_elsewhere.replace(false) {
            let (mut elsewhere, limit) = (ELSEWHERE.lock(), self.limit.load(Ordering::Relaxed));
            // The memory of one that was abandoned may have another on it by now.
            if elsewhere.get(&limit).is_some_and(|slot| ptr::eq(*slot, self)) {
                elsewhere.remove(&limit);
                HOW_MANY.store(elsewhere.len(), Ordering::Relaxed);
            }
        }
    }

    /// Whether the caller runs on the coroutine's stack.
    #[inline(always)]
    pub(super) fn is_on_stack(&self) -> bool {
        // In this order: then what another thread reads, which is on no stack of this one, fits together.
        let len = self.len.load(Ordering::Acquire);
        crate::arch::stack_pointer().wrapping_sub(self.limit.load(Ordering::Relaxed)) < len
    }

    /// The coroutine, for as long as `f` runs. The calling thread owns the slot. Refused where somebody has it already.
    #[inline(always)]
    pub(super) fn borrow<T>(&'static self, f: impl FnOnce(&mut Option<Co>) -> T) -> Result<T, Status> {
        if self.is_busy.replace(true) {
            return Err(Status::Running);
        }
        // SAFETY: it was not busy, so nobody else has it (invariant 43).
        let result = f(unsafe { &mut *self.co.get() });
        self.is_busy.set(false);
        Ok(result)
    }
}

/// Slots for several coroutines, all but one of them free.
#[cold]
fn more() -> &'static Slot {
    const AT_ONCE: usize = 64;
    let slots: Vec<Slot> = (0..AT_ONCE)
        .map(|_| Slot {
            stamp: AtomicPtr::new(ptr::null_mut()),
            key: AtomicUsize::new(0),
            block: Cell::new(Block::none()),
            thread: AtomicU64::new(0),
            is_busy: Cell::new(false),
            co: UnsafeCell::new(None),
            limit: AtomicUsize::new(0),
            len: AtomicUsize::new(0),
            yielder: Cell::new(ptr::null()),
            is_elsewhere: Cell::new(false),
            delegate: Cell::new(None),
            error: Cell::new(Error::NONE),
            end: Cell::new(End::NotYet),
            number: Cell::new(0),
        })
        .collect();
    let slots: &'static [Slot] = Box::leak(slots.into_boxed_slice());
    let (first, rest) = slots.split_first().unwrap_or_else(|| unreachable!("there are several"));
    FREE.lock().extend(rest);
    first
}

/// The coroutine of a C program whose stack the caller is on. A resume keeps no account of who runs, which took a tenth of its
/// instructions.
pub(super) fn current() -> Option<&'static Slot> {
    // First these, whose memory may be in a frame on a stack of the pool.
    let elsewhere = if HOW_MANY.load(Ordering::Relaxed) == 0 {
        None
    } else {
        ELSEWHERE.lock().range(..=crate::arch::stack_pointer()).next_back().map(|(_, slot)| *slot)
    };
    // SAFETY: it is null, or of a slot, as nobody else sets tags; and slots are never freed (invariant 42).
    let tagged = || unsafe { crate::coroutine::tag_here().cast::<Slot>().as_ref() };
    let runs = |slot: &&'static Slot| slot.is_on_stack();
    elsewhere.filter(runs).or_else(|| tagged().filter(runs))
}

/// Writes a value where the caller wants it, if it does.
///
/// # Safety
///
/// `place` is null, or may be written (invariant 41).
#[inline(always)]
pub(super) unsafe fn put<T>(place: *mut T, value: T) {
    if let Some(place) = NonNull::new(place) {
        // SAFETY: by this function's contract.
        unsafe { place.write(value) };
    }
}
