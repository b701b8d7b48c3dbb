//! Reuse: a list of free stacks for each thread and size, a bounded queue that threads share, and the slab behind it.
//!
//! # Who may touch what
//!
//! A [`Header`] lies at the top of each stack. While the stack is free its header belongs to the list or queue that
//! holds it; while a coroutine has it, to that coroutine; a coroutine stays on one thread, so headers are never shared.
//!
//! A stack's way: the slab → (`take_slow`) a thread's register and the caller → (`put`) the thread's list → (`take`)
//! the caller again … → (`put_slow`) the shared queue, out of the register → any thread, or back to the slab.
//!
//! The register of a thread lists every stack that the thread has taken from elsewhere and not given back. When the
//! thread ends, the free ones among them go to the shared queue, and for the others the coroutine layer is told
//! ([`Tenant::abandon`]), because after this nothing may run on them: the thread-locals that their frames have borrowed die.

use super::class::{CLASSES, Class};
use super::header::{self, Header, UNREGISTERED};
use super::usage::{self, Measure};
use super::{Stack, StackError, notices, overflow, slab};
use core::cell::{Cell, RefCell};
use core::ptr::{self, NonNull};
use crossbeam_queue::ArrayQueue;
use std::sync::OnceLock;

pub(crate) use super::header::{Occupant, Tenant};

/// How many free stacks of a size a thread keeps.
const LOCAL: usize = 256;
/// How many free stacks of a size all threads together keep besides.
const SHARED: usize = 1_024;
/// The least that a stack given to a builder must have: room for the control block and for a signal frame.
pub(super) const MIN_PROVIDED: usize = 16 * 1024;

/// A thread's free stacks of one size.
pub(crate) struct List {
    head: Cell<*mut Header>,
    /// How many more it may keep. 0 before the thread's first stack, after its end, and for provided stacks: then `put`
    /// takes the slow way.
    room: Cell<usize>,
}

impl List {
    /// Of a thread that keeps nothing.
    const fn new() -> Self {
        Self { head: Cell::new(ptr::null_mut()), room: Cell::new(0) }
    }
}

thread_local! {
    /// Without a destructor, so that reaching it is one instruction. `REGISTER` empties it.
    #[cfg(not(all(windows, target_env = "gnu")))]
    static LISTS: [List; CLASSES] = const { [const { List::new() }; CLASSES] };
    /// Leaked, because thread-locals are boxes there, freed when the thread ends, and headers point to the lists.
    #[cfg(all(windows, target_env = "gnu"))]
    static LISTS: &'static [List; CLASSES] = Box::leak(Box::new([const { List::new() }; CLASSES]));
    static REGISTER: Register = Register::new();
}

/// The list that stacks go back to whose users are measured: `put` takes the slow way to it.
static NO_ROOM: NoRoom = NoRoom(List::new());

struct NoRoom(List);

// SAFETY: a list without room is never written.
unsafe impl Sync for NoRoom {}

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
    let list = LISTS.with(|lists| &raw const lists[class.index()]);
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
    unsafe { header.as_ref() }.limit.as_ptr()
}

/// Whether the tenant of a stack will be told when this thread, which has it, ends.
#[cfg(feature = "capi")]
pub(crate) fn is_registered(header: NonNull<Header>) -> bool {
    // SAFETY: whoever has a header's address has the stack.
    unsafe { header.as_ref() }.registered.get() != UNREGISTERED
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
    notices::released(this.limit.as_ptr(), header.as_ptr().cast());
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
    let header = header::lay_out_provided(stack);
    settle(header, tenant);
    Ok(header)
}

/// Makes a stack that comes from elsewhere one of this thread's.
fn settle(header: NonNull<Header>, tenant: &'static Tenant) {
    // SAFETY: the caller has just got it.
    let this = unsafe { header.as_ref() };
    let measure = usage::measure();
    this.measure.set(measure);
    this.list.set(match measure {
        Measure::Off => LISTS.with(|lists| &raw const lists[this.class.index()]),
        _ => &NO_ROOM.0,
    });
    // SAFETY: nothing is on the stack but the record.
    unsafe { usage::begin(header) };
    this.set_tenant(tenant);
    // Fails when the thread is ending and has emptied its lists: then `put` finds no room in them either.
    REGISTER.try_with(|register| register.add(header)).unwrap_or(());
    // SAFETY: the stack is unused.
    unsafe { (tenant.move_in)(header) };
}

