//! Cancellation: what of a task was cancelled, and whether that reaches the place where it waits.
//!
//! The timeouts, scopes and shields that a task is inside of are *nodes*, linked from the innermost out. They are counted,
//! not borrowed from frames: a generator may carry the frame that opened one away to another task. A node that was left out
//! of order is marked, and skipped. The task as a whole is the outermost, at depth 0.
#![forbid(unsafe_code)]

use super::current::{Current, Running};
use super::header::TaskRef;
use crate::cancelled::{CancelReason, Cancelled, ScopeId};
use crate::coroutine::{self, Event};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// After how many calls in a row that have returned `Cancelled` a task is reported.
const PATIENCE: u32 = 1_000;

/// A part of a task that can be cancelled by itself, or that is shielded.
pub(crate) struct Node {
    id: ScopeId,
    /// From 1 on.
    depth: u32,
    is_shield: bool,
    /// Opened while the task registered a wait, where nothing in it can wait.
    in_register: bool,
    /// When it will be cancelled, in nanoseconds of the runtime's clock; the greatest number, if that is not known.
    deadline: AtomicU64,
    /// Left, but perhaps not yet taken off the task's chain.
    is_left: AtomicBool,
    /// Somebody inside was told of it.
    was_told: AtomicBool,
    cancelled: OnceLock<Cancelled>,
    task: TaskRef,
    outer: Option<Arc<Node>>,
}

/// What opens a node.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Shield,
    Scope,
    Timeout(u64),
}

impl Node {
    pub(crate) fn id(&self) -> ScopeId {
        self.id
    }

    /// Cancels what is inside. False if it was cancelled before.
    pub(crate) fn cancel(&self, reason: CancelReason) -> bool {
        self.cancel_as(Cancelled::new(reason, self.id))
    }

    /// Cancels what is inside, with a `Cancelled` that may be that of somebody further out.
    pub(crate) fn cancel_as(&self, cancelled: Cancelled) -> bool {
        if self.cancelled.set(cancelled).is_err() {
            return false;
        }
        if !self.is_left.load(Ordering::Relaxed) {
            let header = self.task.header();
            if self.in_register && Current::registers(header) {
                // The wait that there is to claim is not inside of this.
                header.cancel_hint.store(true, Ordering::SeqCst);
            } else {
                header.interrupt(self.depth);
            }
        }
        true
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.get().is_some()
    }

    /// When it will be cancelled: see the field.
    pub(crate) fn deadline(&self) -> u64 {
        self.deadline.load(Ordering::Relaxed)
    }

    /// Whoever has set the timer moves it.
    pub(crate) fn set_deadline(&self, deadline: u64) {
        self.deadline.store(deadline, Ordering::Relaxed);
    }

    /// Whether a call inside has returned `Cancelled` because of this.
    pub(crate) fn was_told(&self) -> bool {
        self.was_told.load(Ordering::Relaxed)
    }
}

/// Takes its node off the task's chain when it is dropped.
pub(crate) struct Entered(Arc<Node>);

impl Entered {
    /// Opens a node in the current task; none outside of tasks.
    pub(crate) fn new(kind: Kind) -> Option<Self> {
        Current::with(|current| {
            let running = current?.running;
            let outer = running.node.borrow_mut().take();
            let depth = outer.as_ref().map_or(1, |outer| outer.depth + 1);
            let node = Arc::new(Node {
                id: ScopeId::new(),
                depth,
                is_shield: kind == Kind::Shield,
                in_register: running.is_registering.get(),
                deadline: AtomicU64::new(if let Kind::Timeout(deadline) = kind { deadline } else { u64::MAX }),
                is_left: AtomicBool::new(false),
                was_told: AtomicBool::new(false),
                cancelled: OnceLock::new(),
                task: TaskRef::to(running.header()),
                outer,
            });
            *running.node.borrow_mut() = Some(Arc::clone(&node));
            if kind == Kind::Shield {
                running.shield.set(depth);
            }
            Some(Self(node))
        })
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.0
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.is_left.store(true, Ordering::Relaxed);
        Current::with(|current| {
            // Elsewhere, if a generator has carried this away: the task it was opened in finds it marked.
            if let Some(current) = current {
                take_off(current.running);
                // Whoever waits behind a shield looks whether it is still there: see `shield_of`.
                if self.0.is_shield {
                    find_shield(current.running);
                }
            }
        });
    }
}

/// The depth of the innermost shield that is there, or 0. One that a generator has carried away may have been left in another task.
#[cold]
#[inline(never)]
pub(super) fn shield_of(running: &Running) -> u32 {
    take_off(running);
    find_shield(running);
    running.shield.get()
}

/// Takes the nodes that were left off the inner end of the chain.
fn take_off(running: &Running) {
    let mut node = running.node.borrow_mut();
    while let Some(inner) = node.as_ref().filter(|inner| inner.is_left.load(Ordering::Relaxed)) {
        *node = inner.outer.clone();
    }
}

/// Finds the innermost shield that is there.
fn find_shield(running: &Running) {
    let node = running.node.borrow();
    let mut next = node.as_deref();
    while let Some(inner) = next.filter(|inner| !inner.is_shield || inner.is_left.load(Ordering::Relaxed)) {
        next = inner.outer.as_deref();
    }
    running.shield.set(next.map_or(0, |shield| shield.depth));
}

