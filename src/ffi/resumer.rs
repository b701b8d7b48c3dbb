//! The suspension primitive: a wait for what anybody may send.

use super::guard::guarded;
use super::slot::{Error, put};
use super::status::Status;
use super::table::Table;
use super::wait::{Shared, limit, why};
use crate::scheduler::{Resumer, suspend_until};
use core::ffi::c_void;
use core::ptr;
use parking_lot::Mutex;
use std::sync::Arc;

/// What a suspended task is sent.
enum Message {
    Value(usize),
    Error(i32, usize),
    /// Its resumer was dropped.
    Nobody,
}

/// A resumer is used once.
static RESUMERS: Table<Mutex<Option<Resumer<Message>>>> = Table::new();

/// `swb_register`.
type Register = unsafe extern "C-unwind" fn(resumer: Shared, data: *mut c_void);

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_suspend(
    register: Option<Register>,
    data: *mut c_void,
    timeout: u64,
    value: *mut usize,
    error: *mut Error,
) -> Status {
    guarded(|| {
        let Some(register) = register else { return Status::Invalid };
        let waited = suspend_until(limit(timeout), false, |resumer: Resumer<Message>| {
            if let Some(number) = RESUMERS.insert(Arc::new(Mutex::new(Some(resumer)))) {
                // SAFETY: the header asks for a function that may be called so (invariant 41).
                unsafe { register(ptr::without_provenance_mut(number), data) };
            }
        });
        match waited {
            Ok(Message::Value(sent)) => {
                // SAFETY: by the caller's word (invariant 41).
                unsafe { put(value, sent) };
                Status::Ok
            }
            Ok(Message::Error(code, data)) => {
                // SAFETY: as above.
                unsafe { put(error, Error { code, data: ptr::with_exposed_provenance_mut(data) }) };
                Status::Thrown
            }
            Ok(Message::Nobody) => Status::Closed,
            Err(stopped) => why(&stopped),
        }
    })
}

fn resume(handle: Shared, message: Message) -> Status {
    guarded(|| {
        let taken = RESUMERS.remove(handle.addr()).and_then(|resumer| resumer.lock().take());
        match taken.map(|resumer| resumer.send(message)) {
            Some(Ok(())) => Status::Ok,
            Some(Err(_)) => Status::Closed,
            None => Status::Invalid,
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn swb_resumer_send(handle: Shared, value: usize) -> Status {
    resume(handle, Message::Value(value))
}

#[unsafe(no_mangle)]
extern "C" fn swb_resumer_throw(handle: Shared, code: i32, data: *mut c_void) -> Status {
    resume(handle, Message::Error(code, data.expose_provenance()))
}

#[unsafe(no_mangle)]
extern "C" fn swb_resumer_drop(handle: Shared) -> Status {
    resume(handle, Message::Nobody)
}
