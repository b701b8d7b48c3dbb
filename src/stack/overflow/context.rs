//! Where the stack pointer was when a signal came.

use core::ffi::c_void;

/// The interrupted stack pointer, or `None` where the shape of the context is not known.
///
/// # Safety
///
/// `context` is the third argument of a signal handler.
pub(super) unsafe fn stack_pointer(context: *mut c_void) -> Option<usize> {
    // SAFETY: by this function's contract.
    let context = unsafe { context.cast::<libc::ucontext_t>().as_ref() }?;
    #[cfg(all(any(target_os = "linux", target_os = "android"), target_arch = "x86_64"))]
    let pointer = context.uc_mcontext.gregs[libc::REG_RSP as usize];
    #[cfg(all(any(target_os = "linux", target_os = "android"), target_arch = "x86"))]
    let pointer = context.uc_mcontext.gregs[libc::REG_ESP as usize];
    #[cfg(all(any(target_os = "linux", target_os = "android"), target_arch = "aarch64"))]
    let pointer = context.uc_mcontext.sp;
    #[cfg(all(any(target_os = "linux", target_os = "android"), target_arch = "arm"))]
    let pointer = context.uc_mcontext.arm_sp;
    #[cfg(all(target_os = "linux", target_arch = "riscv64"))]
    let pointer = context.uc_mcontext.__gregs[libc::REG_SP];
    #[cfg(all(target_os = "linux", target_arch = "loongarch64"))]
    let pointer = context.uc_mcontext.__gregs[3];
    #[cfg(all(target_vendor = "apple", target_arch = "x86_64"))]
    // SAFETY: the system has put the registers there.
    let pointer = unsafe { (*context.uc_mcontext).__ss.__rsp };
    #[cfg(all(target_vendor = "apple", target_arch = "aarch64"))]
    // SAFETY: as above.
    let pointer = unsafe { (*context.uc_mcontext).__ss.__sp };
    #[cfg(not(any(
        all(any(target_os = "linux", target_os = "android"), target_arch = "x86_64"),
        all(any(target_os = "linux", target_os = "android"), target_arch = "x86"),
        all(any(target_os = "linux", target_os = "android"), target_arch = "aarch64"),
        all(any(target_os = "linux", target_os = "android"), target_arch = "arm"),
        all(target_os = "linux", target_arch = "riscv64"),
        all(target_os = "linux", target_arch = "loongarch64"),
        all(target_vendor = "apple", target_arch = "x86_64"),
        all(target_vendor = "apple", target_arch = "aarch64"),
    )))]
    return (|_| None)(context);
    // The type of a register differs between systems.
    #[allow(clippy::unnecessary_cast, unreachable_code)]
    Some(pointer as usize)
}
