// Readers of a text that writers make longer: each sees a whole one, and no shorter one than before.

use sync::atomic::{AtomicUsize, Ordering};
use sync::{Arc, Condvar, Mutex, OnceLock, RwLock};

static TITLE: OnceLock<String> = OnceLock::new();

pub(crate) fn program() -> String {
    let text = RwLock::new(String::new());
    let (written, changed) = (Mutex::new(0), Condvar::new());
    let read = Arc::new(AtomicUsize::new(0));
    thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                let mut length = 0;
                loop {
                    let done = *written.lock().unwrap() == 40;
                    let text = text.read().unwrap();
                    assert!(text.len() >= length && text.len().is_multiple_of(2));
                    length = text.len();
                    drop(text);
                    read.fetch_add(1, Ordering::Relaxed);
                    if done {
                        return;
                    }
                    thread::yield_now();
                }
            });
        }
        for word in ["ab", "cd"] {
            let (text, written, changed) = (&text, &written, &changed);
            s.spawn(move || {
                TITLE.get_or_init(|| "a text".to_owned());
                for _ in 0..20 {
                    let mut text = text.write().unwrap();
                    for letter in word.chars() {
                        text.push(letter);
                        thread::yield_now();
                    }
                    drop(text);
                    *written.lock().unwrap() += 1;
                    changed.notify_all();
                }
            });
        }
        let done = changed.wait_while(written.lock().unwrap(), |written| *written < 40).unwrap();
        assert_eq!(*done, 40);
    });
    assert!(read.load(Ordering::Relaxed) >= 3);
    let text = text.into_inner().unwrap();
    format!("{}: {} letters, {} of them a", TITLE.get().unwrap(), text.len(), text.matches('a').count())
}
