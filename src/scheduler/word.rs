//! The shared words of waiting and joining, apart from what they guard.
//!
//! # The wait word
//!
//! One for each wait cell: a generation, and in the lowest two bits a state.
//!
//! | state | meaning | who sets it |
//! |---|---|---|
//! | IDLE (0) | the cell has never been waited in | nobody: it is the first |
//! | WAITING (1) | its task waits, or is about to: whoever claims this generation wakes it | the owner, in `begin` |
//! | CLAIMED (2) | somebody has claimed it: a resumer, a canceller, or the owner itself | the claimer, once |
//!
//! | from | to | by |
//! |---|---|---|
//! | IDLE g, CLAIMED g | WAITING g+1 | the owner alone |
//! | WAITING g | CLAIMED g | whoever knows g: a resumer was given it, a canceller reads it |
//!
//! WAITING g to WAITING g+1 is impossible: the owner begins again only when the last wait was claimed. State 3 does not
//! occur. The generation only grows, for as long as the process lives, whoever has the cell; one that has come to its last
//! generation is not used again. So a claim of an old generation fails for ever.
//!
//! Cancellation is not in the word. A canceller first makes its flag visible and then touches the word ([`WaitWord::poke`]),
//! the owner first begins and then looks at the flags: the two touches are in some order, so either the canceller sees
//! WAITING, or the owner sees the flag.
//!
//! # The join word
//!
//! One for each task. Bits, from the lowest:
//!
//! | bit | meaning | who sets it | who clears it |
//! |---|---|---|---|
//! | COMPLETE | the outcome is in the task, for the handle to take | the task, once | nobody |
//! | JOINING | the joiner is in the task, for completion to take | the handle | the handle, if not COMPLETE |
//! | HOME | with JOINING: the joiner is a task of the one worker that can run this one | with JOINING | with JOINING |
//! | DETACHED | the handle is gone, and the outcome is the task's to drop | the handle's drop, if not COMPLETE | nobody |
//! | the rest | references: the scheduler's, the handle's, those of `Task` values | | |
//!
//! A joiner that runs the task itself, in its place, sets JOINING and HOME without being in the task: completion finds nobody.
//!
//! JOINING and DETACHED together are impossible: a handle that is dropped does not join, and first takes back a waker that it has
//! been polled with. COMPLETE with JOINING means that completion takes the joiner, or has. The last reference frees the task.
//!
//! With HOME and two references, which are the scheduler's and the handle's, one thread alone can reach the word: the worker's.
//! The scheduler's reference is used there; the handle is in the frame of the joiner, which runs there; and whoever wants
//! another reference makes it of one of these. So that worker completes the task and gives up the scheduler's reference by
//! plain stores. It looks at the number each time: meanwhile the task may have given references to itself to other threads.
//!
//! # The park word
//!
//! One for each task, with three values, and another for its wakers, by which an `await_` waits as a park does:
//!
//! | value | meaning | who sets it |
//! |---|---|---|
//! | EMPTY | it does not park, and the next park waits | the task, whenever a park ends |
//! | PARKED | it parks, and `parked` is the generation of its wait | the task, from EMPTY |
//! | NOTIFIED | the next park does not wait, or the present one is over | `unpark`; a waker |
//!
//! Whoever changes PARKED to NOTIFIED claims the wait of that generation. A task that is cancelled while it is PARKED may have
//! begun another wait by then: the claim of an old generation fails, and NOTIFIED stays for the next park. An unparker that is
//! late may read the generation of a later park: that one then ends without a reason, as parks may.

use super::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

const STATE: u64 = 0b11;
const WAITING: u64 = 1;
const CLAIMED: u64 = 2;
const ONE: u64 = 4;

/// Which wait of a cell: the whole word while it is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Generation(pub(crate) u64);

/// See the module's table.
pub(crate) struct WaitWord(AtomicU64);

impl WaitWord {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Begins a wait. The owner calls it, when the last one was claimed; none if there are no more generations.
    ///
    /// What the owner has written before is seen by whoever claims it; what a canceller has written before its `poke` is
    /// seen by the owner, if the poke came first.
    #[inline(always)]
    pub(crate) fn begin(&self) -> Option<Generation> {
        let last = self.0.load(Ordering::Relaxed);
        debug_assert!(last & STATE != WAITING, "the last wait of this cell was not claimed");
        let next = (last & !STATE).checked_add(ONE)? | WAITING;
        self.0.swap(next, Ordering::AcqRel);
        Some(Generation(next))
    }

    /// Claims that wait. Once for each: the winner wakes the task, or is the task.
    #[inline(always)]
    pub(crate) fn claim(&self, generation: Generation) -> bool {
        let claimed = generation.0 ^ (WAITING ^ CLAIMED);
        self.0.compare_exchange(generation.0, claimed, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Touches the word, and tells which wait there is to claim.
    pub(crate) fn poke(&self) -> Option<Generation> {
        let word = self.0.fetch_add(0, Ordering::AcqRel);
        (word & STATE == WAITING).then_some(Generation(word))
    }

    /// Whether any wait goes on; it may be over by the time that this is known.
    pub(crate) fn has_waiter(&self) -> bool {
        self.0.load(Ordering::Relaxed) & STATE == WAITING
    }

    /// Whether that wait goes on; it may be over by the time that this is known.
    pub(crate) fn is_waiting(&self, generation: Generation) -> bool {
        self.0.load(Ordering::Relaxed) == generation.0
    }
}

const COMPLETE: usize = 1;
const JOINING: usize = 2;
const DETACHED: usize = 4;
const HOME: usize = 8;
const REFERENCE: usize = 16;

/// See the module's table.
pub(crate) struct JoinWord(AtomicUsize);

/// What a task finds when it completes.
pub(crate) struct Completed {
    pub(crate) is_joined: bool,
    pub(crate) is_detached: bool,
}

impl JoinWord {
    /// That of a task with a handle: two references.
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(2 * REFERENCE))
    }

