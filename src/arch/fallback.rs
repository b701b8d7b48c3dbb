//! Every other CPU and system, over the corosensei crate: slower than the assembly, and never missing.
//!
//! corosensei's coroutines answer whoever resumed them. Here any parked side can be woken by any other, so each jump to
//! somebody else goes through the one place that can: a `resume` further out. It suspends the coroutine that jumps, with the
//! jump as its value, and resumes the one that is meant:
//!
//! ```text
//!    consumer            A                    B
//!    resume(A) ────────> runs
//!      <──── jump to B ─ delegate(B)
//!      ──────────────────────────────────────> runs
//!      <─────────────── jump to the consumer ─ suspend
//!    returns
//! ```
//!
//! So delegation costs the same at any depth here too. A jump to a consumer further out than the next one (a yield through
//! the yielder of an outer coroutine) is handed outwards: the coroutine in between suspends as well, parked in its own
//! `resume`, until a jump comes for that.
//!
//! A stack pointer is the address of a [`Side`]: at the top of a coroutine's stack, or in the frame of a `resume`.

use super::{Arrival, Entry, Root, StackPointer, Words};
use core::cell::{Cell, UnsafeCell};
use core::num::NonZeroUsize;
use core::ptr;
use corosensei::stack::{STACK_ALIGNMENT, Stack};

type Coroutine = corosensei::Coroutine<Jump, Jump, (), Memory>;
type Yielder = corosensei::Yielder<Jump, Jump>;

/// A message on its way.
struct Jump {
    to: StackPointer,
    kind: usize,
    words: Words,
    from: StackPointer,
    /// Whether the coroutine that jumps has ended.
    ended: bool,
}

/// A stretch of execution that can be parked.
#[repr(align(16))]
struct Side {
    /// A coroutine's; `None` is a consumer in a `resume`.
    coroutine: UnsafeCell<Option<Coroutine>>,
    /// A coroutine's, once it has started.
    yielder: Cell<*const Yielder>,
    /// Whether a coroutine has suspended and nobody has resumed it since.
    parked: Cell<bool>,
    /// The coroutine that a consumer runs on, or null if it runs on the thread's own stack.
    owner: *const Side,
}

thread_local! {
    /// The coroutine that runs, or null.
    static CURRENT: Cell<*const Side> = const { Cell::new(ptr::null()) };
}

/// The part of a stack that is corosensei's. It belongs to whoever called `prepare`.
struct Memory {
    base: NonZeroUsize,
    limit: NonZeroUsize,
}

// SAFETY: `prepare` was given the memory, with a guard below it as all stacks have, and far more than a page of it. base
// and limit are aligned.
unsafe impl Stack for Memory {
    fn base(&self) -> NonZeroUsize {
        self.base
    }

    fn limit(&self) -> NonZeroUsize {
        self.limit
    }

    #[cfg(windows)]
    fn teb_fields(&self) -> corosensei::stack::StackTebFields {
        corosensei::stack::StackTebFields {
            StackBase: self.base.get(),
            // All of it is committed: Windows has no pages to add when it grows.
            StackLimit: self.limit.get(),
            DeallocationStack: self.limit.get(),
            GuaranteedStackBytes: 0,
        }
    }

    #[cfg(windows)]
    fn update_teb_fields(&mut self, _stack_limit: usize, _guaranteed_stack_bytes: usize) {}
}

impl Side {
    fn pointer(&self) -> StackPointer {
        StackPointer((&raw const *self).cast_mut().cast())
    }

    /// # Safety
    ///
    /// `pointer` is that of a side that is parked or runs.
    unsafe fn at<'a>(pointer: StackPointer) -> &'a Self {
        // SAFETY: by this function's contract it is the address of one, and nobody has a `&mut` to one.
        unsafe { &*pointer.0.cast::<Self>() }
    }

    fn is_coroutine(&self) -> bool {
        // SAFETY: whether it is one never changes while others can see it.
        unsafe { (*self.coroutine.get()).is_some() }
    }

    /// Wakes this coroutine, and returns what it wants to be told to whom.
    ///
    /// # Safety
    ///
    /// It is a coroutine, parked or fresh. If it ends, then nobody uses the side any more.
    unsafe fn run(&self, jump: Jump) -> Jump {
        self.parked.set(false);
        let before = CURRENT.replace(self);
        // SAFETY: nobody else touches what is in the cell while the coroutine runs: it is resumed only when it is parked.
        let coroutine = unsafe { &mut *self.coroutine.get() };
        let answer = coroutine.as_mut().and_then(|coroutine| coroutine.resume(jump).as_yield());
        CURRENT.set(before);
        let Some(mut answer) = answer else { unreachable!("the entry function does not return") };
        if answer.ended {
            // It may be handed outwards through others, which have not.
            answer.ended = false;
            // What its last message points to stays where it is: the memory is not corosensei's.
            if let Some(mut ended) = coroutine.take() {
                // SAFETY: it has ended by `finish`, whose caller keeps nothing on the stack that needs to be dropped.
                unsafe { ended.force_reset() };
            }
        } else {
            self.parked.set(true);
        }
        answer
    }

    /// Suspends this coroutine, which runs, until a message comes.
    ///
    /// # Safety
    ///
    /// It is the current one. `jump.to` is parked.
    unsafe fn leave(&self, jump: Jump) -> Jump {
        // SAFETY: it has started, and its yielder stays where it is until it ends.
        unsafe { &*self.yielder.get() }.suspend(jump)
    }
}

/// The coroutine that runs.
fn current<'a>() -> &'a Side {
    // SAFETY: it is a side, as long as it runs.
    unsafe { CURRENT.get().as_ref() }.expect("whoever suspends is on a coroutine's stack")
}

