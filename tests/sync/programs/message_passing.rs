// Several producers, one consumer: what each has said, in its order.

use sync::mpsc;

pub(crate) fn program() -> String {
    let (sender, receiver) = mpsc::channel();
    let producers: Vec<_> = [("greetings", ["hi", "from", "the", "thread"]), ("more", ["messages", "for", "you", "too"])]
        .into_iter()
        .map(|(name, words)| {
            let sender = sender.clone();
            thread::spawn(move || {
                for word in words {
                    sender.send((name, word)).unwrap();
                    thread::yield_now();
                }
            })
        })
        .collect();
    drop(sender);
    let mut received: Vec<_> = receiver.iter().collect();
    received.sort_by_key(|(name, _)| *name);
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    received.into_iter().map(|(name, word)| format!("{name}: {word}\n")).collect()
}
