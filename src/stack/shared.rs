//! What threads share of the pool: the depot, and how what is too much in it goes back to the slab.

use super::class::Class;
use super::depot::Depot;
use super::fork::Lock;
use super::header::Header;
use super::slab;
use super::system::{self, Locked};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A stack that is in nobody's use (invariant 29).
pub(super) struct Free(NonNull<Header>);

// SAFETY: a free stack belongs to whoever has the value, and what it was made of (see `adopt`) can be sent.
unsafe impl Send for Free {}

impl Free {
    /// # Safety
    ///
    /// The stack is the pool's and the caller's, who forgets it; it is unused and in no list and no register.
    pub(super) unsafe fn new(header: NonNull<Header>) -> Self {
        Self(header)
    }

    pub(super) fn into_header(self) -> NonNull<Header> {
        self.0
    }
}

static DEPOT: Lock<Depot<Free>> = Lock::new(Depot::new());
/// How many are in it, for those who have not locked it.
static POOLED: AtomicUsize = AtomicUsize::new(0);
/// How long its interval is, in nanoseconds.
static DECAY: AtomicU64 = AtomicU64::new(10_000_000_000);
/// How many may be in it, or [`NOT_ASKED`]. No `OnceLock`: one that another thread is at when a process forks is so in the child for ever.
static LIMIT: AtomicUsize = AtomicUsize::new(NOT_ASKED);
const NOT_ASKED: usize = usize::MAX - 1;

/// So many may be in it without a look at how much memory there is: 16 MiB, with a page each.
const FEW: usize = 4 * 1024;
/// How many go back to the slab at once while their thread has something else to do. Neighbours cost the system a
/// quarter of what they cost one by one.
const SOME: usize = 32;
/// And while it has nothing else to do.
const MANY: usize = 128;

/// How many free stacks, of all sizes, the pool keeps for any thread, with the memory that they have touched.
///
/// The up to 256 of each size that each thread keeps for itself do not count. See the [module](crate::stack) for when their
/// memory goes back to the system.
///
/// # Examples
///
/// ```
/// use switchback::{Generator, stack};
///
/// let all: Vec<_> = (0..1_000).map(|n| Generator::new(move |y| y.yield_(n))).collect();
/// drop(all);
/// println!("{} free stacks keep their memory", stack::pooled());
/// stack::trim();
/// assert_eq!(stack::pooled(), 0);
/// ```
#[must_use]
pub fn pooled() -> usize {
    POOLED.load(Ordering::Relaxed)
}

/// Chooses how many free stacks [`pooled`] may come to; returns the choice until now.
///
/// What is more gives its memory back at once. Each keeps a page at least, and as much as the deepest coroutine on it has
/// touched; that is what to divide a number of bytes by. Until it is chosen, a page each may come to an eighth of the memory
/// that the machine, or the process's control group, has, and in any case to 16 MiB. Where that is not known (it is on Linux) there is no limit.
///
/// # Examples
///
/// ```
/// use switchback::{Generator, stack};
///
/// stack::set_max_pooled(100); // half a megabyte, if none goes deep
/// drop((0..1_000).map(|n| Generator::new(move |y| y.yield_(n))).collect::<Vec<_>>());
/// assert!(stack::pooled() <= 100);
/// ```
pub fn set_max_pooled(stacks: usize) -> usize {
    limit();
    let until_now = LIMIT.swap(if stacks == NOT_ASKED { usize::MAX } else { stacks }, Ordering::Relaxed);
    while pooled() > stacks && go_back(with_depot(|depot| depot.over(Class::DEFAULT, stacks, MANY))) {}
    until_now
}

/// Chooses for how long nobody must have needed a pooled stack until its memory goes back to the system; returns the choice
/// until now. At the beginning it is ten seconds.
///
/// It goes one to two times as long after that, as there is occasion: see the [module](crate::stack).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::stack;
///
/// let until_now = stack::set_pool_decay(Duration::from_secs(1));
/// assert_eq!(until_now, Duration::from_secs(10));
/// ```
pub fn set_pool_decay(interval: Duration) -> Duration {
    let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(DECAY.swap(nanos, Ordering::Relaxed))
}

fn usual_limit() -> usize {
    system::memory().map_or(usize::MAX, |(_, total)| (total / 8 / system::page_size()).max(FEW))
}

fn limit() -> usize {
    match LIMIT.load(Ordering::Relaxed) {
        NOT_ASKED => {
            let usual = usual_limit();
            // Another thread may have been first, or has chosen one.
            LIMIT.compare_exchange(NOT_ASKED, usual, Ordering::Relaxed, Ordering::Relaxed).err().unwrap_or(usual)
        }
        limit => limit,
    }
}

fn interval() -> Duration {
    Duration::from_nanos(DECAY.load(Ordering::Relaxed))
}

fn limit_for(len: usize) -> usize {
    if len <= FEW && LIMIT.load(Ordering::Relaxed) == NOT_ASKED { usize::MAX } else { limit() }
}

/// Takes as many of a size as `into` has places for and as there are. Returns how many.
pub(super) fn take(class: Class, into: &mut [Option<Free>]) -> usize {
    if pooled() == 0 {
        return 0;
    }
    let now = Instant::now();
    let (count, due) = with_depot(|depot| {
        depot.tick(now, interval());
        (depot.take(class, into), depot.take_due(SOME))
    });
    go_back(due);
    count
}

/// Puts some of a size there.
pub(super) fn give(class: Class, some: impl IntoIterator<Item = Free>) {
    let now = Instant::now();
    let limit = limit_for(pooled());
    let (mut over, due) = with_depot(|depot| {
        depot.give(class, some);
        depot.tick(now, interval());
        (depot.over(class, limit, SOME), depot.take_due(SOME))
    });
    go_back(due);
    while !over.is_empty() {
        go_back(over);
        over = with_depot(|depot| depot.over(class, limit, MANY));
    }
}

/// Sees to what is in the depot for too long. Returns in how long there may be more to do, or None if nothing is there.
///
/// For a thread that has time: `is_idle` if it has nothing else to do.
#[inline]
pub(crate) fn tidy(is_idle: bool) -> Option<Duration> {
    if pooled() == 0 { None } else { tidy_at(Instant::now(), if is_idle { MANY } else { SOME }) }
}

#[cold]
#[inline(never)]
fn tidy_at(now: Instant, most: usize) -> Option<Duration> {
    let (due, next) = with_depot(|depot| {
        depot.tick(now, interval());
        let due = depot.take_due(most);
        (due, depot.next(now, interval()))
    });
    go_back(due);
    next
}

/// Gives all of it back to the slab, and its memory to the system.
pub(super) fn trim() {
    with_depot(Depot::condemn);
    while go_back_with(with_depot(|depot| depot.take_due(MANY)), Locked::Goes) {}
}

fn with_depot<T>(f: impl FnOnce(&mut Depot<Free>) -> T) -> T {
    let mut depot = DEPOT.lock();
    let result = f(&mut depot);
    POOLED.store(depot.len(), Ordering::Relaxed);
    result
}

/// Gives stacks of one size back to the slab. Returns whether there were any.
fn go_back(some: Vec<Free>) -> bool {
    go_back_with(some, Locked::Stays)
}

fn go_back_with(some: Vec<Free>, locked: Locked) -> bool {
    // SAFETY: whoever has a `Free` has the stack, and these are gone after this.
    let mut slots: Vec<_> = some.into_iter().filter_map(|free| unsafe { Header::vacate(free.0) }).collect();
    // SAFETY: as above.
    unsafe { slab::give_back(&mut slots, locked) };
    !slots.is_empty()
}