/// The cancellation that reaches the place where the task is now: the outermost one.
#[inline(always)]
pub(super) fn pending(running: &Running) -> Option<Cancelled> {
    if !running.header().cancel_hint.load(Ordering::SeqCst) {
        return None;
    }
    pending_slow(running, true)
}

/// Whether there is one. Nobody counts as told by this.
#[inline(always)]
pub(super) fn is_pending(running: &Running) -> bool {
    running.header().cancel_hint.load(Ordering::SeqCst) && pending_slow(running, false).is_some()
}

/// [`pending`]; whoever was cancelled learns that somebody was told only if `tell`.
#[cold]
#[inline(never)]
fn pending_slow(running: &Running, tell: bool) -> Option<Cancelled> {
    let node = running.node.borrow();
    let mut next = node.as_deref();
    let mut found: Option<(&Cancelled, Option<&Node>)> = None;
    loop {
        let Some(node) = next else {
            if let Some(whole) = running.header().cancelled.get() {
                found = Some((whole, None));
            }
            break;
        };
        next = node.outer.as_deref();
        if node.is_left.load(Ordering::Relaxed) {
            continue;
        }
        if let Some(cancelled) = node.cancelled.get() {
            found = Some((cancelled, Some(node)));
        }
        if node.is_shield {
            break;
        }
    }
    let (cancelled, node) = found?;
    if tell {
        let was_told = node.map_or(&running.header().was_told, |node| &node.was_told);
        was_told.store(true, Ordering::Relaxed);
    }
    Some(cancelled.clone())
}

/// A call gives up because of a cancellation that [`suspend_quietly`](super::suspend::suspend_quietly) has returned.
pub(super) fn tell() {
    Current::with(|current| current.and_then(|current| pending(current.running)));
}

/// Why a wait was claimed without a value.
#[cold]
pub(super) fn why(running: &Running, tell: bool) -> Cancelled {
    // What has claimed it may have been left in the meantime only through a generator that was carried away.
    pending_slow(running, tell).unwrap_or_else(|| Cancelled::new(CancelReason::Requested, running.header().scope_id()))
}

/// A cancelled task passes through the scheduler at each call, so that one that does not leave starves nobody. It is
/// reported when it has gone on for long.
pub(super) fn pass(running: &Running) {
    count(running);
    running.yield_now();
}

/// Counts a call that returns `Cancelled`.
#[cold]
pub(super) fn count(running: &Running) {
    let ignored = running.ignored.get().saturating_add(1);
    running.ignored.set(ignored);
    if ignored == PATIENCE {
        running.header().report(Event::CancelIgnored);
    }
}

/// The calling task's cancellation, if it is cancelled here. For calls that do not wait, and loops that compute.
///
/// # Errors
///
/// When the task, or the part of it that this is called in, was cancelled. Outside of a task it never is.
///
/// # Examples
///
/// ```
/// use switchback::task;
///
/// switchback::run(|| {
///     assert!(task::check_cancelled().is_ok());
///     task::current().unwrap().cancel();
///     assert!(task::check_cancelled().is_err());
/// });
/// ```
pub fn check_cancelled() -> Result<(), Cancelled> {
    Current::with(|current| match current.and_then(|current| pending(current.running)) {
        Some(cancelled) => Err(cancelled),
        None => Ok(()),
    })
}

/// When the place where the calling task is will be cancelled, by a timeout around it that no shield keeps off.
pub(crate) fn deadline() -> Option<u64> {
    Current::with(|current| {
        let node = current?.running.node.borrow();
        let mut next = node.as_deref();
        let mut first = u64::MAX;
        while let Some(node) = next {
            if !node.is_left.load(Ordering::Relaxed) {
                first = first.min(node.deadline());
                if node.is_shield {
                    break;
                }
            }
            next = node.outer.as_deref();
        }
        (first != u64::MAX).then_some(first)
    })
}

/// Runs `f` where the cancellation of what is around it does not reach: for cleaning up that has to wait.
///
/// A timeout or scope that is opened inside works as usual. What has been held back is told by the first call after it that
/// could wait.
///
/// # Panics
///
/// When `f` does.
///
/// # Examples
///
/// ```
/// use switchback::task;
///
/// switchback::run(|| {
///     let worker = task::spawn_local(|| {
///         let asked_to_leave = task::park().is_err();
///         // Still some work to do, which waits:
///         task::shield(|| task::yield_now()).unwrap();
///         asked_to_leave && task::yield_now().is_err()
///     });
///     task::yield_now().unwrap();
///     worker.cancel();
///     assert!(worker.join().unwrap());
/// });
/// ```
pub fn shield<T>(f: impl FnOnce() -> T) -> T {
    let _entered = Entered::new(Kind::Shield);
    f()
}

impl super::header::Header {
    pub(super) fn report(&self, event: Event) {
        coroutine::report(event, self.description());
    }

    pub(super) fn description(&self) -> crate::Description<'_> {
        crate::Description::new(self.origin.name(), self.origin.spawned_at)
    }
}
