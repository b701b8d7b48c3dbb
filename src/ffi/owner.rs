//! What whoever has a coroutine may do with it.

use super::guard::{guarded, refuse};
use super::options::{self, CoroutineOptions};
use super::slot::{self, Co, End, Error, Handle, Slot, Yield, find_mine, find_suspended, put};
use super::status::Status;
use crate::arch::{Arrival, StackPointer, Word, Words};
use crate::coroutine::{RESUME, SEND};
use crate::stack::ProvidedStack;
use crate::{Builder, CloseError, CoroutineState, SendError, State, Thrown};
use core::ffi::c_void;
use core::ptr::NonNull;

/// `swb_body`. What unwinds out of it, a C++ exception for instance, ends the process with a message, at the coroutine's root.
type Body = unsafe extern "C-unwind" fn(this: Handle, data: *mut c_void, result: *mut usize) -> i32;

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_create(
    handle: *mut Handle,
    body: Option<Body>,
    data: *mut c_void,
    options: *const CoroutineOptions,
) -> Status {
    guarded(|| {
        let (Some(body), false) = (body, handle.is_null()) else { return Status::Invalid };
        // SAFETY: by the caller's word (invariant 41).
        let created = unsafe { options::read(options) }.and_then(|options| unsafe { create(body, data, &options) });
        match created {
            Ok(created) => {
                // SAFETY: it is not null, and may be written.
                unsafe { handle.write(created) };
                Status::Ok
            }
            Err(status) => status,
        }
    })
}

/// # Safety
///
/// The pointers in the options are what the header asks for.
unsafe fn create(body: Body, data: *mut c_void, options: &CoroutineOptions) -> Result<Handle, Status> {
    let mut builder = Builder::new();
    // SAFETY: by this function's contract.
    if let Some(name) = unsafe { options::name(options.name) } {
        builder = builder.name(name);
    }
    if let Some(stack) = NonNull::new(options.stack.cast::<u8>()) {
        if stack.addr().get().checked_add(options.stack_size).is_none() {
            return Err(refuse(Status::Invalid, "the stack that was given goes beyond the end of memory"));
        }
        // SAFETY: by this function's contract the memory is there, unused, and large enough for what runs on it.
        builder = builder.stack(unsafe { ProvidedStack::new(stack, options.stack_size) });
    } else if options.stack_size != 0 {
        builder = builder.stack_size(options.stack_size);
    }
    Slot::take(|slot, handle| {
        let body = move |yielder: &Yield| run(slot, handle, yielder, body, data);
        builder.create_throwing(body).map_err(|error| refuse(Status::NoStack, &error.error().to_string()))
    })
}

/// A body, on its own stack.
fn run(
    slot: &'static Slot,
    handle: Handle,
    yielder: &Yield,
    body: Body,
    data: *mut c_void,
) -> Result<usize, Thrown<Error>> {
    slot.yielder.set(yielder);
    let mut result = 0;
    // SAFETY: the header asks for a function that may be called so, once, on this thread (invariant 41).
    let status = unsafe { body(handle, data, &raw mut result) };
    slot.has_left();
    const OK: i32 = Status::Ok as i32;
    const RETURNED: i32 = Status::Returned as i32;
    const EXIT: i32 = Status::Exit as i32;
    const THROWN: i32 = Status::Thrown as i32;
    match status {
        OK | RETURNED => Ok(result),
        EXIT => Err(Thrown::Exit),
        THROWN => Err(Thrown::Error(slot.error.get())),
        code => Err(Thrown::Error(Error { code, ..Error::NONE })),
    }
}

/// Resumes a coroutine by `resume`, and says what came of it.
///
/// # Safety
///
/// The handle is null or was once given out; `out` is null or may be written (invariant 41).
unsafe fn resume_by<S>(
    handle: Handle,
    out: *mut usize,
    resume: impl FnOnce(&mut Co) -> Result<CoroutineState<usize, usize>, SendError<S, Error>>,
) -> Status {
    guarded(|| {
        // SAFETY: by this function's contract.
        let slot = match unsafe { find_mine(handle) } {
            Ok(slot) => slot,
            Err(status) => return status,
        };
        match slot.borrow(|co| co.as_mut().map(resume)) {
            // SAFETY: as above.
            Ok(Some(resumed)) => unsafe { tell(slot, resumed, out) },
            Ok(None) => Status::Finished,
            Err(status) => status,
        }
    })
}

