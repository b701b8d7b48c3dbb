// A counter behind a mutex, and a map behind a lock that is read more than written.

use std::collections::BTreeMap;
use sync::{Arc, Mutex, RwLock};

pub(crate) fn program() -> String {
    let counter = Arc::new(Mutex::new(0));
    let squares = Arc::new(RwLock::new(BTreeMap::new()));
    let handles: Vec<_> = (0..10)
        .map(|n| {
            let (counter, squares) = (Arc::clone(&counter), Arc::clone(&squares));
            thread::spawn(move || {
                for _ in 0..10 {
                    let mut count = counter.lock().unwrap();
                    thread::yield_now();
                    *count += 1;
                }
                squares.write().unwrap().insert(n, n * n);
                squares.read().unwrap()[&n]
            })
        })
        .collect();
    let sum: i32 = handles.into_iter().map(|handle| handle.join().unwrap()).sum();
    format!("{} {sum} {:?}", *counter.lock().unwrap(), squares.read().unwrap())
}
