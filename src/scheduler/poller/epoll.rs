//! By epoll. Nothing is armed again: a notice and a timer are told by edges too, and nobody reads what they count.

use super::{Event, refused};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Which part of a key an event has.
pub(in super::super) const KEY_MASK: u64 = u64::MAX;
/// The key of the notice and of the timer.
const OWN: u64 = u64::MAX;
/// How many events are taken at once.
const AT_ONCE: usize = 1024;
/// From here on epoll's milliseconds do, rounded down: who gets up too early looks again, and waits for the rest by the timer.
const COARSE: Duration = Duration::from_millis(50);

/// See the module.
pub(in super::super) struct Poller {
    epoll: OwnedFd,
    notice: OwnedFd,
    timer: OwnedFd,
}

/// What a wait has brought.
pub(in super::super) struct Events(Vec<epoll::Event>);

// SAFETY: what an event carries is a number, the key. It could be a pointer by its type, which is why that is not `Send`.
unsafe impl Send for Events {}

impl Poller {
    pub(in super::super) fn new() -> io::Result<Self> {
        let told = |call: &'static str| move |error: Errno| refused(call)(error.into());
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(told("epoll_create1"))?;
        let notice = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(told("eventfd"))?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)
            .map_err(told("timerfd_create"))?;
        for own in [&notice, &timer] {
            let flags = EventFlags::IN | EventFlags::ET;
            epoll::add(&epoll, own, EventData::new_u64(OWN), flags).map_err(told("epoll_ctl"))?;
        }
        Ok(Self { epoll, notice, timer })
    }

    /// Watches a descriptor for both directions, until it is deleted.
    pub(in super::super) fn add(&self, fd: BorrowedFd<'_>, key: u64) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::PRI | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(key), flags)?)
    }

    pub(in super::super) fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, fd)?)
    }

    /// Ends the wait that goes on, or the next one.
    pub(in super::super) fn notify(&self) {
        // It fails when the count is full, and then there is a notice.
        let _ = rustix::io::write(&self.notice, &1_u64.to_ne_bytes());
    }

    /// Waits for events, for a notice, or for about that time. It may also end without a reason.
    pub(in super::super) fn wait(&self, events: &mut Events, longest: Option<Duration>) {
        events.0.clear();
        let timeout = longest.and_then(|longest| match longest {
            Duration::ZERO => Some(Timespec::default()),
            longest if longest < COARSE && self.set_timer(longest) => None,
            longest => {
                let milliseconds = longest.as_millis().clamp(1, 1 << 30) as i64;
                Some(Timespec { tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000 })
            }
        });
        let _ = epoll::wait(&self.epoll, spare_capacity(&mut events.0), timeout.as_ref());
    }

    /// It goes off even if the wait is over by then, and ends another one, which does not mind.
    fn set_timer(&self, delay: Duration) -> bool {
        let never = Timespec::default();
        let Ok(it_value) = Timespec::try_from(delay) else { return false };
        let setting = Itimerspec { it_interval: never, it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &setting).is_ok()
    }
}

impl AsFd for Poller {
    /// Of what can be asked for readiness itself.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl Events {
    pub(in super::super) fn new() -> Self {
        Self(Vec::with_capacity(AT_ONCE))
    }

    pub(in super::super) fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        let all = self.0.iter().map(|event| {
            let (flags, key) = (event.flags, event.data.u64());
            let hides_more = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR | EventFlags::PRI;
            Event {
                key,
                is_readable: flags.intersects(hides_more | EventFlags::IN),
                is_writable: flags.intersects(EventFlags::OUT | EventFlags::HUP | EventFlags::ERR),
                hides_more: flags.intersects(hides_more),
            }
        });
        all.filter(|event| event.key != OWN)
    }
}
