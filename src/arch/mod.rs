//! The switch: how one stack stops and another goes on.
//!
//! This module knows stack pointers, frame records and messages. It does not know what a coroutine is.
//!
//! # The contract
//!
//! A *side* is a stretch of execution on one stack: a coroutine's body, or the code that resumes it. A side that waits
//! is *parked*: it has written a frame record on its stack and its [`StackPointer`] is the record's address.
//!
//! | operation | who calls it | what happens |
//! |---|---|---|
//! | [`prepare`] | the creator of a coroutine | a fresh stack gets a frame that looks parked: jumping to it starts the entry function |
//! | [`resume`] | a consumer | parks the caller and wakes the target, which learns the caller's stack pointer |
//! | [`suspend`] | a body | the same act in the other direction |
//! | [`delegate`] | a body that delegates | parks the caller, wakes the target, and hands it the caller's own consumer |
//! | [`finish`] | a body that has ended | wakes the target for good; nothing of the caller is kept |
//!
//! A message is a kind, which this module does not interpret, and a few [`Words`]. `resume`, `suspend` and `delegate` are
//! inlined where they are used, assembly included: `arch/README.md` says why and accounts for every register.

use core::mem::MaybeUninit;
use core::ptr;

mod prefetch;
mod root;

#[cfg(not(switchback_fallback))]
mod dwarf;
#[cfg(not(switchback_fallback))]
mod native;

#[cfg(all(not(switchback_fallback), target_arch = "x86_64"))]
#[path = "x86_64.rs"]
mod cpu;
#[cfg(all(not(switchback_fallback), target_arch = "aarch64"))]
#[path = "aarch64.rs"]
mod cpu;

#[cfg(any(switchback_asan, switchback_tsan))]
mod annotate;
#[cfg(any(switchback_asan, switchback_tsan))]
pub(crate) use annotate::{delegate, finish, resume};
#[cfg(not(any(switchback_fallback, switchback_asan, switchback_tsan)))]
pub(crate) use cpu::{delegate, finish, resume};
#[cfg(not(switchback_fallback))]
pub(crate) use {
    cpu::shadow_stack_is_active,
    native::{RootLayout, prepare, suspend},
};

#[cfg(switchback_fallback)]
mod fallback;
#[cfg(switchback_fallback)]
pub(crate) use fallback::{delegate, finish, prepare, resume, shadow_stack_is_active, suspend};

#[cfg(all(feature = "capi", not(switchback_fallback)))]
pub(crate) use cpu::stack_pointer;
#[cfg(all(feature = "capi", target_os = "linux", not(switchback_fallback)))]
pub(crate) use cpu::thread_pointer;
#[cfg(all(feature = "capi", switchback_fallback))]
pub(crate) use fallback::stack_pointer;

pub(crate) use prefetch::{LINE, prefetch};
pub(crate) use root::Root;
#[cfg(test)]
mod tests;

/// What travels in a register.
///
/// It is a pointer, not an integer, so that a pointer inside a small value keeps its provenance, and `MaybeUninit` because
/// a small value may have padding.
pub(crate) type Word = MaybeUninit<*mut ()>;

/// What travels beside the kind: a small value itself, or in the first word the address of a larger one. Words that
/// nobody fills cost nothing.
///
/// It is in registers as long as nobody is handed it in a call that is not inlined. Cold code is handed the first word.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Words(pub(crate) [Word; 4]);

impl Words {
    /// Of a message that says all by its kind.
    pub(crate) const NONE: Self = Self([Word::uninit(); 4]);

    /// An address.
    #[inline(always)]
    pub(crate) fn of(address: *mut ()) -> Self {
        Self::only(Word::new(address))
    }

    /// A first word, and no more.
    #[inline(always)]
    pub(crate) fn only(first: Word) -> Self {
        let mut words = Self::NONE;
        words.0[0] = first;
        words
    }

    /// Two, and no more.
    #[cfg(feature = "capi")]
    #[inline(always)]
    pub(crate) fn two(first: Word, second: Word) -> Self {
        let mut words = Self::only(first);
        words.0[1] = second;
        words
    }

    /// The address, if it is one.
    #[inline(always)]
    pub(crate) fn first(self) -> Word {
        self.0[0]
    }
}

/// The address of a parked side's frame record (or of what the fallback has instead), or null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct StackPointer(*mut ());

impl StackPointer {
    pub(crate) const NULL: Self = Self(ptr::null_mut());

    /// Marks are below this, and stack pointers, with or without their lowest bit set, are not.
    const MARKS: usize = 64;

    /// A value that is no stack pointer: odd, so that it differs from all of them, which are multiples of eight.
    pub(crate) const fn mark(odd: usize) -> Self {
        assert!(odd % 2 == 1 && odd < Self::MARKS);
        Self(ptr::without_provenance_mut(odd))
    }

    #[cfg(unix)]
    pub(crate) fn as_ptr(self) -> *const () {
        self.0
    }

    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Whether this is a mark, or a stack pointer that carries one.
    #[inline(always)]
    pub(crate) fn is_marked(self) -> bool {
        self.0.addr() & 1 != 0
    }

    /// Whether this is a mark and no stack pointer.
    #[inline(always)]
    pub(crate) fn is_mark(self) -> bool {
        self.0.addr() < Self::MARKS
    }

    /// The same stack pointer with its lowest bit set.
    pub(crate) fn marked(self) -> Self {
        Self(self.0.map_addr(|address| address | 1))
    }

    /// The stack pointer that [`marked`](Self::marked) was called on.
    pub(crate) fn unmarked(self) -> Self {
        Self(self.0.map_addr(|address| address & !1))
    }
}

/// What a fresh stack runs, with the kind of the message that started it. It never returns and never unwinds.
pub(crate) type Entry = unsafe extern "C" fn(root: *const Root, kind: usize) -> !;

/// A message, and the stack pointer of the side that it came from.
///
/// After a [`delegate`] or a [`finish`], `from` is the link that was handed on, not the sender.
pub(crate) struct Arrival {
    pub(crate) kind: usize,
    pub(crate) words: Words,
    pub(crate) from: StackPointer,
}
