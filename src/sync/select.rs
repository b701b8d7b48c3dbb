//! Waiting for the first of several: receives, sends, values that come later, tasks, times.
//!
//! [`select!`](crate::select!) is written like crossbeam-channel's; [`select`] is the same as a function, over arms that are
//! made at run time. Of those that are ready one is chosen by chance, and it is the only one to happen: what was not chosen has
//! taken no message and lost none.
//!
//! An arm that waits is in line with all others that wait for the same channel, and is served in its turn.
#![forbid(unsafe_code)]

use super::channel::Channel;
use super::mpsc::{Receiver, RecvError, SendError, SyncSender, TryRecvError, TrySendError};
use super::oneshot;
use super::queue::Place;
use crate::cancelled::Cancelled;
use crate::scheduler::{self, JoinHandle, Limit, Resumer, Stopped, suspend_caught_until};
use core::fmt;
use std::time::{Duration, Instant};

mod arms;

pub use arms::{Expecting, Gathering, Getting, Listening, Watching, broadcast, event, get, wait_group, watch};

#[cfg(unix)]
pub use super::arrivals::Arriving;

pub(super) mod sealed {
    use crate::scheduler::Resumer;
    use std::time::Instant;

    /// What an arm can do.
    pub trait Step {
        /// Happens now, if it can.
        fn poll(&mut self) -> bool;

        /// False only where `poll` would do nothing now.
        fn may_happen(&self) -> bool {
            true
        }

        /// Waits, and happens when it can: then the wait is claimed.
        fn register(&mut self, resumer: &Resumer<()>);

        /// Does not wait any more: whether it has happened.
        fn unregister(&mut self) -> bool;

        /// When it happens by itself.
        fn deadline(&self) -> Option<Instant> {
            None
        }
    }
}

/// Something that [`select`] can wait for: what [`recv`], [`send`], [`oneshot`](oneshot()), [`join`], [`event`], [`wait_group`],
/// [`watch`](watch()), [`broadcast`](broadcast()), [`get`], [`sleep`] and [`until`] make.
pub trait Arm: sealed::Step {}

impl<A: sealed::Step> Arm for A {}

/// Waits until one of the arms has happened, and returns its index. The others have not. Of several that are ready, chance
/// chooses. Without any it waits until it is cancelled. One that has happened is ready until it is finished.
///
/// # Errors
///
/// When none is ready and the task is cancelled, or cannot be suspended: then none has happened.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::sync::{mpsc, select::{self, Arm, select}};
///
/// switchback::run(|| {
///     let channels: Vec<_> = (0..8).map(|_| mpsc::sync_channel(1)).collect();
///     channels[5].0.send("five").unwrap();
///     let mut arms: Vec<_> = channels.iter().map(|(_, receiver)| select::recv(receiver)).collect();
///     let mut late = select::sleep(Duration::from_secs(60));
///     let mut all: Vec<&mut dyn Arm> = arms.iter_mut().map(|arm| arm as _).collect();
///     all.push(&mut late);
///     assert_eq!(select(&mut all), Ok(5));
///     assert_eq!(arms.swap_remove(5).finish(), Ok("five"));
/// });
/// ```
pub fn select(arms: &mut [&mut dyn Arm]) -> Result<usize, Cancelled> {
    scheduler::take_turn(1);
    if let Some(index) = try_select(arms) {
        return Ok(index);
    }
    wait_for(arms)
}

/// [`select`] of those of which a first look, that has not to go through their vtables, has said whether they may happen.
#[doc(hidden)]
#[inline]
pub fn __select_looked<const N: usize>(
    arms: &mut [&mut dyn Arm; N],
    may_happen: [bool; N],
) -> Result<usize, Cancelled> {
    if scheduler::take_turn(1) {
        // That look was before others have run.
        return select(arms);
    }
    if let Some(index) = choose(arms, &mut [0; N], |index, _| may_happen[index]) {
        return Ok(index);
    }
    wait_for(arms)
}

