// Who waits for what lives for ever is not sent what lives shorter.
use switchback::{Resumer, task};

fn main() {
    let words: String = "these words".into();
    let _ = task::suspend(|resumer: Resumer<&'static str>| {
        let shorter: Resumer<&str> = resumer;
        let _ = shorter.send(&words);
    });
}
