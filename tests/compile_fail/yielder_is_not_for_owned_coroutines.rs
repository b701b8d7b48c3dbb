// An owned coroutine inside the body does not get its yielder. [105, 111]
use switchback::Generator;

fn main() {
    let _ = Generator::<i32>::new(|y| {
        let _inner = Generator::<i32>::new(move |_| {
            y.yield_(1)?;
            Ok(())
        });
        Ok(())
    });
}
