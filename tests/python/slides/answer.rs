use switchback::CoroutineState::{Complete, Yielded};
use switchback::{Generator, SendError};

fn answer() -> Generator<i32, i32> {
    Generator::new(|y| {
        y.yield_(1)?;
        y.yield_(2)?;
        Ok(42)
    })
}

fn main() {
    let mut co = answer();
    loop {
        match co.resume() {
            Ok(Yielded(n)) => println!("yielded {n}"),
            Ok(Complete(n)) => {
                println!("returned {n}");
                break;
            }
            Err(error) => panic!("{error}"),
        }
    }
    let again = co.resume();
    if again == Err(SendError::Finished(())) {
        println!("and nothing more");
    }
}