/// [`select`] when nothing was ready.
#[inline(never)]
fn wait_for(arms: &mut [&mut dyn Arm]) -> Result<usize, Cancelled> {
    loop {
        let limit = arms.iter().filter_map(|arm| arm.deadline()).min().map_or(Limit::Never, Limit::At);
        let waited = suspend_caught_until(limit, false, |resumer: Resumer<()>| {
            for arm in arms.iter_mut() {
                arm.register(&resumer);
                if !resumer.is_waiting() {
                    break;
                }
            }
            // The arms have it now.
            resumer.forget();
        });
        let mut chosen = None;
        for (index, arm) in arms.iter_mut().enumerate() {
            if arm.unregister() {
                debug_assert!(chosen.is_none(), "one claim, one arm");
                chosen = Some(index);
            }
        }
        match (chosen, waited) {
            (Some(index), _) => return Ok(index),
            (None, Ok(()) | Err(Stopped::TimedOut)) => {}
            (None, Err(Stopped::Cancelled(cancelled) | Stopped::Refused(cancelled))) => return Err(cancelled),
        }
        if let Some(index) = try_select(arms) {
            return Ok(index);
        }
    }
}

/// [`select`] that does not wait: none, if no arm is ready.
pub fn try_select(arms: &mut [&mut dyn Arm]) -> Option<usize> {
    let may_happen = |_, arm: &dyn Arm| arm.may_happen();
    let mut few = [0; 16];
    match few.get_mut(..arms.len()) {
        Some(few) => choose(arms, few, may_happen),
        None => choose(arms, &mut vec![0; arms.len()], may_happen),
    }
}

/// Polls those that may happen until one has, in an order by chance. There is room in `left` for the indices of all.
#[inline(always)]
fn choose(
    arms: &mut [&mut dyn Arm],
    left: &mut [usize],
    may_happen: impl Fn(usize, &dyn Arm) -> bool,
) -> Option<usize> {
    // Those that may happen: each is written down, and stays if the next is written behind it.
    let mut count = 0;
    for (index, arm) in arms.iter().enumerate() {
        left[count] = index;
        count += usize::from(may_happen(index, &**arm));
    }
    while count != 0 {
        let chosen = scheduler::chance(count);
        let index = left[chosen];
        if arms[index].poll() {
            return Some(index);
        }
        count -= 1;
        left[chosen] = left[count];
    }
    None
}

/// False only where the arm would not happen now.
#[doc(hidden)]
#[inline(always)]
pub fn __may_happen(arm: &impl Arm) -> bool {
    arm.may_happen()
}

/// An arm that receives. See [`recv`].
pub struct Receiving<'a, T> {
    channel: &'a Channel<T>,
    place: Option<Place>,
    result: Option<Result<T, RecvError>>,
}

/// Receives from a channel. It is ready when there is a message, and when all senders are gone.
pub fn recv<T>(receiver: &Receiver<T>) -> Receiving<'_, T> {
    Receiving { channel: receiver.channel(), place: None, result: None }
}

impl<T> Receiving<'_, T> {
    /// What was received, if this arm was chosen.
    ///
    /// # Errors
    ///
    /// When all senders are gone.
    ///
    /// # Panics
    ///
    /// When it was not chosen.
    #[track_caller]
    pub fn finish(self) -> Result<T, RecvError> {
        self.result.expect("the arm that was chosen")
    }
}

impl<T> sealed::Step for Receiving<'_, T> {
    fn poll(&mut self) -> bool {
        if self.result.is_some() {
            return true;
        }
        self.result = match self.channel.try_recv() {
            Ok(value) => Some(Ok(value)),
            Err(TryRecvError::Disconnected) => Some(Err(RecvError)),
            Err(TryRecvError::Empty) => None,
        };
        self.result.is_some()
    }

    #[inline(always)]
    fn may_happen(&self) -> bool {
        self.channel.may_recv() | self.result.is_some()
    }

    fn register(&mut self, resumer: &Resumer<()>) {
        self.place = self.channel.join_takers(resumer.another());
    }

    fn unregister(&mut self) -> bool {
        self.result = self.place.take().and_then(|place| self.channel.leave_takers(place)).map(Ok);
        self.result.is_some()
    }
}

/// An arm that sends. See [`send`].
pub struct Sending<'a, T> {
    channel: &'a Channel<T>,
    value: &'a mut Option<T>,
    place: Option<Place>,
    result: Option<Result<(), SendError<T>>>,
}

/// Sends what is in `value` to a channel, and takes it out of there if this arm is chosen. It is ready when there is room, and when
/// the receiver is gone; never, if there is no value.
pub fn send<'a, T>(sender: &'a SyncSender<T>, value: &'a mut Option<T>) -> Sending<'a, T> {
    Sending { channel: sender.channel(), value, place: None, result: None }
}

impl<T> Sending<'_, T> {
    /// What has become of the message, if this arm was chosen.
    ///
    /// # Errors
    ///
    /// The value, when the receiver is gone.
    ///
    /// # Panics
    ///
    /// When it was not chosen.
    #[track_caller]
    pub fn finish(self) -> Result<(), SendError<T>> {
        self.result.expect("the arm that was chosen")
    }
}

