//! What a body may do, from its own stack.

use super::guard::guarded;
use super::owner::ended_with;
use super::slot::{End, Error, Handle, Slot, find_mine, find_self, put};
use super::status::Status;
use crate::Thrown;
use crate::arch::{Word, Words};
use core::ffi::c_void;

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_yield(handle: Handle, value: usize, sent: *mut usize) -> Status {
    guarded(|| {
        // SAFETY: by the caller's word (invariant 41).
        let (slot, yielder) = match unsafe { find_self(handle) } {
            Ok(found) => found,
            Err(status) => return status,
        };
        match yielder.yield_(value) {
            Ok(value) => {
                // SAFETY: as above.
                unsafe { put(sent, value) };
                Status::Ok
            }
            Err(thrown) => told(slot, thrown),
        }
    })
}

/// What has come to a yield by the functions of `switchback_inline.h`, if it is not a value.
///
/// # Safety
///
/// `handle` is of the calling body, which was woken so, and has noted its new consumer.
#[cold]
#[unsafe(no_mangle)]
unsafe extern "C" fn swb_inline_woken_3(
    handle: Handle,
    kind: usize,
    word: Word,
    second: Word,
    sent: *mut usize,
) -> Status {
    guarded(|| {
        // SAFETY: by the caller's word (invariant 41).
        let (slot, yielder) = match unsafe { find_self(handle) } {
            Ok(found) => found,
            Err(status) => return status,
        };
        // SAFETY: it is what has come.
        match unsafe { yielder.told(kind, Words::two(word, second)) } {
            Ok(value) => {
                // SAFETY: by the caller's word.
                unsafe { put(sent, value) };
                Status::Ok
            }
            Err(thrown) => told(slot, thrown),
        }
    })
}

/// What a body is told instead of a value.
#[cold]
fn told(slot: &Slot, thrown: Thrown<Error>) -> Status {
    match thrown {
        Thrown::Exit => Status::Exit,
        Thrown::Error(error) => {
            slot.error.set(error);
            Status::Thrown
        }
        Thrown::Misuse(misuse) => Status::of_misuse(misuse),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_yield_from(handle: Handle, inner: Handle, result: *mut usize) -> Status {
    guarded(|| {
        // SAFETY: by the caller's word (invariant 41).
        let (slot, yielder) = match unsafe { find_self(handle) } {
            Ok(found) => found,
            Err(status) => return status,
        };
        // SAFETY: as above.
        let delegate = match unsafe { find_mine(inner) } {
            Ok(found) => found,
            Err(status) => return status,
        };
        let ended = delegate.borrow(|co| {
            let co = co.as_mut().ok_or(Thrown::Misuse(crate::Misuse::Finished))?;
            slot.delegate.set(Some(delegate));
            let ended = yielder.yield_from(co);
            slot.delegate.set(None);
            // An exit that `inner` answered by returning a value is an exit here, and the value is lost, as in Python.
            if co.state() == crate::State::Finished && !matches!(ended, Err(Thrown::Misuse(_))) {
                note_end(delegate, &ended);
            }
            ended
        });
        match ended {
            Ok(Ok(value)) => {
                // SAFETY: as above.
                unsafe { put(result, value) };
                Status::Ok
            }
            Ok(Err(thrown)) => told(slot, thrown),
            Err(status) => status,
        }
    })
}

fn note_end(delegate: &Slot, ended: &Result<usize, Thrown<Error>>) {
    match *ended {
        Ok(value) => delegate.end.set(End::Returned(value)),
        Err(thrown) => drop(ended_with(delegate, thrown)),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_raise(handle: Handle, code: i32, data: *mut c_void) -> Status {
    // SAFETY: by the caller's word (invariant 41).
    match unsafe { find_self(handle) } {
        Ok((slot, _)) => {
            slot.error.set(Error { code, data });
            Status::Thrown
        }
        Err(status) => status,
    }
}
