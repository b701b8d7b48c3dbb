use std::error::Error;
use switchback::CoroutineState::Yielded;
use switchback::{Coroutine, SendError};

fn counter() -> Coroutine<i32, &'static str> {
    Coroutine::new(|y| {
        let mut step = 0;
        loop {
            let received = y.yield_(step)?;
            step += 1;
            println!("received {received}");
        }
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut co = counter();
    if let Err(SendError::NotStarted(back)) =
        co.send("one")
    {
        println!("too early for {back}");
    }
    if let Yielded(step) = co.start()? {
        println!("step {step}");
    }
    for word in ["two", "three"] {
        if let Yielded(step) = co.send(word)? {
            println!("step {step}");
        }
    }
    Ok(())
}
