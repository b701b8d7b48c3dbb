//! Awaiting from synchronous code, in one run beside others: `cargo bench --bench awaits [FILTER]`. How it measures, and
//! its options, are those of the bench `versus`.
//!
//! | row | what is timed |
//! |---|---|
//! | ready | an await of a future that is ready at once |
//! | woken | an await of a future that is pending once and wakes itself: out to whoever polls, and back |
//! | woken, D down | the same below D functions that are not inlined |
//! | start + end | a future with one await that is woken, from its creation to its end, on a pooled stack |
//! | … / corosensei | beside corosensei by hand: a coroutine that is a future, yields when a poll is pending, and keeps our promises |
//! | … / bare | beside one that only passes on the context that it is polled with, which is unsound |
//! | … / .await | beside an `async` block that does the same, which one does by `.await` in the block itself |
//! | … / boxed | beside recursion by boxed futures, as `async` code has to do it, one for each level |
//! | free / cx | the free `await_` beside the awaiter's |
//!
//! Each side is polled in a loop on one thread; nothing else runs.

#[path = "../versus/harness.rs"]
mod harness;
mod ours;
mod theirs;

use harness::{Harness, indirect_call, sum, timed};
use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Ready at once.
pub(crate) struct Ready(pub(crate) u64);

impl Future for Ready {
    type Output = u64;

    // Out of line, as most polls are; or else nothing would be left of it.
    #[inline(never)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        black_box(cx);
        Poll::Ready(self.0)
    }
}

/// Pending once.
pub(crate) struct Woken {
    value: u64,
    polled: bool,
}

impl Woken {
    #[inline(always)]
    pub(crate) fn new(value: u64) -> Self {
        Self { value, polled: false }
    }
}

impl Future for Woken {
    type Output = u64;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        if self.polled {
            return Poll::Ready(self.value);
        }
        self.polled = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Polls until it is ready, as executors do: by a pointer of which they know nothing.
#[inline(always)]
pub(crate) fn run(future: impl Future<Output = u64>) -> u64 {
    let future = pin!(future);
    let mut future: Pin<&mut dyn Future<Output = u64>> = black_box(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    }
}

/// Runs a future that adds up 0 to n - 1.
#[inline(always)]
pub(crate) fn adds_up(n: u64, future: impl Future<Output = u64>) -> Duration {
    timed(sum(n), || run(future))
}

fn main() {
    let harness = Harness::from_args();
    harness.header(include_str!("../../Cargo.lock"), &["corosensei"]);

    harness.row("ready / corosensei", Some(1.0), 1_000_000, ours::ready, theirs::ready);
    harness.row("ready / bare", None, 1_000_000, ours::ready, theirs::bare_ready);
    harness.row("ready / .await", None, 1_000_000, ours::ready, theirs::ready_native);
    harness.row("woken / corosensei", Some(1.0), 500_000, ours::woken, theirs::woken);
    harness.row("woken / bare", None, 500_000, ours::woken, theirs::bare_woken);
    harness.row("woken / .await", None, 500_000, ours::woken, theirs::woken_native);
    for depth in [5, 20] {
        let name = |who: &str| format!("woken, {depth} down / {who}");
        let ours = |n| ours::down(depth, n);
        harness.row(&name("corosensei"), Some(1.0), 200_000, ours, |n| theirs::down(depth, n));
        harness.row(&name("bare"), None, 200_000, ours, |n| theirs::bare_down(depth, n));
        harness.row(&name("boxed"), Some(1.0), 200_000, ours, |n| theirs::boxed(depth, n));
    }
    harness.row("start + end / bare", Some(1.0), 200_000, ours::start, theirs::bare_start);
    harness.note("(right: cx)").row("free / cx, ready", None, 1_000_000, ours::free_ready, ours::ready);
    harness.note("(right: cx)").row("free / cx, woken", None, 500_000, ours::free_woken, ours::woken);
    harness.note("(right: the call)").row("ready / indirect call", None, 1_000_000, ours::ready, indirect_call);
    harness.footer();
}
