//! The frames of a stack, walked from that stack itself.

use crate::stack;
use std::backtrace::Backtrace;
use std::collections::HashMap;

/// What a walk may take of a stack, in bytes: the unwinder's own frames, and those of the dynamic linker at its first call.
const NEEDS: usize = if cfg!(any(switchback_asan, switchback_tsan)) { 64 << 10 } else { 24 << 10 };
/// Stacks are told apart, and shown, up to this many frames.
const LONGEST: usize = 256;

/// The different stacks that were seen.
#[derive(Default)]
pub(super) struct Stacks {
    known: HashMap<Vec<usize>, usize>,
    traces: Vec<Backtrace>,
    addresses: Vec<usize>,
}

impl Stacks {
    /// Takes note of the stack that this is called on, and returns its number. None if there is no room on it for that.
    #[inline(never)]
    pub(super) fn note(&mut self) -> Option<usize> {
        let here = 0_u8;
        // AddressSanitizer keeps local variables in places of its own, from which the room cannot be told.
        let is_enough = |room| room >= NEEDS;
        if !stack::room_below((&raw const here).addr()).map_or(cfg!(switchback_asan), is_enough) {
            return None;
        }
        self.addresses.clear();
        walk(&mut self.addresses);
        if !self.addresses.is_empty()
            && let Some(known) = self.known.get(&self.addresses)
        {
            return Some(*known);
        }
        let number = self.traces.len();
        // Names are looked up later, on a stack that has room for it.
        self.traces.push(Backtrace::force_capture());
        self.known.insert(self.addresses.clone(), number);
        Some(number)
    }

    pub(super) fn into_traces(self) -> Vec<Backtrace> {
        self.traces
    }
}

/// Appends the return addresses of the calling stack, innermost first, by the unwinder that std is linked with. (On Arm that has
/// no such functions: they are macros of C's there.)
#[cfg(all(unix, not(target_arch = "arm")))]
#[inline(never)]
fn walk(addresses: &mut Vec<usize>) {
    use core::ffi::{c_int, c_void};

    const GO_ON: c_int = 0;
    const END: c_int = 5;

    unsafe extern "C" {
        fn _Unwind_Backtrace(trace: extern "C" fn(*mut c_void, *mut c_void) -> c_int, argument: *mut c_void) -> c_int;
        fn _Unwind_GetIP(context: *mut c_void) -> usize;
    }

    extern "C" fn note(context: *mut c_void, addresses: *mut c_void) -> c_int {
        // SAFETY: the unwinder calls this with its context, and the list that `walk` has borrowed.
        let (address, addresses) = unsafe { (_Unwind_GetIP(context), &mut *addresses.cast::<Vec<usize>>()) };
        addresses.push(address);
        if addresses.len() < LONGEST { GO_ON } else { END }
    }

    // SAFETY: `note` has the signature that it calls, and gets the list, which lives until this returns.
    unsafe { _Unwind_Backtrace(note, (&raw mut *addresses).cast()) };
}

/// Elsewhere stacks are told apart by the names of their functions, later.
#[cfg(not(all(unix, not(target_arch = "arm"))))]
fn walk(_addresses: &mut Vec<usize>) {
    let _ = LONGEST;
}
