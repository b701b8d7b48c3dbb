//! Where panics of ours stop, and the text of what a thread was last refused.
#![forbid(unsafe_code)]

use super::status::Status;
use core::cell::RefCell;
use core::ffi::c_char;
use std::ffi::{CStr, CString};
use std::panic::{self, AssertUnwindSafe};

thread_local! {
    /// What `swb_last_error` returns.
    static LAST: RefCell<CString> = RefCell::new(CString::default());
}

/// `text` up to its first zero.
pub(super) fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// Keeps `text` for `swb_last_error`, and returns the status.
#[cold]
pub(super) fn refuse(status: Status, text: &str) -> Status {
    // At the very end of a thread there is no place for it any more.
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            *last = c_string(text);
        }
    });
    status
}

/// The last text, for as long as the thread keeps no other.
pub(super) fn last_error() -> *const c_char {
    LAST.try_with(|last| last.try_borrow().map_or(c"".as_ptr(), |last| last.as_ptr()))
        .unwrap_or(<&CStr>::default().as_ptr())
}

/// Calls what a function of the API does, and makes a status of its panic.
#[inline(always)]
pub(super) fn guarded(f: impl FnOnce() -> Status) -> Status {
    match panic::catch_unwind(AssertUnwindSafe(f)) {
        Ok(status) => status,
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            let status = refuse(Status::Panic, text.unwrap_or("a panic without a text"));
            // Its destructor may panic as well.
            core::mem::forget(payload);
            status
        }
    }
}
