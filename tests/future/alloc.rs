//! What is allocated: counted by the allocator of this program.

use crate::support::{Gate, block_on, soon};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Waker};
use switchback::{Runtime, await_, stackful, task};

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

#[test]
fn awaits_in_tasks_allocate_nothing() {
    let gate = Gate::new();
    Runtime::builder().workers(1).build().expect("a runtime").run(|| {
        // Once, for what a task's first wait takes.
        task::suspend(|resumer: switchback::Resumer<()>| resumer.send(()).expect("it waits")).expect("not cancelled");
        await_(soon()).expect("not cancelled");
        let before = allocations();
        for _ in 0..100 {
            await_(soon()).expect("not cancelled");
            await_(std::future::ready(())).expect("not cancelled");
        }
        assert_eq!(allocations(), before);
        // Nor does one that is woken while it waits.
        let inside = gate.clone();
        let waits = task::spawn_local(move || {
            await_(soon()).expect("not cancelled");
            let before = allocations();
            await_(inside).expect("not cancelled");
            allocations() - before
        });
        task::yield_now().expect("not cancelled");
        task::yield_now().expect("not cancelled");
        gate.open();
        assert_eq!(waits.join().expect("it ends well"), 0);
    });
}
