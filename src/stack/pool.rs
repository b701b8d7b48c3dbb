//! Reuse: a list of free stacks for each thread and size, a bounded queue that threads share, and the system behind it.
//!
//! # Who may touch what
//!
//! A [`Header`] lies at the top of each stack. While the stack is free its header belongs to the list or queue that
//! holds it; while a coroutine has it, to that coroutine; a coroutine stays on one thread, so headers are never shared.
//!
//! A stack's way: the system → (`take_slow`) a thread's register and the caller → (`put`) the thread's list → (`take`)
//! the caller again … → (`put_slow`) the shared queue, out of the register → any thread, or back to the system.
//!
//! The register of a thread lists every stack that the thread has taken from elsewhere and not given back. When the
//! thread ends, the free ones among them go to the shared queue, and for the others the coroutine layer is told
//! ([`Tenant::abandon`]), because after this nothing may run on them: the thread-locals that their frames have borrowed die.

use super::{DEFAULT_SIZE, GuardedStack, MAX_SIZE, MIN_SIZE, Stack, StackError, notices};
use core::cell::{Cell, RefCell};
use core::mem;
use core::ptr::{self, NonNull};
use crossbeam_queue::ArrayQueue;
use std::sync::OnceLock;

/// Sizes are powers of two from `MIN_SIZE` on; the last place is for stacks that are not the pool's.
const CLASSES: usize = (MAX_SIZE / MIN_SIZE).ilog2() as usize + 2;
const PROVIDED: Class = Class(CLASSES - 1);
/// How many free stacks of a size a thread keeps.
const LOCAL: usize = 256;
/// How many free stacks of a size all threads together keep besides.
const SHARED: usize = 1_024;
/// The tops of stacks are offset by this many different multiples of a cache line, because tops at the same place in
/// their pages compete for the same cache sets: with one colour, a round robin over 1,000 stacks took 4.8 ns a round trip
/// instead of 3.3 on an AMD EPYC.
const COLOURS: usize = 16;
const LINE: usize = 64;
/// The least that a stack given to a builder must have: room for the control block and for a signal frame.
pub(super) const MIN_PROVIDED: usize = 16 * 1024;
/// Not in a register.
const UNREGISTERED: usize = usize::MAX;

/// What the users of stacks want to be told.
pub(crate) struct Tenant {
    /// A thread has got a stack from elsewhere: what is put below its header now is found there by each user of the stack
    /// that leaves it so.
    pub(crate) move_in: unsafe fn(NonNull<Header>),
    /// A stack is in use when its thread ends.
    pub(crate) abandon: unsafe fn(NonNull<Header>),
}

/// A size of stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(usize);

impl Class {
    pub(crate) const DEFAULT: Self = Self((DEFAULT_SIZE / MIN_SIZE).ilog2() as usize);

    /// The smallest class with at least `size` usable bytes.
    pub(crate) fn with(size: usize) -> Result<Self, StackError> {
        if size > MAX_SIZE {
            return Err(StackError::too_large(size));
        }
        Ok(Self((size.max(MIN_SIZE).next_power_of_two() / MIN_SIZE).ilog2() as usize))
    }

    fn size(self) -> usize {
        MIN_SIZE << self.0
    }
}

/// The record at the top of each stack. What is below it is the coroutine's.
#[repr(C, align(64))]
pub(crate) struct Header {
    /// The next free stack of the thread's list.
    next: Cell<*mut Header>,
    /// The list of the thread that has the stack. Valid as long as the thread has it.
    list: Cell<*const List>,
    class: Class,
    /// Where the thread's register has it.
    registered: Cell<usize>,
    /// Whom to tell that the thread ends.
    tenant: Cell<Option<&'static Tenant>>,
    /// The lowest address that may be written.
    limit: *mut u8,
    /// The stack itself, whose drop gives the memory back.
    owner: mem::ManuallyDrop<Box<dyn Stack>>,
}

