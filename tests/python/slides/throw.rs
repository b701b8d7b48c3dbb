use switchback::CoroutineState::Yielded;
use switchback::SendError;
use switchback::{Coroutine, Thrown};

enum Error {
    Reset,
    Value(&'static str),
}

fn counting() -> Coroutine<i32, (), (), Error> {
    Coroutine::throwing(|y| {
        let mut n = 0;
        loop {
            match y.yield_(n) {
                Ok(()) => n += 1,
                Err(Thrown::Error(Error::Reset)) => {
                    println!("reset");
                    n = 0;
                }
                Err(thrown) => return Err(thrown),
            }
        }
    })
}

fn main() {
    let mut co = counting();
    for _ in 0..3 {
        if let Ok(Yielded(n)) = co.resume() {
            println!("{n}");
        }
    }
    // Caught inside: the answer is the next yield.
    if let Ok(Yielded(n)) = co.throw(Error::Reset) {
        println!("{n}");
    }
    // Not caught inside: it comes back out.
    if let Err(SendError::Thrown(Thrown::Error(
        Error::Value(words),
    ))) = co.throw(Error::Value("not mine"))
    {
        println!("came back: {words}");
    }
}
