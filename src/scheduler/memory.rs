//! The memory of tasks that have ended, kept by their worker for those to come.

use super::current::with_worker;
use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};
use std::alloc::{alloc, dealloc, handle_alloc_error};

/// The sizes that blocks are kept in, in bytes: most tasks fit in the first one. Eight of what an allocator rounds up to are its own
/// in glibc.
const SIZES: [usize; 3] = [200, 248, 504];
/// What allocators give without being asked: more takes them much longer.
const ALIGN: usize = 2 * size_of::<usize>();
/// How many blocks of each size a worker keeps.
const MOST: u32 = 256;
/// Tools that look for what is used after it was freed are to see each free.
const KEEPS: bool = !cfg!(any(switchback_asan, switchback_tsan));

/// A worker's blocks that are free.
#[derive(Default)]
pub(super) struct Memory([List; SIZES.len()]);

/// A list through the first words of its blocks.
struct List {
    first: Cell<*mut Link>,
    length: Cell<u32>,
}

struct Link(*mut Link);

impl Default for List {
    fn default() -> Self {
        Self { first: Cell::new(ptr::null_mut()), length: Cell::new(0) }
    }
}

/// Which list the blocks for this layout are in, if in any.
const fn class(layout: Layout) -> Option<usize> {
    if !KEEPS || layout.align() > ALIGN {
        return None;
    }
    let mut class = 0;
    while class < SIZES.len() {
        if layout.size() <= SIZES[class] {
            return Some(class);
        }
        class += 1;
    }
    None
}

/// What is allocated for this layout.
const fn real(layout: Layout) -> Layout {
    match class(layout) {
        Some(class) => match Layout::from_size_align(SIZES[class], ALIGN) {
            Ok(real) => real,
            Err(_) => unreachable!(),
        },
        None => layout,
    }
}

/// Memory for a T, which the caller has until [`give`].
#[inline(always)]
pub(super) fn take<T>() -> NonNull<T> {
    let kept =
        const { class(Layout::new::<T>()) }.and_then(|class| with_worker(|worker| worker.memory.0[class].pop())?);
    kept.map_or_else(fresh, NonNull::cast)
}

#[cold]
#[inline(never)]
fn fresh<T>() -> NonNull<T> {
    let layout = const { real(Layout::new::<T>()) };
    const { assert!(size_of::<T>() != 0) };
    // SAFETY: the size is not zero.
    let place = unsafe { alloc(layout) };
    NonNull::new(place.cast()).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Gives back what [`take`] has given for a T.
///
/// # Safety
///
/// It comes from there, on whatever thread, and nobody uses it any more.
#[inline(always)]
pub(super) unsafe fn give<T>(place: NonNull<T>) {
    if let Some(class) = const { class(Layout::new::<T>()) }
        // SAFETY: the block is this function's, and as large as those of its class are.
        && with_worker(|worker| unsafe { worker.memory.0[class].push(place.cast()) }) == Some(true)
    {
        return;
    }
    // SAFETY: it was allocated so.
    unsafe { dealloc(place.as_ptr().cast(), const { real(Layout::new::<T>()) }) };
}

impl List {
    #[inline(always)]
    fn pop(&self) -> Option<NonNull<()>> {
        let first = NonNull::new(self.first.get())?;
        // SAFETY: what is in the list is the list's.
        self.first.set(unsafe { first.as_ref() }.0);
        self.length.set(self.length.get() - 1);
        Some(first.cast())
    }

    /// False if there are enough.
    ///
    /// # Safety
    ///
    /// The block becomes the list's.
    #[inline(always)]
    unsafe fn push(&self, block: NonNull<()>) -> bool {
        let length = self.length.get();
        if length >= MOST {
            return false;
        }
        let link = block.cast::<Link>();
        // SAFETY: by this function's contract; it is large enough, and aligned.
        unsafe { link.write(Link(self.first.get())) };
        self.first.set(link.as_ptr());
        self.length.set(length + 1);
        true
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        for (list, size) in self.0.iter().zip(SIZES) {
            let Ok(layout) = Layout::from_size_align(size, ALIGN) else { unreachable!("each has a layout") };
            while let Some(block) = list.pop() {
                // SAFETY: those of this list were allocated so.
                unsafe { dealloc(block.as_ptr().cast(), layout) };
            }
        }
    }
}
