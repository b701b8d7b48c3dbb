// Generic code does not reach the insides of what is delegated to, to swap them.
use std::convert::Infallible;
use switchback::Delegate;

fn swap<A, B>(a: &mut A, b: &mut B)
where
    A: Delegate<i32, (), (), Infallible>,
    B: Delegate<i32, (), (), Infallible>,
{
    // Whoever could make a key could do this.
    std::mem::swap(a.raw(Default::default()), b.raw(Default::default()));
}

fn main() {}
