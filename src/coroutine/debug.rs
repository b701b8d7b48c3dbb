//! What a debugger needs to find the coroutines of a process or a core file: `docs/gdb/switchback.py` reads it. It asks for no
//! debug information, so it works in optimised programs as well.

use super::control::{ABANDONED, Control, DELEGATED, FINISHED, RUNNING};
use crate::arch::{RootLayout, StackPointer};
use crate::stack;
use core::mem::offset_of;
use core::panic::Location;

/// Begins the record, so that it is found in a program without symbols.
const MAGIC: [u8; 16] = *b"switchback debug";
/// To be raised with each change of the record or of what it describes, in the script as well.
const VERSION: usize = 1;

/// The places of things, in bytes, and the values of marks. The script reads the fields in this order.
#[repr(C)]
pub(super) struct Layout {
    magic: [u8; 16],
    version: usize,
    stack: stack::Layout,
    /// The control block is right below the header.
    control_size: usize,
    parked: usize,
    name: usize,
    created_at: usize,
    root: RootLayout,
    finished: StackPointer,
    running: StackPointer,
    delegated: StackPointer,
    abandoned: StackPointer,
    /// A `Location` of this file, by which the script sees whether it reads those right: Rust does not promise how.
    sample: &'static Location<'static>,
    sample_line: usize,
}

// SAFETY: it is never written, and its stack pointers are marks, which point nowhere.
unsafe impl Sync for Layout {}

const SAMPLE: (&Location<'static>, u32) = (Location::caller(), line!());

/// Named in the cold path that gives a thread a stack, so that no linker leaves it out.
#[used]
pub(super) static LAYOUT: Layout = Layout {
    magic: MAGIC,
    version: VERSION,
    stack: stack::Layout::new(),
    control_size: size_of::<Control>(),
    parked: offset_of!(Control, parked),
    name: offset_of!(Control, name),
    created_at: offset_of!(Control, created_at),
    root: RootLayout::new(),
    finished: FINISHED,
    running: RUNNING,
    delegated: DELEGATED,
    abandoned: ABANDONED,
    sample: SAMPLE.0,
    sample_line: SAMPLE.1 as usize,
};