    /// The outcome is in place. What was written before is seen by whoever finds it complete.
    #[inline(always)]
    pub(crate) fn complete(&self) -> Completed {
        let mut word = self.0.load(Ordering::Acquire);
        if Self::is_at_home(word) {
            self.0.store(word | COMPLETE, Ordering::Release);
        } else {
            word = self.0.fetch_or(COMPLETE, Ordering::AcqRel);
        }
        debug_assert!(word & COMPLETE == 0);
        Completed { is_joined: word & JOINING != 0, is_detached: word & DETACHED != 0 }
    }

    #[inline(always)]
    pub(crate) fn is_complete(&self) -> bool {
        self.0.load(Ordering::Acquire) & COMPLETE != 0
    }

    /// The joiner is in place: whether completion will take it.
    #[inline(always)]
    pub(crate) fn begin_joining(&self) -> bool {
        self.0.fetch_or(JOINING, Ordering::AcqRel) & COMPLETE == 0
    }

    /// [`begin_joining`](Self::begin_joining) by a task of the one worker that can run the task of this word, on its thread.
    #[inline(always)]
    pub(crate) fn begin_joining_at_home(&self) -> bool {
        let word = self.0.load(Ordering::Acquire);
        if word / REFERENCE != 2 {
            return self.begin_joining();
        }
        self.0.store(word | JOINING | HOME, Ordering::Release);
        word & COMPLETE == 0
    }

    /// JOINING without a joiner, where no locked instruction is needed for it, by a task that is about to run the other: on the one
    /// worker that can, before that has begun. Whether it was done; [`end_joining`](Self::end_joining) undoes it.
    #[inline(always)]
    pub(crate) fn stay_home(&self) -> bool {
        let word = self.0.load(Ordering::Relaxed);
        debug_assert!(word & (COMPLETE | JOINING) == 0);
        let is_alone = word / REFERENCE == 2;
        if is_alone {
            self.0.store(word | JOINING | HOME, Ordering::Relaxed);
        }
        is_alone
    }

    /// Whether the worker that runs the task is alone with this word.
    #[inline(always)]
    fn is_at_home(word: usize) -> bool {
        word & HOME != 0 && word / REFERENCE == 2
    }

    /// Whether there is a joiner in place. The handle asks.
    #[inline(always)]
    pub(crate) fn is_joining(&self) -> bool {
        self.0.load(Ordering::Relaxed) & JOINING != 0
    }

    /// The joiner does not wait any more: whether its place is the handle's again. If not, the task is complete.
    pub(crate) fn end_joining(&self) -> bool {
        let ended = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            (word & COMPLETE == 0).then_some(word & !(JOINING | HOME))
        });
        ended.is_ok()
    }

    /// Gives up the handle's reference, and the outcome with it. False if the task is complete: nothing has been done then.
    #[inline(always)]
    pub(crate) fn detach(&self) -> bool {
        let detached = self.0.fetch_update(Ordering::Release, Ordering::Acquire, |word| {
            (word & COMPLETE == 0).then_some((word | DETACHED) - REFERENCE)
        });
        detached.is_ok()
    }

    #[inline(always)]
    pub(crate) fn retain(&self) {
        let word = self.0.fetch_add(REFERENCE, Ordering::Relaxed);
        if word > usize::MAX / 2 {
            // Two thousand million values leaked; one more round and it would be freed under them.
            std::process::abort();
        }
    }

    /// [`release`](Self::release) of the scheduler's reference, on the thread that has completed the task, before the joiner
    /// goes on if that is a task of the same worker.
    #[inline(always)]
    pub(crate) fn release_here(&self) -> bool {
        let word = self.0.load(Ordering::Acquire);
        if Self::is_at_home(word) {
            self.0.store(word - REFERENCE, Ordering::Release);
            return false;
        }
        self.release()
    }

    /// Gives up a reference: whether it was the last.
    #[inline(always)]
    pub(crate) fn release(&self) -> bool {
        if self.0.load(Ordering::Acquire) / REFERENCE == 1 {
            // Nobody else has one to make more of.
            return true;
        }
        self.0.fetch_sub(REFERENCE, Ordering::AcqRel) / REFERENCE == 1
    }
}

const EMPTY: u8 = 0;
const PARKED: u8 = 1;
const NOTIFIED: u8 = 2;

/// See the module's table.
pub(crate) struct ParkWord(AtomicU8);

impl ParkWord {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(EMPTY))
    }

    /// The wait has begun and its generation is known: false if it is over already.
    pub(crate) fn begin(&self) -> bool {
        self.0.compare_exchange(EMPTY, PARKED, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// A wait is over, or was not needed: whether it was because of a notice, which is used up by this.
    pub(crate) fn end(&self) -> bool {
        self.0.swap(EMPTY, Ordering::Acquire) == NOTIFIED
    }

    /// The wait was given up: a notice stays for the next.
    pub(crate) fn give_up(&self) {
        let _ = self.0.compare_exchange(PARKED, EMPTY, Ordering::Acquire, Ordering::Relaxed);
    }

    /// Whether there is a wait to be claimed.
    pub(crate) fn notify(&self) -> bool {
        self.0.swap(NOTIFIED, Ordering::AcqRel) == PARKED
    }
}
