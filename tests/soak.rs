//! Random programs of tasks on all workers: spawns, cancels, panics, scopes, timeouts, shields, joins, suspensions, generators.
//! Every task ends in one way, every value is dropped once, and nothing is left.
//!
//! For a moment by default; for as many seconds as `SWITCHBACK_SOAK` says. What fails names the seed of its round, and
//! `SWITCHBACK_SEED` begins with that one. On several workers a seed decides what tasks do, not who is first.

#[path = "common/random.rs"]
mod random;
#[path = "common/slow.rs"]
mod slow;

use random::random;
use slow::SLOW;
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use switchback::stack::GuardedStack;
use switchback::task::{self, JoinError, JoinHandle, Task};
use switchback::{Cancelled, Generator, Interrupted, Resumer, Runtime};

#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        random(&mut self.0)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn micros(&mut self, bound: u64) -> Duration {
        Duration::from_micros(self.below(bound))
    }
}

/// What has become of what.
#[derive(Default, Debug)]
struct Counts {
    spawned: AtomicU64,
    never_begun: AtomicU64,
    returned: AtomicU64,
    panicked: AtomicU64,
    /// Values that are alive: locals, results, payloads, what is sent.
    alive: AtomicI64,
    /// Waits by `suspend`, and how they have ended.
    waits: AtomicU64,
    sent: AtomicU64,
    abandoned: AtomicU64,
    cut_short: AtomicU64,
    /// What resumers have accepted.
    accepted: AtomicU64,
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// Who waits, and what is to be sent.
type Waiting = (u64, Resumer<(u64, Value)>);

/// A round: its counts, and who waits to be sent something, or to be unparked.
#[derive(Default)]
struct Round {
    counts: Counts,
    waiting: Mutex<Vec<Waiting>>,
    parked: Mutex<Vec<Task>>,
}

type Shared = Arc<Round>;

/// A value that is counted while it is alive.
struct Value(Shared);

impl Value {
    fn new(round: &Shared) -> Self {
        round.counts.alive.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(round))
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.0.counts.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Goes with the closure of a task, and tells how that has ended.
struct Ticket {
    value: Value,
    has_begun: bool,
    has_returned: bool,
}

impl Ticket {
    fn new(round: &Shared) -> Self {
        add(&round.counts.spawned);
        Self { value: Value::new(round), has_begun: false, has_returned: false }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let counts = &self.value.0.counts;
        add(match (self.has_begun, self.has_returned) {
            (false, _) => &counts.never_begun,
            (true, false) => &counts.panicked,
            (true, true) => &counts.returned,
        });
    }
}

/// What a task returns.
type End = Result<Value, Cancelled>;

/// The body of a task: some steps, each of them random.
fn body(mut ticket: Ticket, mut random: Random, depth: u32) -> End {
    ticket.has_begun = true;
    let round = Arc::clone(&ticket.value.0);
    let end = steps(&round, &mut random, depth);
    ticket.has_returned = true;
    end
}

fn spawn(round: &Shared, random: &mut Random, depth: u32) -> JoinHandle<End> {
    let (ticket, random) = (Ticket::new(round), Random(random.next()));
    task::spawn(move || body(ticket, random, depth))
}

fn steps(round: &Shared, random: &mut Random, depth: u32) -> End {
    let _local = Value::new(round);
    for _ in 0..1 + random.below(4) {
        step(round, random, depth)?;
    }
    Ok(Value::new(round))
}

fn step(round: &Shared, random: &mut Random, depth: u32) -> Result<(), Cancelled> {
    let _local = Value::new(round);
    // Those that make tasks are left out at the leaves.
    match random.below(if depth == 0 { 8 } else { 14 }) {
        0 => task::yield_now(),
        1 => task::sleep(random.micros(200)),
        2 => wait(round, random),
        3 => {
            send(round);
            Ok(())
        }
        4 => {
            let (mut inside, limit) = (random.clone(), random.micros(100));
            match task::timeout(limit, || steps(round, &mut inside, 0)) {
                Ok(end) => end.map(drop),
                Err(_elapsed) => Ok(()),
            }
        }
        5 => park(round, random),
        6 => generate(round, random),
        7 => {
            #[cfg(panic = "unwind")]
            if random.below(4) == 0 {
                std::panic::resume_unwind(Box::new(Value::new(round)));
            }
            task::check_cancelled()
        }
        8 => ended(spawn(round, random, depth - 1).join()),
        9 => {
            // Detached.
            drop(spawn(round, random, depth - 1));
            Ok(())
        }
        10 => {
            let child = spawn(round, random, depth - 1);
            if random.below(2) == 0 {
                task::yield_now()?;
            }
            child.cancel();
            task::shield(|| ended(child.join()))
        }
        11 => task::shield(|| step(round, &mut random.clone(), depth - 1)),
        12 => scope(round, random, depth - 1),
        _ => {
            let mut set = task::JoinSet::new();
            for _ in 0..random.below(4) {
                let (ticket, random) = (Ticket::new(round), Random(random.next()));
                set.spawn(move || body(ticket, random, depth - 1));
            }
            while let Some(end) = set.join_next()? {
                ended(end)?;
                if random.below(4) == 0 {
                    break; // the others are cancelled
                }
            }
            Ok(())
        }
    }
}

/// What a join may come to.
fn ended(end: Result<End, JoinError>) -> Result<(), Cancelled> {
    match end {
        Ok(Ok(_value)) => Ok(()),
        Ok(Err(_)) | Err(JoinError::Cancelled(_)) => Ok(()),
        Err(JoinError::Interrupted(cancelled)) => Err(cancelled),
        Err(JoinError::Panicked(panic)) => {
            assert!(panic.into_payload().is::<Value>(), "a panic that nobody has ordered");
            Ok(())
        }
        Err(other) => panic!("{other}"),
    }
}

/// Waits for somebody's [`send`].
fn wait(round: &Shared, random: &mut Random) -> Result<(), Cancelled> {
    let counts = &round.counts;
    let number = random.next();
    add(&counts.waits);
    let registered = |resumer: Resumer<(u64, Value)>| match random.below(16) {
        0 => drop(resumer),
        1 => {
            // Refused if another worker cancels it right now.
            if resumer.send((number, Value::new(round))).is_ok() {
                add(&counts.accepted);
            }
        }
        _ => lock(&round.waiting).push((number, resumer)),
    };
    match task::suspend(registered) {
        Ok((sent, _value)) => {
            assert_eq!(sent, number, "sent to somebody else");
            add(&counts.sent);
            Ok(())
        }
        Err(Interrupted::Abandoned) => {
            add(&counts.abandoned);
            Ok(())
        }
        Err(Interrupted::Cancelled(cancelled)) => {
            add(&counts.cut_short);
            Err(cancelled)
        }
        Err(other) => panic!("{other}"),
    }
}

/// Resumes one who waits.
fn send(round: &Shared) {
    let waiting = lock(&round.waiting).pop();
    if let Some((number, resumer)) = waiting
        && resumer.send((number, Value::new(round))).is_ok()
    {
        add(&round.counts.accepted);
    }
}

fn park(round: &Shared, random: &mut Random) -> Result<(), Cancelled> {
    let own = task::current().expect("a task");
    lock(&round.parked).push(own);
    let result = task::park_timeout(random.micros(300));
    let other = {
        let mut parked = lock(&round.parked);
        let index = parked.len().checked_sub(1).map(|last| random.below(last as u64 + 1) as usize);
        index.map(|index| parked.swap_remove(index))
    };
    if let Some(other) = other {
        other.unpark();
    }
    result.map(drop)
}

/// A generator whose body waits; it is finished or dropped half way.
fn generate(round: &Shared, random: &mut Random) -> Result<(), Cancelled> {
    let (inside, limit) = (Arc::clone(round), random.below(4));
    let mut generator = Generator::<Value>::new(move |y| {
        let _local = Value::new(&inside);
        for _ in 0..3 {
            let cut_short = task::yield_now().is_err();
            y.yield_(Value::new(&inside))?;
            if cut_short {
                break;
            }
        }
        Ok(())
    });
    for _ in 0..limit {
        drop(generator.next());
    }
    task::check_cancelled()
}

/// Children that borrow; one may fail.
fn scope(round: &Shared, random: &mut Random, depth: u32) -> Result<(), Cancelled> {
    let lent = Cell::new(0);
    let borrowed = AtomicU64::new(0);
    let fails = random.below(3) == 0;
    let scoped = task::scope(|s| {
        let children = 1 + random.below(3);
        for child in 0..children {
            let (ticket, random) = (Ticket::new(round), Random(random.next()));
            let borrowed = &borrowed;
            s.spawn(move || {
                add(borrowed);
                match body(ticket, random, depth) {
                    Ok(_) if fails && child == 0 => Err("it was to fail".to_owned()),
                    Ok(value) => Ok(value),
                    Err(cancelled) => Err(format!("{cancelled}")),
                }
            });
        }
        lent.set(children);
        Ok(())
    });
    assert!(borrowed.load(Ordering::Relaxed) <= lent.get());
    drop(scoped);
    task::check_cancelled()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a round on a runtime of its own, and looks at its counts.
fn round(seed: u64, workers: usize, roots: u64) -> Shared {
    let round = Shared::default();
    let mut random = Random(seed);
    let runtime = Runtime::builder().workers(workers).build().expect("a runtime");
    runtime.run(|| {
        let roots: Vec<_> = (0..roots).map(|_| spawn(&round, &mut random, 3)).collect();
        // Somebody sends, so that nobody waits for ever.
        let (helping, is_over) = (Arc::clone(&round), Arc::new(AtomicU64::new(0)));
        let over = Arc::clone(&is_over);
        let helper = task::spawn(move || {
            while over.load(Ordering::Relaxed) == 0 {
                send(&helping);
                if let Some(task) = lock(&helping.parked).pop() {
                    task.unpark();
                }
                task::sleep(Duration::from_micros(20)).expect("nobody cancels it");
            }
        });
        for (index, root) in roots.into_iter().enumerate() {
            if index % 5 == 0 {
                root.cancel();
            }
            ended(root.join()).expect("nobody cancels this");
        }
        // Those that were detached.
        let since = Instant::now();
        while Arc::strong_count(&round) > 2 {
            assert!(since.elapsed() < Duration::from_secs(300), "somebody does not end: {:?}", round.counts);
            send(&round);
            task::sleep(Duration::from_micros(50)).expect("nobody cancels this");
        }
        is_over.store(1, Ordering::Relaxed);
        helper.join().expect("it ends well");
    });
    drop(runtime);
    lock(&round.parked).clear();
    lock(&round.waiting).clear();
    let counts = &round.counts;
    let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let ended = get(&counts.never_begun) + get(&counts.returned) + get(&counts.panicked);
    assert_eq!(get(&counts.spawned), ended, "each task ends in one way: {counts:?}");
    let over = get(&counts.sent) + get(&counts.abandoned) + get(&counts.cut_short);
    assert_eq!(get(&counts.waits), over, "each wait ends in one way: {counts:?}");
    assert_eq!(get(&counts.sent), get(&counts.accepted), "what is accepted arrives: {counts:?}");
    assert_eq!(counts.alive.load(Ordering::Relaxed), 0, "each value is dropped once: {counts:?}");
    round
}

#[test]
fn nothing_is_lost_and_nothing_is_left() {
    let setting = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    let begun = Instant::now();
    let seconds = setting("SWITCHBACK_SOAK").map(Duration::from_secs);
    let first = setting("SWITCHBACK_SEED").unwrap_or(1);
    let (rounds, roots) = if SLOW { (3, 12) } else { (12, 40) };
    let mut total = [0_u64; 6];
    let mut stacks = Vec::new();
    for seed in first.. {
        if seconds.map_or(seed - first >= rounds, |seconds| begun.elapsed() >= seconds) {
            break;
        }
        let workers = [1, 2, 4][(seed % 3) as usize];
        // What fails in there says which round it was: the panic's message does not.
        let failed = Says(seed);
        let round = round(seed, workers, roots);
        drop(failed);
        let counts = &round.counts;
        let columns =
            [&counts.spawned, &counts.never_begun, &counts.panicked, &counts.waits, &counts.sent, &counts.cut_short];
        for (sum, count) in total.iter_mut().zip(columns) {
            *sum += count.load(Ordering::Relaxed);
        }
        // But for what the pool keeps for the next ones.
        stacks.push(GuardedStack::mapped().saturating_sub(switchback::stack::pooled()));
    }
    let [spawned, never_begun, panicked, waits, sent, cut_short] = total;
    println!(
        "{} rounds: {spawned} tasks, of which {never_begun} were cancelled before they began and {panicked} have panicked; \
         {waits} waits, of which {sent} were resumed and {cut_short} cancelled; stacks at the ends: {} to {}",
        stacks.len(),
        stacks.iter().min().expect("there are rounds"),
        stacks.iter().max().expect("there are rounds"),
    );
    // In fewer it may be that something has not happened.
    if spawned > 1_000 {
        assert!(never_begun > 0 && waits > sent && sent > 0 && cut_short > 0, "some of it has not happened: {total:?}");
        assert_eq!(panicked > 0, cfg!(panic = "unwind"));
    }
    // What threads may keep.
    assert!(stacks.iter().all(|&mapped| mapped < 1_000), "stacks are left when all runtimes have ended: {stacks:?}");
}

/// Tells the seed when a panic passes.
struct Says(u64);

impl Drop for Says {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the round that has failed: SWITCHBACK_SEED={}", self.0);
        }
    }
}
