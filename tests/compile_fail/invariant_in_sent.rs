// What is sent lives as long as the coroutine says, not shorter.
use switchback::Coroutine;

fn shorter<'a>(co: Coroutine<(), &'static str>) -> Coroutine<(), &'a str> {
    co
}

fn longer<'a>(co: Coroutine<(), &'a str>) -> Coroutine<(), &'static str> {
    co
}

fn main() {}
