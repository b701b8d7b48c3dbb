//! The body's side: yielding.

use super::control::{Closer, Control};
use super::error::{Misuse, Thrown};
use super::message::{
    CALL, EXIT, INSPECT, INSPECTED, NEXT, RAN, STUCK, THROW, UNWIND, YIELDED, address_of, decode, encode, fits_in_words,
};
use super::report;
use super::unwind;
use crate::arch::{self, Arrival, StackPointer, Word, Words};
use core::convert::Infallible;
use core::marker::PhantomData;
use core::mem;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

/// Variance: Y goes out, S and E come in. Like the handle it is invariant in S and E, and confined to its thread.
type Types<Y, S, E> = PhantomData<(fn(Y), fn(S) -> S, fn(E) -> E, *mut ())>;

/// What a body suspends itself with: a reference to it is the body's one argument.
///
/// It may be handed to any function that the body calls, so `yield from` of Python is a plain call here. It may also be
/// used from inside another coroutine that the body resumes (and that borrows it, see [`scoped`](crate::scoped)): then
/// all between that place and the consumer is suspended together. It cannot leave the body, or its thread.
///
/// # Examples
///
/// ```
/// use switchback::{Generator, Thrown, Yielder};
///
/// fn countdown(y: &Yielder<u32>, from: u32) -> Result<(), Thrown> {
///     if from > 0 {
///         y.yield_(from)?;
///         countdown(y, from - 1)?;
///     }
///     Ok(())
/// }
///
/// let items: Vec<u32> = Generator::new(|y| countdown(y, 3)).collect();
/// assert_eq!(items, [3, 2, 1]);
/// ```
#[repr(transparent)]
pub struct Yielder<Y, S = (), E = Infallible> {
    pub(super) control: Control,
    _types: Types<Y, S, E>,
}

impl<Y, S, E> Yielder<Y, S, E> {
    /// The yielder that is `control`.
    #[inline(always)]
    pub(super) fn of(control: &Control) -> &Self {
        // SAFETY: it is transparent over a control block. That Y, S and E are those of the coroutine is up to `entry`.
        unsafe { &*(&raw const *control).cast() }
    }

