// Five philosophers, five forks; nobody starves, because each takes the lower fork first and a fork goes to who waits longest.

use sync::{Arc, Barrier, Mutex};

pub(crate) fn program() -> String {
    let forks: Arc<Vec<_>> = Arc::new((0..5).map(|_| Mutex::new(0)).collect());
    let table = Arc::new(Barrier::new(5));
    let philosophers: Vec<_> = ["Baruch", "Gilles", "Karl", "Friedrich", "Michel"]
        .into_iter()
        .enumerate()
        .map(|(n, name)| {
            let (forks, table) = (Arc::clone(&forks), Arc::clone(&table));
            let philosopher = move || {
                let (left, right) = (n.min((n + 1) % 5), n.max((n + 1) % 5));
                table.wait();
                let mut meals = 0;
                for _ in 0..20 {
                    let mut first = forks[left].lock().unwrap();
                    thread::yield_now();
                    let mut second = forks[right].lock().unwrap();
                    *first += 1;
                    *second += 1;
                    meals += 1;
                }
                format!("{} has eaten {meals} times\n", thread::current().name().unwrap_or_default())
            };
            thread::Builder::new().name(name.to_owned()).spawn(philosopher).unwrap()
        })
        .collect();
    let said: String = philosophers.into_iter().map(|philosopher| philosopher.join().unwrap()).collect();
    let uses: Vec<_> = forks.iter().map(|fork| *fork.lock().unwrap()).collect();
    format!("{said}{uses:?}")
}