/// What came of a resume.
///
/// # Safety
///
/// `out` is null or may be written (invariant 41).
unsafe fn tell<S>(
    slot: &Slot,
    resumed: Result<CoroutineState<usize, usize>, SendError<S, Error>>,
    out: *mut usize,
) -> Status {
    match resumed {
        Ok(CoroutineState::Yielded(value)) => {
            // SAFETY: by this function's contract.
            unsafe { put(out, value) };
            Status::Yielded
        }
        Ok(CoroutineState::Complete(value)) => {
            slot.end.set(End::Returned(value));
            // SAFETY: as above.
            unsafe { put(out, value) };
            Status::Returned
        }
        Err(SendError::Thrown(thrown)) => ended_with(slot, thrown),
        Err(refused) => Status::of_refusal(&refused),
    }
}

/// Resumes a coroutine that is suspended with `value`, and says what came of it. `None` if it is not, or not the calling
/// thread's: then nothing has happened.
///
/// # Safety
///
/// As for [`resume_by`]; `kind` is one for [`Block::wake`](crate::coroutine::Block::wake).
#[inline(always)]
unsafe fn wake(handle: Handle, kind: usize, value: usize, out: *mut usize) -> Option<Status> {
    // SAFETY: by this function's contract.
    let (slot, parked) = unsafe { find_suspended(handle) }?;
    // SAFETY: it is parked there, and made for words.
    Some(match unsafe { slot.block.get().wake(parked, kind, value) } {
        Ok(value) => {
            // SAFETY: by this function's contract.
            unsafe { put(out, value) };
            Status::Yielded
        }
        // SAFETY: as above, and it is what has come.
        Err(arrival) => unsafe { swb_inline_resumed_3(handle, arrival.kind, arrival.words.first(), arrival.from, out) },
    })
}

/// What has come of a resume by [`wake`], or by the functions of `switchback_inline.h`, if it is not a yield.
///
/// # Safety
///
/// `handle` is of the coroutine that was resumed, and has answered so.
#[cold]
#[unsafe(no_mangle)]
unsafe extern "C" fn swb_inline_resumed_3(
    handle: Handle,
    kind: usize,
    word: Word,
    from: StackPointer,
    out: *mut usize,
) -> Status {
    guarded(|| {
        // SAFETY: by the caller's word (invariant 41).
        let slot = match unsafe { find_mine(handle) } {
            Ok(slot) => slot,
            Err(status) => return status,
        };
        let received = slot.borrow(|co| {
            // SAFETY: it was resumed on this thread, and this is what it has answered.
            let received = unsafe { co.as_mut()?.receive(Arrival { kind, words: Words::only(word), from }) };
            Some(received.map_err(SendError::<(), _>::Thrown))
        });
        match received {
            // SAFETY: by the caller's word.
            Ok(Some(received)) => unsafe { tell(slot, received, out) },
            Ok(None) => Status::Finished,
            Err(status) => status,
        }
    })
}

