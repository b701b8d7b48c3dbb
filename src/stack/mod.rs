//! Memory for stacks: guarded mappings, their sizes, and the pool they return to.
//!
//! Most programs never look here: [`Coroutine::new`](crate::Coroutine::new) takes a stack of [`DEFAULT_SIZE`] from the
//! pool, and [`Builder::stack_size`](crate::Builder::stack_size) another size. A stack that is not from the pool is
//! any value of a type that implements [`Stack`], given to [`Builder::stack`](crate::Builder::stack).
//!
//! # Guards
//!
//! Every stack of this module has a guard: a page below its lowest address that cannot be read or written. A body that
//! runs out of stack dies on it instead of writing over its neighbour, and on Unix the process's last words name the
//! coroutine, the place where it was created, and what to change. [`Guard::in_use`] tells what guards are made of here.
//!
//! # The pool
//!
//! A stack goes back to the pool when its coroutine *ends*, not when the handle is dropped. There it keeps the pages that it
//! has touched, so that the next coroutine pays no page fault. Each thread keeps up to 256 stacks of each size for itself.
//! What is beyond that is for all threads ([`pooled`] tells how many these are), and gives its memory back when nobody has
//! needed it for ten seconds ([`set_pool_decay`]): what stays is what the last peak of use within that time takes. What may be
//! there at most is [`set_max_pooled`]'s. All of it at once is [`trim`].
//!
//! The pool has no thread of its own for this. It is done by threads that make and end more coroutines than they keep
//! stacks for, and by the workers of a [runtime](crate::run), above all when they have nothing to do: so a server that has had
//! a burst gets small again by itself, within twenty seconds. A program without a runtime that has had many coroutines,
//! and goes on with few, calls [`trim`]; so does a thread that is no worker, if it has a burst while all workers sleep.
//!
//! # Locked memory
//!
//! A process that locks all memory that it will have (`mlockall` with `MCL_FUTURE`) has each stack in memory as a whole, from its
//! first use on, and with a guard that costs a mapping: so a small [size](crate::Builder::stack_size) is worth choosing there, and
//! a million do not fit. With `MCL_ONFAULT` a stack takes what it has touched, as elsewhere. The pool gives none of it back by itself,
//! as locked memory is to stay; [`trim`] does.
//!
//! # How large?
//!
//! [`set_measure`] and [`usage`](usage()) tell how much the coroutines of each creation site have used.

// | question | file |
// |---|---|
// | where does the memory come from? | `slab.rs`; what it asks of the system is `system/` |
// | what stops a stack from growing into its neighbour? | `guard.rs`; how many mappings that may take, `mappings.rs` |
// | what is told when one tries? | `overflow/` |
// | how is one reused? | `pool.rs`, with what a thread has in `register.rs`; what lies at its top is `header.rs` |
// | what keeps its memory for how long? | `shared.rs`, by `depot.rs` |
// | how much of one is used? | `usage.rs` |

use core::ptr::NonNull;

mod class;
#[cfg(not(switchback_fallback))]
mod debug;
mod depot;
mod error;
pub(crate) mod fork;
mod guard;
mod guarded;
mod header;
mod mappings;
mod notices;
mod overflow;
pub(crate) mod pool;
mod register;
mod shared;
mod slab;
mod system;
pub(crate) mod usage;
#[cfg(switchback_valgrind)]
mod valgrind;

pub(crate) use class::Class;
#[cfg(not(switchback_fallback))]
pub(crate) use debug::Layout;
pub use error::StackError;
pub use guard::Guard;
pub use guarded::GuardedStack;
pub(crate) use header::Header;
pub use overflow::disable_overflow_report;
pub use pool::trim;
pub use shared::{pooled, set_max_pooled, set_pool_decay};
pub use usage::{Measure, Usage, set_measure, usage};

