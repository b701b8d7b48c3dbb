//! What Valgrind is told of stacks, with the feature `valgrind` on Linux.
//!
//! Valgrind watches the stack pointer: what it moves over comes to life or dies. A switch between two stacks looks to it
//! like a very large frame that is pushed or popped, unless it knows that both are stacks. So each one is registered,
//! those of the threads among them.
//!
//! A *client request* is a run of instructions that does nothing on a CPU, with which Valgrind is spoken to
//! (`valgrind.h`, `VALGRIND_DO_CLIENT_REQUEST_EXPR`; the numbers are part of its ABI). They are written out here, for the
//! crates that bind them need Valgrind's headers and a C compiler wherever this crate is built.

use core::arch::asm;
use core::ptr::NonNull;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// `VG_USERREQ__STACK_REGISTER`: of the lowest and the highest byte; returns an id.
const STACK_REGISTER: usize = 0x1501;
/// `VG_USERREQ__STACK_DEREGISTER`: of an id.
const STACK_DEREGISTER: usize = 0x1502;
/// `VG_USERREQ__MAKE_MEM_DEFINED`, memcheck's: of an address and a length.
const MAKE_MEM_DEFINED: usize = memchecks(2);
/// `VG_USERREQ__ENABLE_ADDR_ERROR_REPORTING_IN_RANGE`, and `..DISABLE..`, likewise.
const ENABLE_ADDR_ERRORS: usize = memchecks(13);
const DISABLE_ADDR_ERRORS: usize = memchecks(14);

/// The number of memcheck's `n`-th request (`memcheck.h`).
const fn memchecks(n: usize) -> usize {
    ((b'M' as usize) << 24) + ((b'C' as usize) << 16) + n
}

/// The ids of the stacks that are registered, by lowest byte.
static REGISTERED: Mutex<BTreeMap<usize, usize>> = Mutex::new(BTreeMap::new());

/// Makes the bytes from `limit` up to `top` known as a stack.
pub(super) fn register(limit: *const u8, top: NonNull<u8>) {
    thread_local! {
        static THREAD: ThreadStack = ThreadStack::register();
    }
    // Fails when the thread is ending; what is registered for it then is registered no more.
    THREAD.try_with(|_| {}).unwrap_or(());
    add(limit.addr(), top.addr().get());
}

/// Makes it unknown again: the memory is about to be somebody else's.
pub(super) fn unregister(limit: *const u8) {
    remove(limit.addr());
}

/// The bytes from `limit` up to `top` are free to be written, by whoever gets the stack next. Frames that have been popped
/// are out of bounds for memcheck, and where they were the next coroutine's closure may be.
pub(super) fn released(limit: *const u8, top: *const u8) {
    request(MAKE_MEM_DEFINED, limit.addr(), top.addr() - limit.addr());
}

/// Calls `look`, which may read what is out of bounds between `limit` and `top`.
pub(super) fn looking<T>(limit: *const u8, top: *const u8, look: impl FnOnce() -> T) -> T {
    request(DISABLE_ADDR_ERRORS, limit.addr(), top.addr() - limit.addr());
    let seen = look();
    request(ENABLE_ADDR_ERRORS, limit.addr(), top.addr() - limit.addr());
    seen
}

fn add(limit: usize, top: usize) {
    let id = request(STACK_REGISTER, limit, top - 1);
    let before = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).insert(limit, id);
    if let Some(id) = before {
        // It was leaked, and unmapped all the same.
        request(STACK_DEREGISTER, id, 0);
    }
}

fn remove(limit: usize) {
    if let Some(id) = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).remove(&limit) {
        request(STACK_DEREGISTER, id, 0);
    }
}

/// The stack of a thread. Valgrind knows that of the main thread only.
struct ThreadStack {
    limit: usize,
}

impl ThreadStack {
    fn register() -> Self {
        let (limit, top) = bounds_of_this_thread();
        add(limit, top);
        Self { limit }
    }
}

impl Drop for ThreadStack {
    fn drop(&mut self) {
        remove(self.limit);
    }
}

/// The lowest address of this thread's stack, and the one above the highest.
fn bounds_of_this_thread() -> (usize, usize) {
    let mut attributes = core::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut limit = core::ptr::null_mut();
    let mut size = 0;
    // SAFETY: the attributes are written by the first call, read by the second, and destroyed once.
    let status = unsafe {
        let status = libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr());
        if status == 0 {
            libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut limit, &raw mut size);
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
        }
        status
    };
    assert_eq!(status, 0, "pthread_getattr_np");
    (limit.addr(), limit.addr() + size)
}

/// Asks Valgrind, and returns its answer, or 0 where there is none to ask.
fn request(code: usize, first: usize, second: usize) -> usize {
    let arguments = [code, first, second, 0, 0, 0];
    let answer: usize;
    // SAFETY: four rotations that come to nothing, and an exchange of a register with itself. Valgrind reads six words at
    // rax and answers in rdx.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") &raw const arguments,
            inlateout("rdx") 0_usize => answer,
            inlateout("rdi") 0_usize => _,
        );
    }
    // SAFETY: the same on aarch64: x4 is read, and x3 answers.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "ror x12, x12, #3",
            "ror x12, x12, #13",
            "ror x12, x12, #51",
            "ror x12, x12, #61",
            "orr x10, x10, x10",
            inlateout("x3") 0_usize => answer,
            in("x4") &raw const arguments,
            inlateout("x12") 0_usize => _,
        );
    }
    answer
}