/// A thread's free stacks of one size.
pub(crate) struct List {
    head: Cell<*mut Header>,
    /// How many more it may keep. 0 before the thread's first stack, after its end, and for provided stacks: then `put`
    /// takes the slow way.
    room: Cell<usize>,
}

thread_local! {
    /// Without a destructor, so that reaching it is one instruction. `REGISTER` empties it.
    static LISTS: [List; CLASSES] = const {
        [const { List { head: Cell::new(ptr::null_mut()), room: Cell::new(0) } }; CLASSES]
    };
    static REGISTER: Register = Register::new();
}

static QUEUES: [OnceLock<ArrayQueue<Free>>; CLASSES] = [const { OnceLock::new() }; CLASSES];

/// A stack that is in nobody's use.
struct Free(NonNull<Header>);

// SAFETY: a free stack belongs to whoever has the value, and what it was made of (see `adopt`) can be sent.
unsafe impl Send for Free {}

/// Takes a stack of the given size, of which everything below the header is the caller's.
///
/// # Errors
///
/// When the system has none to give.
#[inline(always)]
pub(crate) fn take(class: Class, tenant: &'static Tenant) -> Result<NonNull<Header>, StackError> {
    // The closure only names the place, so that it is inlined and the rest with it.
    let list = LISTS.with(|lists| &raw const lists[class.0]);
    // SAFETY: a thread-local without a destructor is there as long as the thread, and nobody has a `&mut` to it.
    let list = unsafe { &*list };
    let Some(header) = NonNull::new(list.head.get()) else {
        return take_slow(class, tenant);
    };
    // SAFETY: a header in this thread's list is mapped, initialised and ours.
    list.head.set(unsafe { header.as_ref() }.next.get());
    list.room.set(list.room.get() + 1);
    Ok(header)
}

/// The lowest address of a stack that may be written.
#[inline(always)]
pub(crate) fn limit(header: NonNull<Header>) -> *mut u8 {
    // SAFETY: whoever has a header's address has the stack.
    unsafe { header.as_ref() }.limit
}

/// Gives a stack back.
///
/// # Safety
///
/// The stack was taken or adopted by this thread, and nothing is on it that is still needed.
#[inline(always)]
pub(crate) unsafe fn put(header: NonNull<Header>) {
    // SAFETY: the header is the caller's until it is in the list; its list is this thread's, which took the stack.
    let (this, list) = unsafe { (header.as_ref(), &*header.as_ref().list.get()) };
    notices::released(this.limit, header.as_ptr().cast());
    let room = list.room.get();
    if room == 0 {
        // SAFETY: the same contract.
        return unsafe { put_slow(header) };
    }
    this.next.set(list.head.get());
    list.head.set(header.as_ptr());
    list.room.set(room - 1);
}

/// Makes a stack that is not the pool's usable like one that is. It is dropped when it is put back.
pub(crate) fn adopt(
    stack: Box<dyn Stack>,
    tenant: &'static Tenant,
) -> Result<NonNull<Header>, (StackError, Box<dyn Stack>)> {
    let size = stack.top().addr().get().saturating_sub(stack.limit().addr().get());
    if size < MIN_PROVIDED {
        return Err((StackError::too_small(size), stack));
    }
    if crate::arch::shadow_stack_is_active() {
        return Err((StackError::shadow_stack(), stack));
    }
    let header = lay_out(stack, PROVIDED);
    settle(header, tenant);
    Ok(header)
}

/// Makes a stack that comes from elsewhere one of this thread's.
fn settle(header: NonNull<Header>, tenant: &'static Tenant) {
    // SAFETY: the caller has just got it.
    let this = unsafe { header.as_ref() };
    this.list.set(LISTS.with(|lists| &raw const lists[this.class.0]));
    // Fails when the thread is ending and has emptied its lists: then `put` finds no room in them either.
    REGISTER.try_with(|register| register.add(header, tenant)).unwrap_or(());
    // SAFETY: the stack is unused.
    unsafe { (tenant.move_in)(header) };
}

