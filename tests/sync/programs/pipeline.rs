// Stages that are connected by channels of little room: numbers, their squares, the sum of the odd ones.

use sync::mpsc::{Receiver, sync_channel};

fn stage<T: Send + 'static, U: Send + 'static>(
    input: Receiver<T>,
    room: usize,
    work: impl Fn(T) -> Option<U> + Send + 'static,
) -> Receiver<U> {
    let (sender, output) = sync_channel(room);
    thread::spawn(move || {
        for item in input {
            if let Some(item) = work(item)
                && sender.send(item).is_err()
            {
                return;
            }
        }
    });
    output
}

pub(crate) fn program() -> String {
    let (sender, numbers) = sync_channel(0);
    let source = thread::spawn(move || (1..).take_while(|n| sender.send(*n).is_ok()).count());
    let squares = stage(numbers, 1, |n: u64| Some(n * n));
    let odd = stage(squares, 3, |n| (n % 2 == 1).then_some(n));
    let labelled = stage(odd, 0, |n| Some(format!("{n}")));
    let first: Vec<String> = labelled.iter().take(8).collect();
    drop(labelled);
    // The end of the last stage runs back to the source.
    assert!(source.join().unwrap() >= 15);
    first.join(" ")
}
