//! Futures in boxes, polled by hand: what a suspended computation costs at least where functions are coloured.

use super::sweep::Live;
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// An async function that calls another, which calls another, and so on: sixteen calls down to `$inner`.
macro_rules! nested {
    ($name:ident($argument:ident: $type:ty) $inner:ident) => {
        async fn $name($argument: $type) {
            nested!(@ $argument, $type, $inner, a b c d e f g h i j k l m n o);
        }
    };
    (@ $argument:ident, $type:ty, $inner:ident, $first:ident $($rest:ident)*) => {{
        async fn $first($argument: $type) {
            nested!(@ $argument, $type, $inner, $($rest)*);
        }
        $first($argument).await
    }};
    (@ $argument:ident, $type:ty, $inner:ident,) => {
        $inner($argument).await
    };
}
pub(super) use nested;

/// Pending once, then ready.
struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

async fn once(total: &Cell<u64>) {
    Once(false).await;
    total.set(total.get() + 1);
}

nested!(once16(total: &Cell<u64>) once);

pub(super) struct Boxed {
    all: Vec<Pin<Box<dyn Future<Output = ()>>>>,
    total: Rc<Cell<u64>>,
}

impl Live for Boxed {
    type Pool = ();

    fn create((): &mut (), n: usize, frames: u32) -> Result<Self, (usize, String)> {
        let total = Rc::new(Cell::new(0));
        let mut all: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::with_capacity(n);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..n {
            let total = Rc::clone(&total);
            let mut one: Pin<Box<dyn Future<Output = ()>>> = if frames == 1 {
                Box::pin(async move {
                    loop {
                        once(&total).await;
                    }
                })
            } else {
                Box::pin(async move {
                    loop {
                        once16(&total).await;
                    }
                })
            };
            assert!(one.as_mut().poll(&mut context).is_pending(), "it never ends");
            all.push(one);
        }
        Ok(Self { all, total })
    }

    fn resume(&mut self, order: impl Iterator<Item = usize>) -> u64 {
        let before = self.total.get();
        let mut context = Context::from_waker(Waker::noop());
        for i in order {
            assert!(self.all[i].as_mut().poll(&mut context).is_pending(), "it never ends");
        }
        self.total.get() - before
    }

    fn recycle(self, (): &mut ()) {}
}
