//! Reuse: a list of free stacks for each thread and size, the depot that threads share, and the slab behind it.
//!
//! # Who may touch what
//!
//! A [`Header`] lies at the top of each stack. While the stack is free its header belongs to the list or depot that
//! holds it; while a coroutine has it, to that coroutine; a coroutine stays on one thread, so headers are never shared.
//!
//! A stack's way: the slab → (`take_slow`) a thread's register and the caller → (`put`) the thread's list → (`take`)
//! the caller again … → (`put_slow`) the depot, out of the register → any thread, or back to the slab.
//!
//! The register of a thread lists every stack that the thread has taken from elsewhere and not given back. When the
//! thread ends, the free ones among them go to the depot, and for the others the coroutine layer is told
//! ([`Tenant::abandon`]), because after this nothing may run on them: the thread-locals that their frames have borrowed die.

use super::class::{CLASSES, Class};
#[cfg(feature = "capi")]
use super::header::UNREGISTERED;
use super::header::{self, Header};
use super::register::Register;
use super::shared::{self, Free};
use super::system::Locked;
use super::usage::{self, Measure};
use super::{Stack, StackError, notices, slab};
use crate::arch::{LINE, prefetch};
use core::cell::Cell;
use core::ptr::{self, NonNull};

pub(crate) use super::header::{Occupant, Tenant};
pub(crate) use super::shared::tidy;

/// How many free stacks of a size a thread keeps.
const LOCAL: usize = 256;
/// How many of them move between its list and the depot at once.
const BATCH: usize = 64;
/// How many lines of a stack its next user is about to write: the header, the control block, and the first frames.
const FETCHED: usize = 6;
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

/// Whether a stack is the pool's, and not one that somebody has provided.
#[cfg(feature = "capi")]
pub(crate) fn is_pooled(header: NonNull<Header>) -> bool {
    // SAFETY: whoever has a header's address has the stack.
    unsafe { header.as_ref() }.class != Class::PROVIDED
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
    settle(header, tenant, usage::measure());
    Ok(header)
}

/// Makes a stack that comes from elsewhere one of this thread's.
fn settle(header: NonNull<Header>, tenant: &'static Tenant, measure: Measure) {
    // SAFETY: the caller has just got it.
    let this = unsafe { header.as_ref() };
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
    // The list is empty. Others come with the first, unless it keeps none.
    let measure = usage::measure();
    let keeps = measure == Measure::Off && LISTS.with(|lists| lists[class.index()].room.get()) >= BATCH;
    let mut batch = [const { None }; BATCH];
    let count = shared::take(class, &mut batch[..if keeps { BATCH } else { 1 }]);
    if count == 0 {
        let header = header::lay_out(take_slot(class)?);
        settle(header, tenant, measure);
        return Ok(header);
    }
    // They are cold, and will be wanted soon: fetched all at once they take a fraction of the time.
    let headers = batch.map(|free| free.map(Free::into_header));
    for header in headers.iter().flatten() {
        (0..FETCHED).for_each(|line| prefetch(header.as_ptr().cast::<u8>().wrapping_sub(line * LINE).cast()));
    }
    // Newest first, and so in the list.
    for &header in headers[1..].iter().flatten().rev() {
        settle(header, tenant, measure);
        // SAFETY: it was free, and is in no other list; as it is not measured its list is this thread's, with room for a batch.
        unsafe { push(header) };
    }
    let first = headers[0].expect("there is one at least");
    settle(first, tenant, measure);
    Ok(first)
}

/// A slot, if need be after what the pool keeps has been given back.
fn take_slot(class: Class) -> Result<slab::Slot, StackError> {
    slab::take(class).or_else(|error| {
        if shared::pooled() == 0 {
            return Err(error);
        }
        shared::trim();
        slab::take(class)
    })
}

/// Puts a stack into its list.
///
/// # Safety
///
/// It is free, in no list, and this thread's, and its list has room.
unsafe fn push(header: NonNull<Header>) {
    // SAFETY: by this function's contract, and invariant 30.
    let (this, list) = unsafe { (header.as_ref(), &*header.as_ref().list.get()) };
    this.next.set(list.head.get());
    list.head.set(header.as_ptr());
    list.room.set(list.room.get() - 1);
}

/// Takes the newest stack out of a list of this thread.
pub(super) fn pop(list: &List) -> Option<NonNull<Header>> {
    let header = NonNull::new(list.head.get())?;
    // SAFETY: a header in this thread's list is mapped, initialised and ours (invariant 30).
    list.head.set(unsafe { header.as_ref() }.next.get());
    list.room.set(list.room.get() + 1);
    Some(header)
}

