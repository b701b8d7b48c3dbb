use switchback::CoroutineState::{Complete, Yielded};
use switchback::{Coroutine, SendError};
use switchback::{Thrown, Yielder};

type Asking = Yielder<&'static str, &'static str>;

fn ask(
    y: &Asking,
    question: &'static str,
) -> Result<&'static str, Thrown> {
    y.yield_(question)
}

fn greet(y: &Asking) -> Result<String, Thrown> {
    let name = ask(y, "your name?")?;
    Ok(format!("hello {name}"))
}

fn talk(y: &Asking) -> Result<String, Thrown> {
    let greeting = greet(y)?;
    let mood = ask(y, "how are you?")?;
    Ok(format!("{greeting}, you are {mood}"))
}

fn main() -> Result<(), SendError<&'static str>> {
    let mut co = Coroutine::new(talk);
    if let Ok(Yielded(question)) = co.start() {
        println!("{question}");
    }
    for answer in ["Ada", "well"] {
        match co.send(answer)? {
            Yielded(question) => println!("{question}"),
            Complete(text) => println!("{text}"),
        }
    }
    Ok(())
}