#[cold]
#[inline(never)]
fn take_slow(class: Class, tenant: &'static Tenant) -> Result<NonNull<Header>, StackError> {
    if crate::arch::shadow_stack_is_active() {
        return Err(StackError::shadow_stack());
    }
    let shared = QUEUES[class.0].get().and_then(ArrayQueue::pop);
    let header = match shared {
        Some(Free(header)) => header,
        None => lay_out(Box::new(GuardedStack::new(class.size())?), class),
    };
    settle(header, tenant);
    Ok(header)
}

/// # Safety
///
/// As for [`put`].
#[cold]
#[inline(never)]
unsafe fn put_slow(header: NonNull<Header>) {
    REGISTER.try_with(|register| register.remove(header)).unwrap_or(());
    // SAFETY: it is in no register and no list, and unused by this function's contract.
    unsafe { give_away(header) }
}

/// Gives a stack to the other threads, or back to the system if they have enough.
///
/// # Safety
///
/// The stack is unused and in no list and no register.
unsafe fn give_away(header: NonNull<Header>) {
    // SAFETY: the header is ours by this function's contract.
    let (class, owner) = unsafe { (header.as_ref().class, &raw mut (*header.as_ptr()).owner) };
    let queue = || QUEUES[class.0].get_or_init(|| ArrayQueue::new(SHARED));
    if class == PROVIDED || queue().push(Free(header)).is_err() {
        // SAFETY: read once, and out of the stack before the stack goes.
        let owner = mem::ManuallyDrop::into_inner(unsafe { owner.read() });
        notices::unregister(&*owner);
        drop(owner);
    }
}

/// Writes the header of a stack that has none yet.
fn lay_out(stack: Box<dyn Stack>, class: Class) -> NonNull<Header> {
    static NEXT: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
    let (top, limit) = (stack.top(), stack.limit().as_ptr());
    let colour = NEXT.fetch_add(1, core::sync::atomic::Ordering::Relaxed) % COLOURS;
    let below = (top.addr().get() - size_of::<Header>()) & !(align_of::<Header>() - 1);
    let header = top.as_ptr().with_addr(below - colour * LINE).cast::<Header>();
    notices::register(limit, top);
    // SAFETY: the address is within the stack, which has at least MIN_PROVIDED bytes and is ours to write, and aligned.
    unsafe {
        header.write(Header {
            next: Cell::new(ptr::null_mut()),
            list: Cell::new(ptr::null()),
            class,
            registered: Cell::new(UNREGISTERED),
            tenant: Cell::new(None),
            limit,
            owner: mem::ManuallyDrop::new(stack),
        });
        NonNull::new_unchecked(header)
    }
}

/// The stacks that a thread has: free ones in its lists and those in use.
struct Register(RefCell<Vec<NonNull<Header>>>);

impl Register {
    fn new() -> Self {
        LISTS.with(|lists| {
            for (index, list) in lists.iter().enumerate() {
                list.room.set(if index == PROVIDED.0 { 0 } else { LOCAL });
            }
        });
        Self(RefCell::new(Vec::new()))
    }

    fn add(&self, header: NonNull<Header>, tenant: &'static Tenant) {
        let mut stacks = self.0.borrow_mut();
        // SAFETY: the caller has just taken it.
        let this = unsafe { header.as_ref() };
        this.registered.set(stacks.len());
        this.tenant.set(Some(tenant));
        stacks.push(header);
    }

    fn remove(&self, header: NonNull<Header>) {
        // SAFETY: the caller is about to give it back.
        let index = unsafe { header.as_ref() }.registered.replace(UNREGISTERED);
        if index != UNREGISTERED {
            let mut stacks = self.0.borrow_mut();
            stacks.swap_remove(index);
            if let Some(moved) = stacks.get(index) {
                // SAFETY: what is in the register is mapped and belongs to this thread.
                unsafe { moved.as_ref() }.registered.set(index);
            }
        }
    }
}

