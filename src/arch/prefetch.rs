//! A hint to the CPU that what lies at an address will be used soon. Any address will do: where there is nothing, nothing happens.

/// How many bytes a hint is for, on all CPUs that have it.
pub(crate) const LINE: usize = 64;

/// Lets the CPU fetch the line of `address`, while the program goes on.
#[inline(always)]
pub(crate) fn prefetch(address: *const ()) {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse"))]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: SSE is there; the address need not be valid.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(target_arch = "aarch64")]
    {
        // SAFETY: a hint, which changes nothing and does not fault.
        unsafe {
            core::arch::asm!(
                "prfm pldl1keep, [{address}]",
                address = in(reg) address,
                options(nostack, preserves_flags, readonly)
            );
        }
    }
    let _ = address;
}
