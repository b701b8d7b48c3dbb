// Only the crate's own types are delegated to.
use std::convert::Infallible;
use switchback::Delegate;

struct Mine;

impl Delegate<i32, (), (), Infallible> for Mine {}

fn main() {}