#[cold]
#[inline(never)]
fn take_slow(class: Class, tenant: &'static Tenant) -> Result<NonNull<Header>, StackError> {
    if crate::arch::shadow_stack_is_active() {
        return Err(StackError::shadow_stack());
    }
    let shared = QUEUES[class.index()].get().and_then(ArrayQueue::pop);
    let header = match shared {
        Some(Free(header)) => header,
        None => header::lay_out(slab::take(class)?),
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
    // SAFETY: the stack is this thread's, and its user has just ended.
    unsafe { usage::end(header) };
    let closed = REGISTER.try_with(|register| {
        register.remove(header);
        register.closed.get()
    });
    // Another thread may have turned measuring on or off; this is where this one notices.
    if closed.is_ok_and(|closed| closed != (usage::measure() != Measure::Off)) {
        close_lists(usage::measure() != Measure::Off);
    }
    // SAFETY: it is in no register and no list, and unused by this function's contract.
    unsafe { give_away(header) }
}

/// Gives a stack to the other threads, or back to where it came from if they have enough.
///
/// # Safety
///
/// The stack is unused and in no list and no register.
unsafe fn give_away(header: NonNull<Header>) {
    // SAFETY: the header is ours by this function's contract.
    let class = unsafe { header.as_ref() }.class;
    if class != Class::PROVIDED
        && QUEUES[class.index()].get_or_init(|| ArrayQueue::new(SHARED)).push(Free(header)).is_ok()
    {
        return;
    }
    // SAFETY: as above.
    unsafe { Header::demolish(header) };
}

/// Gives the memory of free stacks back to the system: all but a page of each that this thread or the shared queue keeps.
///
/// A stack in the pool keeps the pages that its users have touched, so that the next one finds them in the cache. By itself
/// the pool trims only what went deep and belonged to a thread that ends. Call this when a program that has had deep or many
/// coroutines gets quiet; other threads' lists are theirs to trim.
///
/// # Examples
///
/// ```
/// use switchback::Generator;
///
/// fn dig(depth: u32) -> u32 {
///     if depth == 0 { 0 } else { std::hint::black_box(dig(depth - 1)) + 1 }
/// }
/// let deep = Generator::new(|y| y.yield_(dig(1_000)));
/// assert_eq!(deep.sum::<u32>(), 1_000);
/// switchback::stack::trim();
/// ```
pub fn trim() {
    // SAFETY: what is free and this thread's is in nobody's use.
    for_each_free(|header| unsafe { usage::trim(header) });
    for queue in QUEUES.iter().filter_map(OnceLock::get) {
        for _ in 0..queue.len() {
            let Some(Free(header)) = queue.pop() else { break };
            // SAFETY: out of the queue it is ours.
            unsafe {
                usage::trim(header);
                give_away(header);
            }
        }
    }
}

/// Looks at each free stack of this thread.
fn for_each_free(look: impl Fn(NonNull<Header>)) {
    let lists = LISTS.with(|lists| lists.as_ptr());
    for index in 0..CLASSES {
        // SAFETY: a thread-local without a destructor is there as long as the thread, and nobody has a `&mut` to it.
        let list = unsafe { &*lists.add(index) };
        let mut next = list.head.get();
        while let Some(header) = NonNull::new(next) {
            look(header);
            // SAFETY: a header in this thread's list is mapped, initialised and ours.
            next = unsafe { header.as_ref() }.next.get();
        }
    }
}

/// Gives this thread's free stacks to the others, and keeps none from now on, or opens its lists again.
pub(super) fn close_lists(closed: bool) {
    let _ = REGISTER.try_with(|register| {
        register.empty_lists();
        register.closed.set(closed);
        open_lists(!closed);
    });
}

/// Makes this thread's lists, which are empty, keep stacks, or none.
fn open_lists(open: bool) {
    LISTS.with(|lists| {
        for (index, list) in lists.iter().enumerate() {
            list.room.set(if open && index != Class::PROVIDED.index() { LOCAL } else { 0 });
        }
    });
}

/// Whether a header with this list is one of the calling thread's. Signal handlers call this.
pub(super) fn is_list_of_this_thread(list: *const List) -> bool {
    LISTS.with(|lists| lists.as_ptr_range().contains(&list))
}

/// The stacks that a thread has: free ones in its lists and those in use.
struct Register {
    stacks: RefCell<Vec<NonNull<Header>>>,
    /// Whether its lists keep nothing, because stacks are measured.
    closed: Cell<bool>,
    /// Overflows of this thread's coroutines are reported as long as this lives.
    _watch: overflow::Watch,
}

impl Register {
    fn new() -> Self {
        // While stacks are measured they pass by the lists.
        let closed = usage::measure() != Measure::Off;
        open_lists(!closed);
        Self { stacks: RefCell::new(Vec::new()), closed: Cell::new(closed), _watch: overflow::Watch::new() }
    }

    fn add(&self, header: NonNull<Header>) {
        let mut stacks = self.stacks.borrow_mut();
        // SAFETY: the caller has just taken it.
        unsafe { header.as_ref() }.registered.set(stacks.len() as u32);
        stacks.push(header);
    }

    fn remove(&self, header: NonNull<Header>) {
        // SAFETY: the caller is about to give it back.
        let index = unsafe { header.as_ref() }.registered.replace(UNREGISTERED);
        if index != UNREGISTERED {
            let mut stacks = self.stacks.borrow_mut();
            stacks.swap_remove(index as usize);
            if let Some(moved) = stacks.get(index as usize) {
                // SAFETY: what is in the register is mapped and belongs to this thread.
                unsafe { moved.as_ref() }.registered.set(index);
            }
        }
    }

    fn empty_lists(&self) {
        let lists = LISTS.with(|lists| lists.as_ptr());
        for index in 0..CLASSES {
            // SAFETY: a thread-local without a destructor is there as long as the thread, and nobody has a `&mut` to it.
            let list = unsafe { &*lists.add(index) };
            let mut next = list.head.replace(ptr::null_mut());
            while let Some(header) = NonNull::new(next) {
                // SAFETY: a header in this thread's list is mapped, initialised and ours.
                next = unsafe { header.as_ref() }.next.get();
                list.room.set(list.room.get() + 1);
                self.remove(header);
                // SAFETY: it was free, and is now in no list and no register.
                unsafe { give_away(header) };
            }
        }
    }
}

impl Drop for Register {
    /// The thread ends. Free stacks go to the others; what is in use stays mapped for ever, and its coroutine is told.
    fn drop(&mut self) {
        // SAFETY: what is free and this thread's is in nobody's use.
        for_each_free(|header| unsafe { usage::trim_if_deep(header) });
        self.empty_lists();
        open_lists(false);
        for header in self.stacks.take() {
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
    unsafe fn nobody(_: NonNull<Header>) -> Occupant {
        Occupant { name: None, created_at: core::panic::Location::caller(), is_running: false }
    }
    static NOBODY: Tenant = Tenant { move_in: nothing, abandon: nothing, describe: nobody };

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
        static COUNTER: Tenant = Tenant { move_in: nothing, abandon: count, describe: nobody };
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
    fn more_than_a_thread_keeps_goes_to_the_queue_and_then_to_the_slab() {
        let class = Class::with(512 << 10).expect("in range");
        let stacks: Vec<_> = (0..LOCAL + 10).map(|_| take(class, &NOBODY).expect("a stack")).collect();
        for &stack in &stacks {
            // SAFETY: taken above.
            unsafe { put(stack) };
        }
        let queue = QUEUES[class.index()].get().expect("the lists were full");
        assert_eq!(queue.len(), 10);
        assert_eq!(LISTS.with(|lists| lists[class.index()].room.get()), 0);
    }
}
