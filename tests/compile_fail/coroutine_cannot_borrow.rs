// An owned coroutine borrows nothing.
use switchback::Generator;

fn main() {
    let words = vec![1, 2];
    let co = Generator::<i32>::new(|y| {
        for word in &words {
            y.yield_(*word)?;
        }
        Ok(())
    });
    drop(words);
    drop(co);
}
