//! Work that blocks its thread, beside the workers.

use super::guard::guarded;
use super::slot::put;
use super::status::Status;
use super::wait::{FOREVER, limit, why};
use crate::scheduler::{offload, offload_until};
use core::ffi::c_void;
use core::mem;
use core::ptr;

/// `swb_blocking`.
type Blocking = unsafe extern "C-unwind" fn(data: *mut c_void) -> usize;

/// `swb_abandoned`.
type Abandoned = unsafe extern "C-unwind" fn(data: *mut c_void, has_run: i32, value: usize);

/// # Safety
///
/// The header asks for a function that may be called so, on any thread (invariant 41).
unsafe fn call(function: Blocking, data: usize) -> usize {
    // SAFETY: by this function's contract.
    unsafe { function(ptr::with_exposed_provenance_mut(data)) }
}

/// The data of a call that may be cut short. Whoever drops this, because nobody takes it, says so.
struct Owned {
    data: usize,
    abandoned: Abandoned,
    value: Option<usize>,
}

impl Owned {
    /// The caller has its data back, and what the function has returned.
    fn into_value(self) -> usize {
        let value = self.value.unwrap_or(0);
        mem::forget(self);
        value
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let data = ptr::with_exposed_provenance_mut(self.data);
        // SAFETY: by the caller's word (invariant 41): it may be called on any thread, once.
        unsafe { (self.abandoned)(data, i32::from(self.value.is_some()), self.value.unwrap_or(0)) };
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_offload(
    function: Option<Blocking>,
    data: *mut c_void,
    abandoned: Option<Abandoned>,
    timeout: u64,
    result: *mut usize,
) -> Status {
    guarded(|| {
        let Some(function) = function else { return Status::Invalid };
        let data = data.expose_provenance();
        let value = match abandoned {
            None if timeout != FOREVER => return Status::Invalid,
            // SAFETY: by the caller's word (invariant 41).
            None => offload(|| unsafe { call(function, data) }),
            Some(abandoned) => {
                let mut owned = Owned { data, abandoned, value: None };
                let done = offload_until(limit(timeout), move || {
                    // SAFETY: as above.
                    owned.value = Some(unsafe { call(function, owned.data) });
                    owned
                });
                match done {
                    Ok(owned) => owned.into_value(),
                    Err(stopped) => return why(&stopped),
                }
            }
        };
        // SAFETY: as above.
        unsafe { put(result, value) };
        Status::Ok
    })
}
