//! The C API: what `include/switchback.h` declares, in the same order and with its own documentation there.
//!
//! | question | file |
//! |---|---|
//! | what do calls return, and where is the text of an error? | `status.rs`, `guard.rs` |
//! | what is a handle of a coroutine, and how is a stale one told? | `slot.rs` |
//! | what may the owner of a coroutine do? and its body? | `owner.rs`, `body.rs` |
//! | what is a handle of what threads share? | `table.rs` |
//! | tasks, and how they wait | `task.rs`, `wait.rs` |
//! | channels, mutexes, the suspension primitive | `channel.rs`, `mutex.rs`, `resumer.rs` |
//! | waiting for descriptors | `descriptor.rs` |
//! | work that blocks its thread | `offload.rs` |
//!
//! No panic and no unwind crosses a frame of C: every function catches ([`guard::guarded`]), and bodies are told of a throw, an exit
//! and a cancellation by the status that their call returns (invariants 41 to 45 of docs/SAFETY.md).

mod body;
mod channel;
#[cfg(unix)]
mod descriptor;
mod guard;
mod mutex;
mod offload;
mod options;
mod owner;
mod resumer;
mod slot;
mod status;
mod table;
mod task;
mod wait;

use core::ffi::{c_char, c_void};

/// `SWB_VERSION_*` of the header: a test compares the two.
const VERSION: u32 = {
    const fn number(text: &str) -> u32 {
        let (mut bytes, mut value) = (text.as_bytes(), 0);
        while let [digit, rest @ ..] = bytes {
            value = value * 10 + (*digit - b'0') as u32;
            bytes = rest;
        }
        value
    }
    let [major, minor, patch] =
        [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")];
    number(major) * 10_000 + number(minor) * 100 + number(patch)
};

#[unsafe(no_mangle)]
extern "C" fn swb_version() -> u32 {
    VERSION
}

#[unsafe(no_mangle)]
extern "C" fn swb_status_string(status: i32) -> *const c_char {
    status::words(status).as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn swb_last_error() -> *const c_char {
    guard::last_error()
}

/// What reports are given to.
type ReportHook = unsafe extern "C-unwind" fn(data: *mut c_void, text: *const c_char);

#[unsafe(no_mangle)]
extern "C" fn swb_set_report_hook(hook: Option<ReportHook>, data: *mut c_void) -> status::Status {
    let data = data.expose_provenance();
    guard::guarded(|| {
        match hook {
            None => crate::coroutine::unset_report_hook(),
            Some(hook) => crate::set_report_hook(move |report| {
                let text = guard::c_string(&report.to_string());
                // SAFETY: the header asks for a function that may be called so, on any thread (invariant 41).
                unsafe { hook(core::ptr::with_exposed_provenance_mut(data), text.as_ptr()) };
            }),
        }
        status::Status::Ok
    })
}
