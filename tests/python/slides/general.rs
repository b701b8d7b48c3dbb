use switchback::CoroutineState::{Complete, Yielded};
use switchback::{Coroutine, SendError};
use switchback::{Thrown, Yielder};

fn internal(
    y: &Yielder<i32, &'static str>,
    name: &str,
    start: i32,
    end: i32,
) -> Result<i32, Thrown> {
    for i in start..end {
        let value = y.yield_(i)?;
        println!("{name} got {value}");
    }
    println!("{name} finished at {}", end - 1);
    Ok(end)
}

fn general() -> Coroutine<i32, &'static str, i32> {
    Coroutine::new(|y| {
        // A function that has the yielder is called,
        let start = internal(y, "first", 1, 3)?;
        // a coroutine of its own is delegated to.
        let mut second = Coroutine::new(move |y| {
            internal(y, "second", start, 5)
        });
        let end = y.yield_from(&mut second)?;
        Ok(end)
    })
}

fn main() -> Result<(), SendError<&'static str>> {
    let mut co = general();
    if let Ok(Yielded(n)) = co.start() {
        println!("{n}");
    }
    for word in ["this", "is", "sent", "inside"] {
        match co.send(word)? {
            Yielded(n) => println!("{n}"),
            Complete(n) => println!("returned {n}"),
        }
    }
    Ok(())
}