impl<T> sealed::Step for Sending<'_, T> {
    fn poll(&mut self) -> bool {
        if self.result.is_some() {
            return true;
        }
        let Some(value) = self.value.take() else { return false };
        match self.channel.try_send(value) {
            Ok(()) => self.result = Some(Ok(())),
            Err(TrySendError::Disconnected(value)) => self.result = Some(Err(SendError(value))),
            Err(TrySendError::Full(value)) => *self.value = Some(value),
        }
        self.result.is_some()
    }

    fn register(&mut self, resumer: &Resumer<()>) {
        let Some(value) = self.value.take() else { return };
        match self.channel.join_givers(value, resumer.another()) {
            Ok(place) => self.place = Some(place),
            Err(value) => *self.value = Some(value),
        }
    }

    fn unregister(&mut self) -> bool {
        let Some(place) = self.place.take() else { return false };
        *self.value = self.channel.withdraw(place);
        if self.value.is_none() {
            self.result = Some(Ok(()));
        }
        self.result.is_some()
    }
}

/// An arm that waits for a task. See [`join`].
pub struct Joining<'a, T>(&'a mut JoinHandle<T>);

/// Waits until a task has ended. [`JoinHandle::join`] then returns its outcome without waiting.
pub fn join<T>(handle: &mut JoinHandle<T>) -> Joining<'_, T> {
    Joining(handle)
}

impl<T> Joining<'_, T> {
    /// Nothing: the outcome is the handle's.
    pub fn finish(self) {}
}

impl<T> sealed::Step for Joining<'_, T> {
    fn poll(&mut self) -> bool {
        self.0.is_finished()
    }

    fn register(&mut self, resumer: &Resumer<()>) {
        self.0.begin_wait(resumer.another());
    }

    fn unregister(&mut self) -> bool {
        // That it has ended does not go away, and is seen by the next look.
        self.0.end_wait();
        false
    }
}

/// An arm that waits for a value that comes later. See [`oneshot`](oneshot()).
pub struct Awaiting<'a, T> {
    receiver: &'a mut oneshot::Receiver<T>,
    place: Option<Place>,
}

/// Waits for the message of a oneshot channel, in which a callback leaves it, say. It is ready when the message is there, and when
/// none will come.
pub fn oneshot<T>(receiver: &mut oneshot::Receiver<T>) -> Awaiting<'_, T> {
    Awaiting { receiver, place: None }
}

impl<T> Awaiting<'_, T> {
    /// The message, if this arm was chosen.
    ///
    /// # Errors
    ///
    /// When the sender was dropped without sending, or the message was received before.
    pub fn finish(self) -> Result<T, RecvError> {
        self.receiver.recv().map_err(|_| RecvError)
    }
}

impl<T> sealed::Step for Awaiting<'_, T> {
    fn poll(&mut self) -> bool {
        self.receiver.is_over()
    }

    fn register(&mut self, resumer: &Resumer<()>) {
        self.place = self.receiver.join(resumer.another());
    }

    fn unregister(&mut self) -> bool {
        // What has come stays there, and is seen by the next look.
        self.place.take().into_iter().for_each(|place| self.receiver.leave(place));
        false
    }
}

/// An arm that waits for a time. See [`sleep`] and [`until`].
pub struct Sleeping(Option<Instant>);

/// Waits for that long, from now.
pub fn sleep(duration: Duration) -> Sleeping {
    Sleeping(scheduler::now().checked_add(duration))
}

/// Waits until that time of the task's clock.
pub fn until(deadline: Instant) -> Sleeping {
    Sleeping(Some(deadline))
}

impl Sleeping {
    /// Nothing: the time is over.
    pub fn finish(self) {}
}

impl sealed::Step for Sleeping {
    fn poll(&mut self) -> bool {
        self.0.is_some_and(scheduler::is_over)
    }

    fn register(&mut self, _: &Resumer<()>) {}

    fn unregister(&mut self) -> bool {
        false
    }

    fn deadline(&self) -> Option<Instant> {
        self.0
    }
}

impl<T> fmt::Debug for Receiving<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiving").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Sending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Joining<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Joining").field(&self.0).finish()
    }
}

impl<T> fmt::Debug for Awaiting<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Awaiting").finish_non_exhaustive()
    }
}

impl fmt::Debug for Sleeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sleeping").field(&self.0).finish()
    }
}