/// The coroutine has ended, and not by returning.
#[cold]
pub(super) fn ended_with(slot: &Slot, thrown: Thrown<Error>) -> Status {
    let status = match thrown {
        Thrown::Exit => Status::Exit,
        Thrown::Error(error) => {
            slot.error.set(error);
            Status::Thrown
        }
        Thrown::Misuse(misuse) => Status::of_misuse(misuse),
    };
    slot.end.set(End::With(status));
    slot.has_left();
    status
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_start(handle: Handle, out: *mut usize) -> Status {
    // SAFETY: by the caller's word (invariant 41).
    unsafe { resume_by(handle, out, |co| co.start()) }
}

/// # Safety
///
/// As for [`resume_by`].
#[cold]
#[inline(never)]
unsafe fn resume_slow(handle: Handle, out: *mut usize) -> Status {
    // SAFETY: the same contract.
    unsafe { resume_by(handle, out, |co| co.resume()) }
}

/// # Safety
///
/// As for [`resume_by`].
#[cold]
#[inline(never)]
unsafe fn send_slow(handle: Handle, value: usize, out: *mut usize) -> Status {
    // SAFETY: the same contract.
    unsafe { resume_by(handle, out, |co| co.send(value)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_resume(handle: Handle, out: *mut usize) -> Status {
    // SAFETY: as above.
    unsafe { wake(handle, RESUME, 0, out).unwrap_or_else(|| resume_slow(handle, out)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_send(handle: Handle, value: usize, out: *mut usize) -> Status {
    // SAFETY: as above.
    unsafe { wake(handle, SEND, value, out).unwrap_or_else(|| send_slow(handle, value, out)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_throw(handle: Handle, code: i32, data: *mut c_void, out: *mut usize) -> Status {
    // SAFETY: as above.
    unsafe { resume_by(handle, out, |co| co.throw(Error { code, data })) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_throw_exit(handle: Handle, out: *mut usize) -> Status {
    // SAFETY: as above.
    unsafe { resume_by(handle, out, |co| co.throw_exit()) }
}

/// Closes the coroutine, and says what came of it, with the value that it has returned or yielded.
fn close(slot: &'static Slot) -> Result<(Status, Option<usize>), Status> {
    let closed = slot.borrow(|co| {
        if co.as_ref().is_some_and(Co::is_abandoned) {
            return Err(CloseError::Leaked);
        }
        co.as_mut().map_or(Ok(None), Co::close)
    })?;
    let ended = |status| {
        slot.has_left();
        if let End::NotYet = slot.end.get() {
            slot.end.set(status);
        }
    };
    Ok(match closed {
        Ok(Some(value)) => {
            ended(End::Returned(value));
            (Status::Returned, Some(value))
        }
        Ok(None) => {
            ended(End::With(Status::Exit));
            (Status::Ok, None)
        }
        Err(CloseError::Ignored(value)) => (Status::Ignored, Some(value)),
        Err(CloseError::Error(error)) => (ended_with(slot, Thrown::Error(error)), None),
        Err(CloseError::Misuse(misuse)) => (ended_with(slot, Thrown::Misuse(misuse)), None),
        Err(CloseError::Running) => return Err(Status::Running),
        Err(CloseError::Leaked) => (Status::Abandoned, None),
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_close(handle: Handle, out: *mut usize) -> Status {
    // SAFETY: by the caller's word (invariant 41).
    guarded(|| match unsafe { find_mine(handle) }.and_then(close) {
        Ok((status, value)) => {
            if let Some(value) = value {
                // SAFETY: as above.
                unsafe { put(out, value) };
            }
            status
        }
        Err(status) => status,
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_destroy(handle: Handle) -> Status {
    guarded(|| {
        // SAFETY: by the caller's word (invariant 41).
        let slot = match unsafe { find_mine(handle) } {
            Ok(slot) => slot,
            Err(status) => return status,
        };
        let status = match close(slot) {
            Ok((Status::Returned, _)) => Status::Ok,
            Ok((status, _)) => status,
            Err(status) => return status,
        };
        let taken = slot.borrow(Option::take);
        match (taken, status) {
            (Err(status), _) => return status,
            // Dropped, it would be unwound (invariant 45).
            (Ok(Some(co)), Status::Ignored) => co.leak(),
            (Ok(co), _) => drop(co),
        }
        slot.give_back();
        status
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_destroy_discard(handle: Handle) -> Status {
    guarded(|| {
        // SAFETY: by the caller's word (invariant 41).
        let slot = match unsafe { find_mine(handle) } {
            Ok(slot) => slot,
            Err(status) => return status,
        };
        let taken = slot.borrow(|co| match co.as_ref().map(Co::state) {
            Some(State::Running) => Err(Status::Running),
            _ => Ok(co.take()),
        });
        match taken {
            Err(status) | Ok(Err(status)) => return status,
            // SAFETY: the header says what the caller of this answers for; it does not run.
            Ok(Ok(Some(co))) => unsafe { co.discard_frames() },
            Ok(Ok(None)) => {}
        }
        if let Some(delegate) = slot.delegate.take() {
            delegate.is_given_back();
        }
        slot.give_back();
        Status::Ok
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_state(handle: Handle) -> i32 {
    // SAFETY: by the caller's word (invariant 41).
    let Ok(slot) = (unsafe { find_mine(handle) }) else { return 0 };
    match slot.borrow(|co| co.as_ref().map_or(State::Finished, Co::state)) {
        Ok(State::Created) => 1,
        Ok(State::Suspended) => 2,
        Ok(State::Running) | Err(_) => 3,
        Ok(State::Finished) => 4,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_result(handle: Handle, value: *mut usize) -> Status {
    // SAFETY: by the caller's word (invariant 41).
    match unsafe { find_mine(handle) } {
        Ok(slot) => match slot.end.get() {
            End::NotYet => Status::Unfinished,
            End::Returned(returned) => {
                // SAFETY: as above.
                unsafe { put(value, returned) };
                Status::Returned
            }
            End::With(status) => status,
        },
        Err(status) => status,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_thrown(handle: Handle, error: *mut Error) -> Status {
    // SAFETY: by the caller's word (invariant 41).
    match unsafe { find_mine(handle) } {
        Ok(slot) => {
            // SAFETY: as above.
            unsafe { put(error, slot.error.get()) };
            Status::Ok
        }
        Err(status) => status,
    }
}

#[unsafe(no_mangle)]
extern "C" fn swb_current() -> Handle {
    slot::current().map_or(core::ptr::null_mut(), Slot::handle)
}