    /// Suspends the body: hands `value` to whoever resumes the coroutine, and returns what is sent next.
    ///
    /// # Errors
    ///
    /// - [`Thrown::Error`]: an error was thrown in;
    /// - [`Thrown::Exit`]: the coroutine is being closed or dropped. Clean up and return, with `?` for instance;
    /// - [`Thrown::Misuse`]: the body could not be suspended ([`Misuse::Delegating`], [`Misuse::Panicking`]). `value`
    ///   has been dropped.
    ///
    /// # Panics
    ///
    /// When the coroutine was dropped and its body went on yielding: a private panic then unwinds it to its end.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::{Coroutine, CoroutineState::Yielded};
    ///
    /// let mut sum = Coroutine::<u32, u32>::new(|y| {
    ///     let mut total = 0;
    ///     loop {
    ///         total += y.yield_(total)?;
    ///     }
    /// });
    /// assert_eq!(sum.start()?, Yielded(0));
    /// assert_eq!(sum.send(40)?, Yielded(40));
    /// assert_eq!(sum.send(2)?, Yielded(42));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn yield_(&self, value: Y) -> Result<S, Thrown<E>> {
        if const { fits_in_words::<Y>() && fits_in_words::<S>() } {
            return match self.switch(value) {
                // SAFETY: it has just come here.
                Ok(arrival) => unsafe { self.received(arrival) },
                Err(misuse) => Err(Thrown::Misuse(misuse)),
            };
        }
        // By no further function that takes the value: each would copy it once more.
        let link = self.control.root.link.get();
        if link.is_null() || (thread::panicking() && !self.control.take_woken_panicking()) {
            return Err(Thrown::Misuse(self.refuse(value)));
        }
        // SAFETY: as in `switch_unrefused`.
        let arrival = unsafe { arch::suspend(link, YIELDED, encode(&value)) };
        mem::forget(value);
        self.woken(arrival.from);
        // SAFETY: it has just come here.
        unsafe { self.received(arrival) }
    }

    /// Yields, and returns the message that comes next.
    #[inline(always)]
    fn switch(&self, value: Y) -> Result<Arrival, Misuse> {
        let control = &self.control;
        let link = control.root.link.get();
        if link.is_null() || (thread::panicking() && !control.take_woken_panicking()) {
            return Err(self.refuse(value));
        }
        // SAFETY: the link is not null.
        Ok(unsafe { self.switch_unrefused(value) })
    }

    /// [`switch`](Self::switch) without the question whether the coroutine can be suspended.
    ///
    /// # Safety
    ///
    /// The link is not null: see [`can_yield`](Self::can_yield).
    #[inline(always)]
    pub(crate) unsafe fn switch_unrefused(&self, value: Y) -> Arrival {
        let link = self.control.root.link.get();
        // SAFETY: a link that is not null is a consumer that waits for this coroutine (invariant 2), and takes YIELDED
        // with a Y (invariant 3).
        let arrival = unsafe { arch::suspend(link, YIELDED, encode(&value)) };
        mem::forget(value);
        self.woken(arrival.from);
        arrival
    }

    /// What a yield returns for the message that has come to it.
    ///
    /// # Safety
    ///
    /// It has woken this coroutine, whose link is its sender by now.
    #[inline(always)]
    pub(crate) unsafe fn received(&self, arrival: Arrival) -> Result<S, Thrown<E>> {
        if const { !fits_in_words::<S>() } {
            // SAFETY: the same contract.
            return unsafe { self.received_large(arrival) };
        }
        if arrival.kind <= NEXT {
            // SAFETY: VALUE and NEXT come with an S.
            return Ok(unsafe { decode(arrival.words) });
        }
        // SAFETY: the same contract.
        unsafe { self.understand(arrival) }.map(|(_, received)| received)
    }

    /// [`received`](Self::received) of a value that goes by its address. It is read in one place, whichever way the message has
    /// come: where two meet with a value on each, there would be one more copy. The other way is not for small ones: the message after
    /// an inspection takes room in the frame of each function with a yield.
    ///
    /// # Safety
    ///
    /// As for [`received`](Self::received).
    #[inline(always)]
    unsafe fn received_large(&self, arrival: Arrival) -> Result<S, Thrown<E>> {
        let Arrival { mut kind, mut words, .. } = arrival;
        if kind > THROW {
            core::hint::cold_path();
            if kind == INSPECT {
                // SAFETY: it is an INSPECT.
                let after = unsafe { self.inspected(words.first()) };
                (kind, words) = (after.kind, after.words);
            }
            if kind > THROW {
                // SAFETY: the word is what goes with the kind.
                return Err(unsafe { self.asked_to_leave(kind, words.first()) });
            }
        }
        if kind == THROW {
            // SAFETY: THROW comes with an E.
            return Err(Thrown::Error(unsafe { decode(words) }));
        }
        // SAFETY: VALUE and NEXT come with an S.
        Ok(unsafe { decode(words) })
    }

    /// [`received`](Self::received), and of what kind the value was.
    ///
    /// # Safety
    ///
    /// It has woken this coroutine, whose link is its sender by now.
    #[inline(always)]
    pub(super) unsafe fn understand(&self, arrival: Arrival) -> Result<(usize, S), Thrown<E>> {
        if arrival.kind <= NEXT {
            // SAFETY: VALUE and NEXT come with an S.
            Ok((arrival.kind, unsafe { decode(arrival.words) }))
        } else if arrival.kind == THROW {
            // SAFETY: THROW comes with an E.
            Err(Thrown::Error(unsafe { decode(arrival.words) }))
        } else {
            core::hint::cold_path();
            // SAFETY: the word is what goes with the kind.
            unsafe { self.not_a_value(arrival.kind, arrival.words.first()) }
        }
    }

    /// What a message says that is neither a value nor an error, or the first one after it that is not an inspection.
    ///
    /// # Safety
    ///
    /// The word is what goes with the kind.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn not_a_value(&self, kind: usize, word: Word) -> Result<(usize, S), Thrown<E>> {
        if kind != INSPECT {
            // SAFETY: by this function's contract.
            return Err(unsafe { self.asked_to_leave(kind, word) });
        }
        // SAFETY: it is an INSPECT; what comes after it has just come here.
        unsafe { self.understand(self.inspected(word)) }
    }

    /// Runs the inspection that has come, and what others come after it, and returns the first message that is none.
    ///
    /// # Safety
    ///
    /// The word is that of an INSPECT.
    #[cold]
    #[inline(never)]
    unsafe fn inspected(&self, mut word: Word) -> Arrival {
        loop {
            // SAFETY: INSPECT comes with the address of a call in the inspector's frame, which waits for the answer
            // (invariant 22). The link was renewed when this side was woken, and is that inspector.
            let arrival = unsafe {
                ParentCall::run(word);
                arch::suspend(self.control.root.link.get(), INSPECTED, Words::NONE)
            };
            self.woken(arrival.from);
            if arrival.kind != INSPECT {
                return arrival;
            }
            word = arrival.words.first();
        }
    }

    /// Whether a yield would suspend the coroutine, and not be refused.
    #[inline(always)]
    pub(crate) fn can_yield(&self) -> bool {
        !self.control.root.link.get().is_null() && (!thread::panicking() || self.control.was_woken_panicking())
    }

    /// Takes note of who has woken this coroutine.
    #[inline(always)]
    pub(super) fn woken(&self, from: StackPointer) {
        self.control.root.link.set(from);
        if thread::panicking() {
            core::hint::cold_path();
            self.control.set_woken_panicking();
        }
    }

    #[cold]
    #[inline(never)]
    fn refuse(&self, value: Y) -> Misuse {
        drop(value);
        self.why_refused()
    }

    pub(super) fn why_refused(&self) -> Misuse {
        if self.control.root.link.get().is_null() { Misuse::Delegating } else { Misuse::Panicking }
    }

    /// What an exit says, or an unwind, which does not return.
    ///
    /// # Safety
    ///
    /// The word is what goes with the kind.
    #[cold]
    #[inline(never)]
    unsafe fn asked_to_leave(&self, kind: usize, word: Word) -> Thrown<E> {
        if kind != EXIT && kind != UNWIND {
            unreachable!("message of kind {kind} at a yield");
        }
        // SAFETY: both come with the address of a closer, which lives until it is answered.
        let closer = unsafe { &*word.assume_init().cast::<Closer>() };
        self.control.answer(closer);
        if kind == UNWIND {
            unwind::raise(closer.unwind);
        }
        Thrown::Exit
    }

    /// Suspends the body like [`yield_`](Self::yield_), and returns what is sent as it is: for places where `?` cannot be
    /// used, such as a comparison function or somebody else's callback.
    ///
    /// When the coroutine is closed or dropped, or an error is thrown in, the stack unwinds up to the body's end, where
    /// the outcome is the same as if every function on the way had used `?`. Destructors run on the way, and
    /// `catch_unwind` sees the unwind as a panic (with no message printed); a body that stops it so goes on. Mutexes of
    /// std that are held are poisoned.
    ///
    /// # Panics
    ///
    /// To unwind, as said. Unwinding through frames of C aborts the process, and so does a destructor that panics on the
    /// way: where destructors yield, they should use [`yield_`](Self::yield_), which is refused then. With `panic=abort`
    /// nothing can unwind: a coroutine that is closed or dropped while it waits here is leaked, and an error thrown in
    /// aborts the process.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::Generator;
    ///
    /// let mut comparisons = Generator::<(u8, u8)>::new(|y| {
    ///     let mut items = [3, 1, 2];
    ///     items.sort_by(|a, b| {
    ///         y.yield_or_unwind((*a, *b));
    ///         a.cmp(b)
    ///     });
    ///     Ok(())
    /// });
    /// assert!(comparisons.next().is_some());
    /// drop(comparisons); // in the middle of the sort
    /// ```
    #[inline(always)]
    pub fn yield_or_unwind(&self, value: Y) -> S {
        match self.yield_(value) {
            Ok(received) => received,
            Err(thrown) => self.escape(thrown),
        }
    }

    /// Unwinds to the root of this coroutine, where `thrown` becomes its outcome.
    #[cold]
    #[inline(never)]
    pub(crate) fn escape(&self, thrown: Thrown<E>) -> ! {
        if !unwind::POSSIBLE {
            self.strand(&thrown);
        }
        // SAFETY: this coroutine is running, and its errors are E's.
        let cell = unsafe { unwind::escape_of::<E>(&self.control) };
        let id = unwind::new_id();
        self.control.set_pending(id);
        // What an earlier unwind has left here was caught on its way: it is dropped now.
        drop(cell.replace(Some(thrown)));
        unwind::raise(id)
    }

    /// What `escape` does where nothing can unwind.
    fn strand(&self, thrown: &Thrown<E>) -> ! {
        let Thrown::Exit = thrown else {
            report::abort("an error came to a yield_or_unwind in a program that cannot unwind");
        };
        loop {
            // SAFETY: whoever has sent the exit waits for this coroutine; STUCK needs no value. It is not woken again.
            unsafe { arch::suspend(self.control.root.link.get(), STUCK, Words::NONE) };
        }
    }

    /// Yields each of the items, as they come.
    ///
    /// # Errors
    ///
    /// As [`yield_`](Self::yield_); the iterator is dropped then. Besides, [`Misuse::Sent`] when a value is sent with
    /// `send` (Python's `AttributeError`): an iterator has no use for it. Values without a size can be sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::Generator;
    ///
    /// let items = Generator::new(|y| { y.yield_all(1..=3)?; y.yield_all([10, 20])?; Ok(()) });
    /// assert_eq!(items.collect::<Vec<_>>(), [1, 2, 3, 10, 20]);
    /// ```
    #[inline(always)]
    pub fn yield_all(&self, items: impl IntoIterator<Item = Y>) -> Result<(), Thrown<E>> {
        let mut items = items.into_iter();
        let end = loop {
            let Some(item) = items.next() else { break Ok(()) };
            let arrival = match self.switch(item) {
                Ok(arrival) => arrival,
                Err(misuse) => break Err(Thrown::Misuse(misuse)),
            };
            // SAFETY: it has just come here.
            match unsafe { self.understand(arrival) } {
                Ok((NEXT, _)) => {}
                Ok(_) if size_of::<S>() == 0 => {}
                Ok(_) => break Err(Thrown::Misuse(Misuse::Sent)),
                Err(thrown) => break Err(thrown),
            }
        };
        // By name: where a destructor panics on the way out, what is about to be returned would not be dropped.
        drop(items);
        end
    }

    /// Runs `f` on the stack of whoever resumed the coroutine, and returns what it returns.
    ///
    /// For code that needs more stack than the coroutine has. Nothing is suspended: the consumer knows nothing of it.
    /// `f` must be `Send` although it stays on this thread, so that it cannot have the yielder. If that gets there all the
    /// same (in a wrapper that is `Send` because it checks the thread), its yields are refused.
    ///
    /// # Panics
    ///
    /// When `f` does, with its payload.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::Generator;
    ///
    /// let mut generator = Generator::<String>::new(|y| {
    ///     let text = y.on_parent_stack(|| format!("{:?}", std::thread::current().id()));
    ///     y.yield_(text)?;
    ///     Ok(())
    /// });
    /// assert!(generator.next().is_some());
    /// ```
    pub fn on_parent_stack<T>(&self, f: impl FnOnce() -> T + Send) -> T {
        let link = self.control.root.link.get();
        if link.is_null() {
            // It delegates, or runs something there already: there is no stack of a consumer to be had from here.
            return f();
        }
        let mut f = Some(f);
        let mut result = None;
        let mut run = || {
            if let Some(f) = f.take() {
                result = Some(panic::catch_unwind(AssertUnwindSafe(f)));
            }
        };
        let call = ParentCall { run: &mut run };
        // The consumer is about to run, so its record is stale. `f` cannot have the yielder by itself, but types that are
        // `Send` because they check the thread can smuggle it in.
        self.control.root.link.set(StackPointer::NULL);
        // SAFETY: the consumer waits for this coroutine; CALL comes with the address of a ParentCall.
        let arrival = unsafe { arch::suspend(link, CALL, address_of(&call)) };
        debug_assert_eq!(arrival.kind, RAN);
        self.control.root.link.set(arrival.from);
        match result {
            Some(Ok(value)) => value,
            Some(Err(payload)) => panic::resume_unwind(payload),
            None => unreachable!("the consumer runs what it is asked to"),
        }
    }
}

/// What a body wants to be run on its consumer's stack, or an inspector on a body's.
pub(super) struct ParentCall<'a> {
    run: &'a mut dyn FnMut(),
}

impl<'a> ParentCall<'a> {
    /// A call of what catches its own panics.
    pub(super) fn new(run: &'a mut dyn FnMut()) -> Self {
        Self { run }
    }
}

impl ParentCall<'_> {
    /// # Safety
    ///
    /// `word` is the address of a `ParentCall` that nobody else uses until this returns.
    pub(super) unsafe fn run(word: Word) {
        // SAFETY: by this function's contract. The function catches its own panics.
        unsafe { ((*word.assume_init().cast::<ParentCall<'_>>()).run)() }
    }
}

impl<Y, S, E> core::fmt::Debug for Yielder<Y, S, E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Yielder").field(&self.control.describe()).finish()
    }
}
