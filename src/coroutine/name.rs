//! Names, in one word each, as few have one.

use core::ptr::NonNull;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};

/// The name of a coroutine or task: in one allocation its length, and the text. Nobody writes to it, so who shares its owner may read it
/// on any thread.
pub(crate) struct Name(NonNull<usize>);

impl Name {
    #[cold]
    pub(crate) fn new(name: &str) -> Self {
        let layout = Self::layout(name.len());
        // SAFETY: its size is not zero.
        let Some(place) = NonNull::new(unsafe { alloc(layout) }.cast::<usize>()) else { handle_alloc_error(layout) };
        // SAFETY: there is room for the length, and behind it for as many bytes; nobody else knows of it.
        unsafe {
            place.write(name.len());
            place.add(1).cast::<u8>().copy_from_nonoverlapping(NonNull::from(name.as_bytes()).cast(), name.len());
        }
        Self(place)
    }

    fn layout(length: usize) -> Layout {
        match Layout::from_size_align(size_of::<usize>() + length, align_of::<usize>()) {
            Ok(layout) => layout,
            Err(_) => unreachable!("there is a text of that length, which a word more does not make too long"),
        }
    }

    /// Where the text is until this is dropped, wherever this is moved.
    pub(super) fn text(&self) -> NonNull<str> {
        // SAFETY: `new` has put the length there, and the text behind it.
        let bytes = unsafe { NonNull::slice_from_raw_parts(self.0.add(1).cast::<u8>(), self.0.read()) };
        // SAFETY: they are those of a text. It is not null, as they are not.
        unsafe { NonNull::new_unchecked(bytes.as_ptr() as *mut str) }
    }

    pub(crate) fn as_str(&self) -> &str {
        // SAFETY: it is there until this is dropped, and nobody writes to it.
        unsafe { self.text().as_ref() }
    }
}

impl Drop for Name {
    #[cold]
    #[inline(never)]
    fn drop(&mut self) {
        // SAFETY: `new` has allocated it so. A control block that has pointed to the text has forgotten it.
        unsafe { dealloc(self.0.as_ptr().cast(), Self::layout(self.0.read())) };
    }
}
