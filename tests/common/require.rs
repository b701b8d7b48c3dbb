//! Tests that need what not every machine has, or not every build.
#![allow(dead_code)] // no test uses all of it

/// Tells why a test is not run; a failure where `SWITCHBACK_REQUIRE` has `what` among its words.
#[track_caller]
pub(crate) fn skip(what: &str, why: &str) {
    let required = std::env::var("SWITCHBACK_REQUIRE").unwrap_or_default();
    assert!(!required.split(' ').any(|word| word == what), "{what} is required here: {why}");
    eprintln!("skipped: {why}");
}

/// The frame pointer of the function that this is inlined in, if the program is built with frame pointers.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
pub(crate) fn frame_pointer() -> usize {
    let pointer;
    // SAFETY: it reads a register.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        core::arch::asm!("mov {}, rbp", out(reg) pointer, options(nomem, nostack, preserves_flags));
        #[cfg(target_arch = "aarch64")]
        core::arch::asm!("mov {}, x29", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}

/// Whether this program is built with frame pointers.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(never)]
pub(crate) fn has_frame_pointers() -> bool {
    #[inline(never)]
    fn callee() -> usize {
        std::hint::black_box(frame_pointer())
    }
    std::hint::black_box(callee()) != frame_pointer()
}