/// How many bytes the stack of the slab that an address is on has below it. None if it is on no such stack.
pub(crate) fn room_below(address: usize) -> Option<usize> {
    address.checked_sub(slab::find(address)?.limit().addr().get())
}

/// The usable size, in bytes, of the stack that a coroutine gets when its builder says nothing: 256 KiB.
///
/// Address space and page tables are paid for by size (half a kibibyte of page tables a stack at this size), memory only
/// for pages that were touched, so the size is chosen for what code needs: formatting a panic takes 14 KiB and a
/// backtrace 21 KiB, parsers and debug builds several times that. At this size a million stacks fit in a five hundredth
/// part of the address space of a process.
pub const DEFAULT_SIZE: usize = 256 * 1024;

/// The smallest usable size, in bytes, that a stack of the pool has: 32 KiB, or a page where that is larger. Smaller wishes are
/// rounded up.
///
/// It has room for a signal frame with AVX-512 and AMX state (about 11 KiB) and for the formatting of a panic.
pub const MIN_SIZE: usize = 32 * 1024;

/// The largest usable size, in bytes, that a stack of the pool can have: 64 GiB, or 1 GiB where addresses have 32 bits.
pub const MAX_SIZE: usize = 1 << if usize::BITS > 32 { 36 } else { 30 };

/// Memory that a coroutine can run on.
///
/// # Safety
///
/// For as long as the value lives, wherever it is moved to, and for ever if it is leaked:
///
/// - the bytes from [`limit`](Self::limit) up to [`top`](Self::top) are readable and writable, and nobody else reads or
///   writes them;
/// - both methods return the same addresses at every call, `limit` below `top`;
/// - a write below `limit` ends the process before it does harm: there is a guard.
///
/// The value is dropped when the coroutine has ended, on the coroutine's thread.
///
/// # Examples
///
/// ```
/// use switchback::{Builder, CoroutineState, stack::GuardedStack};
///
/// let stack = GuardedStack::new(100 * 1024)?;
/// let mut co = Builder::new().stack(stack).generator(|y| { y.yield_(1)?; Ok(2) })?;
/// assert_eq!(co.resume()?, CoroutineState::Yielded(1));
/// assert_eq!(co.resume()?, CoroutineState::Complete(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub unsafe trait Stack: 'static {
    /// The address just above the highest byte.
    fn top(&self) -> NonNull<u8>;

    /// The lowest address that may be written.
    fn limit(&self) -> NonNull<u8>;
}

// SAFETY: a box of a stack names the same memory as the stack, and drops it when it is dropped.
unsafe impl<T: Stack + ?Sized> Stack for Box<T> {
    fn top(&self) -> NonNull<u8> {
        (**self).top()
    }

    fn limit(&self) -> NonNull<u8> {
        (**self).limit()
    }
}

/// A stack in memory that the caller provides and that has no guard of this crate's making.
///
/// For memory that the rest of a program insists on placing: a region of an arena, a stack with a guard made by others.
#[derive(Debug)]
pub struct ProvidedStack {
    limit: NonNull<u8>,
    top: NonNull<u8>,
}

impl ProvidedStack {
    /// A stack of the `len` bytes from `start` on.
    ///
    /// # Safety
    ///
    /// The bytes stay valid and unused by anybody else until the value is dropped, and for ever if it is leaked (a
    /// suspended coroutine that is forgotten leaks its stack). The caller has seen to it that nothing that runs on the
    /// stack goes below `start`, by a guard or by knowing what runs there.
    pub unsafe fn new(start: NonNull<u8>, len: usize) -> Self {
        // SAFETY: `start + len` is one past the end of the caller's memory.
        Self { limit: start, top: unsafe { start.add(len) } }
    }
}

// SAFETY: the caller of `new` has promised all of it.
unsafe impl Stack for ProvidedStack {
    fn top(&self) -> NonNull<u8> {
        self.top
    }

    fn limit(&self) -> NonNull<u8> {
        self.limit
    }
}