/// Waits until one of its arms can happen, lets that one happen, and runs what is behind its arrow. Of several that are ready chance
/// chooses one; the others take no message and lose none.
///
/// | arm | is ready when | the pattern is for |
/// |---|---|---|
/// | `recv(receiver) -> pattern => ..` | there is a message, or all senders are gone | a `Result<T, RecvError>` |
/// | `recv(signals) -> pattern => ..` | a signal has come, of those that a `signal::Signals` is for | a `Signal` |
/// | `send(sender, value) -> pattern => ..` | there is room, or the receiver is gone | a `Result<(), SendError<T>>` |
/// | `oneshot(receiver) -> pattern => ..` | the message has come, or none will | a `Result<T, RecvError>` |
/// | `join(handle) => ..` | the task has ended; `handle.join()` does not wait then | |
/// | `event(event) => ..` | it is set, or was while this waited | |
/// | `wait_group(group) => ..` | all other parts have been dropped; the caller's stays | |
/// | `watch(receiver) -> pattern => ..` | there is a value it has not seen, or the sender is gone | a `Result<Arc<T>, RecvError>` |
/// | `broadcast(receiver) -> pattern => ..` | there is a message, or all senders are gone | a `Result<Arc<T>, broadcast::RecvError>` |
/// | `get(queue) -> pattern => ..` | there is an item, or the queue is closed | a `Result<Item<T>, RecvError>` |
/// | `sleep(duration) => ..`, `until(instant) => ..` | the time is over | |
/// | `default => ..` | nothing else is | |
///
/// What `send` takes is a variable of type `Option<T>`: the value is taken out of it if the arm is chosen, and stays there if not. An
/// arm whose variable is `None` is never ready. `default` is the last arm.
///
/// It is `Ok` with the value of what was run, and `Err` of a [`Cancelled`](crate::Cancelled) if the task is cancelled while
/// none is ready. What is behind an arrow belongs to the function around it: `?`, `return` and `break` mean what they mean
/// there.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::{select, sync::mpsc::sync_channel, task};
///
/// switchback::run(|| {
///     let (numbers, receiver) = sync_channel(1);
///     let (log, lines) = sync_channel(0);
///     let mut producer = task::spawn(move || (0..3).for_each(|n| numbers.send(n).unwrap()));
///     let reader = task::spawn(move || lines.iter().collect::<Vec<String>>());
///
///     let (mut sum, mut line) = (0, Some("begun".to_owned()));
///     loop {
///         select! {
///             recv(receiver) -> number => match number {
///                 Ok(number) => sum += number,
///                 Err(_) => break, // the producer has dropped its end
///             },
///             send(log, line) -> sent => sent.unwrap(),
///             sleep(Duration::from_secs(60)) => panic!("nothing comes"),
///         }
///         .unwrap();
///     }
///     select! { join(producer) => producer.join().unwrap() }.unwrap();
///     drop(log);
///     assert_eq!((sum, reader.join().unwrap().len() <= 1), (3, true));
/// });
/// ```
#[macro_export]
macro_rules! select {
    ($($arms:tt)*) => { $crate::sync::select::__select!(@parse () $($arms)*) };
}