impl Drop for Register {
    /// The thread ends. Free stacks go to the others; what is in use stays mapped for ever, and its coroutine is told.
    fn drop(&mut self) {
        LISTS.with(|lists| {
            for list in lists {
                list.room.set(0);
                let mut next = list.head.replace(ptr::null_mut());
                while let Some(header) = NonNull::new(next) {
                    // SAFETY: a header in this thread's list is mapped, initialised and ours.
                    next = unsafe { header.as_ref() }.next.get();
                    self.remove(header);
                    // SAFETY: it was free, and is now in no list and no register.
                    unsafe { give_away(header) };
                }
            }
        });
        for header in self.0.take() {
            // SAFETY: what is in the register is mapped and belongs to this thread.
            let this = unsafe { header.as_ref() };
            this.registered.set(UNREGISTERED);
            if let Some(tenant) = this.tenant.get() {
                // SAFETY: it is in use, and this is the thread it is used on.
                unsafe { (tenant.abandon)(header) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe fn nothing(_: NonNull<Header>) {}
    static NOBODY: Tenant = Tenant { move_in: nothing, abandon: nothing };

    #[test]
    fn a_stack_put_back_is_the_next_one_taken() {
        let first = take(Class::DEFAULT, &NOBODY).expect("a stack");
        let second = take(Class::DEFAULT, &NOBODY).expect("a stack");
        assert_ne!(first, second);
        // SAFETY: taken above, and nothing was put on it.
        unsafe { put(first) };
        assert_eq!(take(Class::DEFAULT, &NOBODY).expect("a stack"), first);
        // SAFETY: as above.
        unsafe { put(first) };
        // SAFETY: as above.
        unsafe { put(second) };
    }

    #[test]
    fn classes_are_never_smaller_than_asked() {
        for size in [0, 1, MIN_SIZE, MIN_SIZE + 1, DEFAULT_SIZE, 1_000_000, MAX_SIZE] {
            let class = Class::with(size).expect("in range");
            assert!(class.size() >= size && class != PROVIDED, "{size}");
        }
        assert_eq!(Class::with(DEFAULT_SIZE).expect("in range"), Class::DEFAULT);
        assert!(Class::with(MAX_SIZE + 1).is_err());
    }

    #[test]
    fn a_thread_that_ends_gives_its_free_stacks_to_the_others() {
        // A size that no other test of this process uses.
        let class = Class::with(8 << 20).expect("in range");
        let there = std::thread::spawn(move || {
            let header = take(class, &NOBODY).expect("a stack");
            // SAFETY: taken above.
            unsafe { put(header) };
            header.addr()
        });
        let there = there.join().expect("the thread ends well");
        let here = take(class, &NOBODY).expect("a stack");
        assert_eq!(here.addr(), there);
        // SAFETY: taken above.
        unsafe { put(here) };
    }

    #[test]
    fn a_thread_that_ends_tells_of_the_stacks_in_use() {
        use core::sync::atomic::{AtomicUsize, Ordering};
        static TOLD: AtomicUsize = AtomicUsize::new(0);
        unsafe fn count(_: NonNull<Header>) {
            TOLD.fetch_add(1, Ordering::Relaxed);
        }
        static COUNTER: Tenant = Tenant { move_in: nothing, abandon: count };
        std::thread::spawn(|| {
            let (class, ends) = (Class::DEFAULT, take(Class::DEFAULT, &COUNTER).expect("a stack"));
            take(class, &COUNTER).expect("a stack");
            take(class, &COUNTER).expect("a stack");
            // SAFETY: taken above.
            unsafe { put(ends) };
        })
        .join()
        .expect("the thread ends well");
        assert_eq!(TOLD.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn more_than_a_thread_keeps_goes_to_the_queue_and_then_to_the_system() {
        let class = Class::with(4 << 20).expect("in range");
        let stacks: Vec<_> = (0..LOCAL + 10).map(|_| take(class, &NOBODY).expect("a stack")).collect();
        for &stack in &stacks {
            // SAFETY: taken above.
            unsafe { put(stack) };
        }
        let queue = QUEUES[class.0].get().expect("the lists were full");
        assert_eq!(queue.len(), 10);
        assert_eq!(LISTS.with(|lists| lists[class.0].room.get()), 0);
    }
}