/// Parks the caller, wakes `target` with a message, and returns the next message that wakes the caller.
///
/// # Safety
///
/// `target` is the stack pointer of a parked side of this thread that nobody else will wake, and a coroutine's. What it
/// expects of the message (the kinds it knows, what the words mean) holds. The stacks of both sides stay mapped and
/// untouched while they are parked.
pub(crate) unsafe fn resume(target: StackPointer, kind: usize, words: Words) -> Arrival {
    let me = Side {
        coroutine: UnsafeCell::new(None),
        yielder: Cell::new(ptr::null()),
        parked: Cell::new(false),
        owner: CURRENT.get(),
    };
    let mut jump = Jump { to: target, kind, words, from: me.pointer(), ended: false };
    while jump.to != me.pointer() {
        // SAFETY: whoever is to be woken is parked or, if it is a consumer, waits in a `resume`.
        let mut next = Some(unsafe { Side::at(jump.to) });
        if let Some(consumer) = next.filter(|side| !side.is_coroutine()) {
            // It waits in the `resume` that it is in, and so does the coroutine that it runs on, if a jump has left that.
            // SAFETY: a consumer's coroutine outlives it.
            next = unsafe { consumer.owner.as_ref() }.filter(|owner| owner.parked.get());
        }
        jump = match next {
            // SAFETY: it is parked: the target by the caller's contract, an owner by the look at it just now.
            Some(side) => unsafe { side.run(jump) },
            // It is further out than this.
            // SAFETY: this runs on the current coroutine. (On the thread's own stack there is nobody further out.)
            None => unsafe { current().leave(jump) },
        };
    }
    Arrival { kind: jump.kind, words: jump.words, from: jump.from }
}

/// Parks the caller, a coroutine, and wakes its consumer.
///
/// # Safety
///
/// As for [`resume`], but that `link` is a consumer's stack pointer.
pub(crate) unsafe fn suspend(link: StackPointer, kind: usize, words: Words) -> Arrival {
    let me = current();
    let jump = Jump { to: link, kind, words, from: me.pointer(), ended: false };
    // SAFETY: the caller answers for the link.
    let Jump { kind, words, from, .. } = unsafe { me.leave(jump) };
    Arrival { kind, words, from }
}

/// Parks the caller in `*slot`, wakes `target` with a message and the caller's `link`, and returns the message that
/// wakes the caller.
///
/// # Safety
///
/// As for [`resume`]; besides, `link` is a parked side that the target may answer instead of the caller, and `slot` is
/// where the target's end looks for the caller.
pub(crate) unsafe fn delegate(
    target: StackPointer,
    kind: usize,
    words: Words,
    link: StackPointer,
    slot: *mut StackPointer,
) -> Arrival {
    let me = current();
    // SAFETY: the slot is the target's.
    unsafe { slot.write(me.pointer()) };
    let jump = Jump { to: target, kind, words, from: link, ended: false };
    // SAFETY: the caller answers for the target.
    let Jump { kind, words, from, .. } = unsafe { me.leave(jump) };
    Arrival { kind, words, from }
}

/// Wakes `target` with a last message, handing `link` on, and abandons the caller's stack.
///
/// # Safety
///
/// As for [`resume`]; besides, nothing on the caller's stack needs to be dropped.
pub(crate) unsafe fn finish(target: StackPointer, kind: usize, words: Words, link: StackPointer) -> ! {
    let jump = Jump { to: target, kind, words, from: link, ended: true };
    // SAFETY: the caller answers for the target.
    unsafe { current().leave(jump) };
    unreachable!("what has ended is not resumed")
}

/// Makes a fresh stack, which reaches from `limit` up to `top`, ready to run, and returns its stack pointer.
///
/// # Safety
///
/// `top` is a multiple of 16, and the memory between is writable and belongs to nobody else: more than a few hundred bytes.
/// `root` is what `entry` expects, and stays where it is until the coroutine has ended.
pub(crate) unsafe fn prepare(limit: *mut u8, top: *mut u8, entry: Entry, root: *const Root) -> StackPointer {
    let align = STACK_ALIGNMENT.max(align_of::<Side>());
    let place = top.wrapping_sub(size_of::<Side>()).map_addr(|address| address & !(align - 1)).cast::<Side>();
    let limit = limit.addr().next_multiple_of(align);
    let (Some(base), Some(limit)) = (NonZeroUsize::new(place.addr()), NonZeroUsize::new(limit)) else {
        unreachable!("stacks do not begin at 0")
    };
    let side = StackPointer(place.cast());
    let coroutine = Coroutine::with_stack(Memory { base, limit }, move |yielder: &Yielder, first: Jump| {
        // SAFETY: the side and the root are there until the coroutine has ended, and the first message comes from its
        // consumer or its delegator.
        unsafe {
            Side::at(side).yielder.set(yielder);
            (*root).link.set(first.from);
            entry(root, first.kind)
        }
    });
    // SAFETY: by this function's contract the memory is there and ours; it is aligned.
    unsafe {
        place.write(Side {
            coroutine: UnsafeCell::new(Some(coroutine)),
            yielder: Cell::new(ptr::null()),
            parked: Cell::new(true),
            owner: ptr::null(),
        });
    }
    side
}

/// No frame of ours leads unwinders from coroutine to consumer here: corosensei's do.
pub(super) fn bottom() -> *const () {
    ptr::null()
}

/// As `bottom`.
pub(super) fn follow() -> *const () {
    ptr::null()
}

/// The caller's stack pointer, or nearly: where a local variable is.
#[cfg(feature = "capi")]
#[inline(always)]
pub(crate) fn stack_pointer() -> usize {
    let local = 0_u8;
    core::hint::black_box(&raw const local).addr()
}

/// Not known here.
pub(crate) fn shadow_stack_is_active() -> bool {
    false
}