/// # Safety
///
/// As for [`put`].
#[cold]
#[inline(never)]
unsafe fn put_slow(header: NonNull<Header>) {
    // SAFETY: the stack is this thread's, and its user has just ended.
    unsafe { usage::end(header) };
    let is_kept = REGISTER.try_with(|register| {
        // SAFETY: it is this thread's.
        let list = unsafe { &*header.as_ref().list.get() };
        // Another thread may have turned measuring on or off; this is where this one notices.
        let closed = usage::measure() != Measure::Off;
        let is_full = !list.head.get().is_null() && register.closed.get() == closed;
        if is_full {
            register.give_away(core::iter::from_fn(|| pop(list)).take(BATCH));
            // SAFETY: it is unused and this thread's, and there is room now.
            unsafe { push(header) };
            return true;
        }
        register.remove(header);
        if register.closed.get() != closed {
            close_lists(closed);
        }
        false
    });
    if is_kept != Ok(true) {
        // SAFETY: it is in no register and no list, and unused by this function's contract.
        unsafe { give_away(header) };
    }
}

/// Gives a stack to the other threads, or back to where it came from.
///
/// # Safety
///
/// The stack is unused and in no list and no register.
unsafe fn give_away(header: NonNull<Header>) {
    // SAFETY: the header is ours by this function's contract.
    let class = unsafe { header.as_ref() }.class;
    if class == Class::PROVIDED {
        // SAFETY: as above. There is no slot to be given back.
        unsafe { Header::vacate(header) };
    } else {
        // SAFETY: as above.
        shared::give(class, Some(unsafe { Free::new(header) }));
    }
}

/// Gives the memory of free stacks back to the system: all of what any thread may have ([`pooled`](super::pooled)), and all
/// but a page of each of the up to 256 of a size that this thread keeps for itself.
///
/// A stack in the pool keeps the pages that its users have touched, so that the next one finds them there. The pool does this
/// by itself, after a while and when there is occasion: see the [module](super). Call this when a program that has had deep
/// or many coroutines gets quiet and there may be none, or to be sooner; other threads' own lists are theirs to trim. What the
/// process has locked in memory (`mlockall`) goes by this call alone, on Linux since 5.18, and is locked again when it is touched.
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
    for_each_free(|header| unsafe { usage::trim(header, Locked::Goes) });
    shared::trim();
}

/// Looks at each free stack of this thread.
pub(super) fn for_each_free(look: impl Fn(NonNull<Header>)) {
    for_each_list(|list| {
        let mut next = list.head.get();
        while let Some(header) = NonNull::new(next) {
            look(header);
            // SAFETY: a header in this thread's list is mapped, initialised and ours.
            next = unsafe { header.as_ref() }.next.get();
        }
    });
}

/// Gives this thread's free stacks to the others, and keeps none from now on, or opens its lists again.
pub(super) fn close_lists(closed: bool) {
    let _ = REGISTER.try_with(|register| {
        register.empty_lists();
        register.closed.set(closed);
        open_lists(!closed);
    });
}

/// Gives this thread's free stacks to the others. Returns whether there were any.
pub(crate) fn share() -> bool {
    let mut has_some = false;
    for_each_list(|list| has_some |= !list.head.get().is_null());
    has_some && REGISTER.try_with(Register::empty_lists).is_ok()
}

/// Each list of this thread.
pub(super) fn for_each_list(mut look: impl FnMut(&List)) {
    let lists = LISTS.with(|lists| lists.as_ptr());
    for index in 0..CLASSES {
        // SAFETY: a thread-local without a destructor is there as long as the thread, and nobody has a `&mut` to it.
        look(unsafe { &*lists.add(index) });
    }
}

/// Makes this thread's lists, which are empty, keep stacks, or none.
pub(super) fn open_lists(open: bool) {
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
    fn more_than_a_thread_keeps_goes_to_the_depot_and_comes_back_in_batches() {
        let class = Class::with(512 << 10).expect("in range");
        let room = || LISTS.with(|lists| lists[class.index()].room.get());
        let stacks: Vec<_> = (0..LOCAL + 10).map(|_| take(class, &NOBODY).expect("a stack")).collect();
        assert_eq!(room(), LOCAL);
        for &stack in &stacks {
            // SAFETY: taken above.
            unsafe { put(stack) };
        }
        assert_eq!(room(), BATCH - 10, "a batch was given away when it was full");
        let again: Vec<_> = (0..LOCAL + 10 - BATCH).map(|_| take(class, &NOBODY).expect("a stack")).collect();
        assert_eq!(room(), LOCAL);
        let first = take(class, &NOBODY).expect("a stack");
        assert_eq!(room(), LOCAL - (BATCH - 1), "the others of the batch came with it");
        assert_eq!(first, stacks[LOCAL - BATCH], "the last of the batch that was given away");
        // SAFETY: taken above.
        again.into_iter().chain([first]).for_each(|stack| unsafe { put(stack) });
    }
}
