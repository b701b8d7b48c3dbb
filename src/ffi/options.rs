//! Options: structs that begin with their own size, so that they can get longer.

use super::guard::refuse;
use super::status::Status;
use core::ffi::{CStr, c_char, c_void};
use core::mem::MaybeUninit;
use core::ptr;

/// Longer ones than this are not from any version of the header: what they say is their size is something else.
const LONGEST: usize = 4_096;

/// A struct that begins with a `size_t` of its size, and of which all zeros is a value.
///
/// # Safety
///
/// It is `repr(C)`, its first field is a `usize`, and any bytes are a value of it.
pub(super) unsafe trait Options: Copy {
    /// The size that it had in the first version of the header.
    const FIRST: usize;
}

/// `swb_options`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct CoroutineOptions {
    pub(super) size: usize,
    pub(super) stack_size: usize,
    pub(super) name: *const c_char,
    pub(super) stack: *mut c_void,
}

// SAFETY: as it says; integers and raw pointers may have any bytes.
unsafe impl Options for CoroutineOptions {
    const FIRST: usize = size_of::<Self>();
}

/// `swb_task_options`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct TaskOptions {
    pub(super) size: usize,
    pub(super) stack_size: usize,
    pub(super) name: *const c_char,
    pub(super) pinned: i32,
}

// SAFETY: as above.
unsafe impl Options for TaskOptions {
    const FIRST: usize = size_of::<Self>();
}

/// `swb_run_options`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct RunOptions {
    pub(super) size: usize,
    pub(super) workers: usize,
    pub(super) stack_size: usize,
    pub(super) main_stack_size: usize,
    pub(super) grace: u64,
    pub(super) virtual_clock: i32,
    pub(super) offload_threads: usize,
}

// SAFETY: as above.
unsafe impl Options for RunOptions {
    const FIRST: usize = size_of::<Self>();
}

/// The caller's options, all zeros where it gives none. What a later version has added must be zero here.
///
/// # Safety
///
/// `options` is null, or begins with its size and is that long (invariant 41).
pub(super) unsafe fn read<T: Options>(options: *const T) -> Result<T, Status> {
    let mut value = MaybeUninit::<T>::zeroed();
    if !options.is_null() {
        // SAFETY: the size comes first.
        let size = unsafe { options.cast::<usize>().read() };
        if size < T::FIRST || size > LONGEST {
            return Err(refuse(Status::Invalid, "the options' size is none of theirs: use the header's initializer"));
        }
        let known = size.min(size_of::<T>());
        // SAFETY: the caller's struct is that long, and so is ours.
        unsafe { ptr::copy_nonoverlapping(options.cast::<u8>(), value.as_mut_ptr().cast::<u8>(), known) };
        // SAFETY: the rest of the caller's struct.
        let rest = (known..size).map(|at| unsafe { options.cast::<u8>().add(at).read() });
        if rest.into_iter().any(|byte| byte != 0) {
            return Err(refuse(Status::Invalid, "an option is set that this version does not know"));
        }
    }
    // SAFETY: all zeros is a value, and so is what was copied.
    Ok(unsafe { value.assume_init() })
}

/// A name, copied.
///
/// # Safety
///
/// `name` is null, or a string of C (invariant 41).
pub(super) unsafe fn name(name: *const c_char) -> Option<Box<str>> {
    if name.is_null() {
        return None;
    }
    // SAFETY: by this function's contract.
    Some(unsafe { CStr::from_ptr(name) }.to_string_lossy().into())
}
