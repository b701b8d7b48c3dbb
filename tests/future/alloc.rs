//! What is allocated: counted by the allocator of this program.

use crate::support::{block_on, soon};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Waker};
use switchback::{await_, stackful};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller has promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller has promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations() -> usize {
    ALLOCATIONS.with(Cell::get)
}

#[test]
fn creation_and_awaits_allocate_nothing() {
    // Once, for the stack and whatever a thread's first time takes.
    block_on(stackful(|cx| cx.await_(soon()))).expect("nobody drops it");

    let before = allocations();
    let mut task = stackful(|cx| {
        for _ in 0..100 {
            cx.await_(soon()).expect("nobody drops it");
            await_(soon()).expect("nobody drops it");
            cx.await_(std::future::ready(())).expect("nobody drops it");
        }
        allocations()
    });
    assert_eq!(allocations(), before, "created");
    let mut cx = Context::from_waker(Waker::noop());
    let after = loop {
        if let std::task::Poll::Ready(after) = Pin::new(&mut task).poll(&mut cx) {
            break after;
        }
    };
    assert_eq!(after, before, "run");
    assert_eq!(allocations(), before, "ended");
    // The counter counts.
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(allocations(), before + 1);
}
