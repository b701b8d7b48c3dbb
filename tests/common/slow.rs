//! Whether to do less of what is done many times.

/// Under a tool, or most likely an emulator.
pub(crate) const SLOW: bool = cfg!(any(switchback_asan, switchback_tsan, switchback_valgrind))
    || cfg!(not(any(target_arch = "x86_64", target_arch = "x86")));