/// The parts of [`select!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    // Each arm becomes `[how it is made] [pattern] [what is run]`.
    (@parse ($($done:tt)*) recv($receiver:expr) -> $pattern:pat => $run:expr $(, $($rest:tt)*)?) => {
        $crate::sync::select::__select!(@parse ($($done)* {[$receiver.arm()] [$pattern] [$run]}) $($($rest)*)?)
    };
    (@parse ($($done:tt)*) send($sender:expr, $value:expr) -> $pattern:pat => $run:expr $(, $($rest:tt)*)?) => {
        $crate::sync::select::__select!(
            @parse ($($done)* {[$crate::sync::select::send(&$sender, &mut $value)] [$pattern] [$run]}) $($($rest)*)?
        )
    };
    (@parse ($($done:tt)*) join($handle:expr) => $run:expr $(, $($rest:tt)*)?) => {
        $crate::sync::select::__select!(@parse ($($done)* {[$crate::sync::select::join(&mut $handle)] [()] [$run]}) $($($rest)*)?)
    };
    (@parse ($($done:tt)*) oneshot($receiver:expr) -> $pattern:pat => $run:expr $(, $($rest:tt)*)?) => {
        $crate::sync::select::__select!(
            @parse ($($done)* {[$crate::sync::select::oneshot(&mut $receiver)] [$pattern] [$run]}) $($($rest)*)?
        )
    };
    (@parse ($($done:tt)*) sleep($duration:expr) => $run:expr $(, $($rest:tt)*)?) => {
        $crate::sync::select::__select!(@parse ($($done)* {[$crate::sync::select::sleep($duration)] [()] [$run]}) $($($rest)*)?)
    };
    (@parse ($($done:tt)*) until($deadline:expr) => $run:expr $(, $($rest:tt)*)?) => {
        $crate::sync::select::__select!(@parse ($($done)* {[$crate::sync::select::until($deadline)] [()] [$run]}) $($($rest)*)?)
    };
    (@parse ($($done:tt)*) event($it:expr) => $run:expr $(, $($rest:tt)*)?) => {
        $crate::sync::select::__select!(
            @parse ($($done)* {[$crate::sync::select::event(&$it)] [()] [$run]}) $($($rest)*)?
        )
    };
    (@parse ($($done:tt)*) wait_group($it:expr) => $run:expr $(, $($rest:tt)*)?) => {
        $crate::sync::select::__select!(
            @parse ($($done)* {[$crate::sync::select::wait_group(&$it)] [()] [$run]}) $($($rest)*)?
        )
    };
    (@parse ($($done:tt)*) watch($it:expr) -> $pattern:pat => $run:expr $(, $($rest:tt)*)?) => {
        $crate::sync::select::__select!(
            @parse ($($done)* {[$crate::sync::select::watch(&mut $it)] [$pattern] [$run]}) $($($rest)*)?
        )
    };
    (@parse ($($done:tt)*) broadcast($it:expr) -> $pattern:pat => $run:expr $(, $($rest:tt)*)?) => {
        $crate::sync::select::__select!(
            @parse ($($done)* {[$crate::sync::select::broadcast(&mut $it)] [$pattern] [$run]}) $($($rest)*)?
        )
    };
    (@parse ($($done:tt)*) get($it:expr) -> $pattern:pat => $run:expr $(, $($rest:tt)*)?) => {
        $crate::sync::select::__select!(
            @parse ($($done)* {[$crate::sync::select::get(&$it)] [$pattern] [$run]}) $($($rest)*)?
        )
    };
    (@parse ($($done:tt)*) default => $run:expr $(,)?) => {
        $crate::sync::select::__select!(@make [try_select] [Ok::<_, $crate::Cancelled>($run)] () $($done)*)
    };
    (@parse ($($done:tt)*)) => {
        $crate::sync::select::__select!(@make [select] [unreachable!("an arm was chosen")] () $($done)*)
    };
    // The arms get names, each its own by hygiene.
    (@make $how:tt $otherwise:tt ($($made:tt)*) {[$make:expr] $pattern:tt $run:tt} $($rest:tt)*) => {{
        let mut arm = $make;
        $crate::sync::select::__select!(@make $how $otherwise ($($made)* {arm $pattern $run}) $($rest)*)
    }};
    (@make [select] $otherwise:tt ($({$arm:ident $pattern:tt $run:tt})*)) => {{
        let looked = [$($crate::sync::select::__may_happen(&$arm)),*];
        let mut arms = [$(&mut $arm as &mut dyn $crate::sync::select::Arm),*];
        // What is run may leave the function.
        #[allow(unreachable_code)]
        let result = match $crate::sync::select::__select_looked(&mut arms, looked) {
            ::core::result::Result::Ok(chosen) => $crate::sync::select::__select!(@run chosen $otherwise $({$arm $pattern $run})*),
            ::core::result::Result::Err(cancelled) => ::core::result::Result::Err(cancelled),
        };
        result
    }};
    (@make [try_select] $otherwise:tt ($({$arm:ident $pattern:tt $run:tt})*)) => {{
        let chosen = $crate::sync::select::try_select(&mut [$(&mut $arm as &mut dyn $crate::sync::select::Arm),*]);
        let chosen = chosen.unwrap_or(usize::MAX);
        #[allow(unreachable_code)]
        let result = $crate::sync::select::__select!(@run chosen $otherwise $({$arm $pattern $run})*);
        result
    }};
    (@run $chosen:ident $otherwise:tt {$arm:ident [$pattern:pat] [$run:expr]} $($rest:tt)*) => {
        if $chosen == 0 {
            let $pattern = $arm.finish();
            ::core::result::Result::Ok($run)
        } else {
            let chosen = $chosen - 1;
            $crate::sync::select::__select!(@run chosen $otherwise $($rest)*)
        }
    };
    (@run $chosen:ident [$otherwise:expr]) => {{
        let _ = $chosen;
        $otherwise
    }};
}

#[doc(hidden)]
pub use __select;
