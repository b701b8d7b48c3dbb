//! Many live ones: what each costs to make, to hold and to resume. One process makes all of them and measures in turn.

use super::boxed::{Boxed, nested};
use super::down::{down, down_by};
use super::{cpu_time, tokio};
use ::corosensei::stack::DefaultStack;
use ::corosensei::{self, Coroutine, CoroutineResult};
use ::switchback::stack::{DEFAULT_SIZE, GuardedStack, Stack};
use ::switchback::{Builder, CoroutineState::Yielded, Generator, Thrown, Yielder};
use ::tokio::sync::Notify;
use std::cell::Cell;
use std::fs;
use std::hint::black_box;
use std::io;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Live ones of one system. Each yields 1, which its frames do not know beforehand, whenever it is resumed, from so many calls down.
pub(super) trait Live: Sized {
    /// What is left of those that were there before.
    type Pool: Default;

    /// Whether they are made again once all have ended.
    const ENDS: bool = true;

    /// Makes `n` of them, and resumes each to its first yield. Else how many there were, and why there are no more.
    fn create(pool: &mut Self::Pool, n: usize, frames: u32) -> Result<Self, (usize, String)>;

    /// Resumes each in that order, and returns the sum of what they have yielded.
    fn resume(&mut self, order: impl Iterator<Item = usize>) -> u64;

    /// Ends all of them.
    fn recycle(self, pool: &mut Self::Pool);
}

pub(super) fn run(system: &str, frames: u32, n: usize) -> bool {
    match system {
        "switchback" => measure::<Ours>(n, frames),
        "aligned" => measure::<Aligned>(n, frames),
        "corosensei" => measure::<Theirs>(n, frames),
        "tokio" => measure::<Tasks>(n, frames),
        "boxed" => measure::<Boxed>(n, frames),
        _ => return false,
    }
    true
}

/// As many resumptions as make a time that can be measured, and at least one of each.
fn steps(n: usize) -> usize {
    n.max(200_000)
}

fn measure<L: Live>(n: usize, frames: u32) {
    let order = shuffled(n);
    let mut pool = L::Pool::default();
    let each = |ns: u64, times: usize| ns as f64 / times as f64;

    let (resident, tables) = memory();
    let start = cpu_time();
    let mut live = match L::create(&mut pool, n, frames) {
        Ok(live) => live,
        Err((reached, reason)) => {
            return println!("live={reached} stopped={reason}");
        }
    };
    let create = each(cpu_time() - start, n);
    let (resident_now, tables_now) = memory();

    let steps = steps(n);
    // Once untimed, for caches and predictors; a million are too many for those.
    let warm = live.resume(0..n.min(100_000));
    let start = cpu_time();
    let in_turn = live.resume((0..n).cycle().take(steps));
    let robin = each(cpu_time() - start, steps);
    let start = cpu_time();
    let at_random = live.resume(order.iter().map(|&i| i as usize).cycle().take(steps));
    let random = each(cpu_time() - start, steps);

    let reuse = if L::ENDS {
        live.recycle(&mut pool);
        let start = cpu_time();
        let again = L::create(&mut pool, n, frames);
        let again = again.unwrap_or_else(|(_, reason)| panic!("there were {n} before: {reason}"));
        let reuse = each(cpu_time() - start, n);
        again.recycle(&mut pool);
        reuse
    } else {
        std::mem::forget(live); // it goes with the process
        0.0
    };
    assert_eq!(warm, n.min(100_000) as u64, "each yields 1");
    let sum = in_turn + at_random;
    let resident = each(resident_now.saturating_sub(resident), n);
    let tables = each(tables_now.saturating_sub(tables), n);
    println!(
        "live={n} sum={sum} create={create} reuse={reuse} robin={robin} random={random} resident={resident} tables={tables}"
    );
}

/// All numbers below `n`, the same order each time.
fn shuffled(n: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for last in (1..n).rev() {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        order.swap(last, (state % (last as u64 + 1)) as usize);
    }
    order
}

/// Bytes that are resident, and bytes of page tables (Linux: proc_pid_status(5)).
fn memory() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    (field("VmRSS:"), field("VmPTE:"))
}

struct Ours(Vec<Generator<u64>>);

impl Ours {
    #[inline(always)]
    fn started(n: usize, mut make: impl FnMut() -> Result<Generator<u64>, String>) -> Result<Self, (usize, String)> {
        let mut all = Vec::with_capacity(n);
        for reached in 0..n {
            let mut co = make().map_err(|error| (reached, error))?;
            co.start().expect("it starts");
            all.push(co);
        }
        Ok(Self(all))
    }
}

#[inline(always)]
fn yields(y: &Yielder<u64>, frames: u32) -> Result<(), Thrown> {
    let one = black_box(1);
    loop {
        down(y, frames, one)?;
    }
}

impl Live for Ours {
    type Pool = ();

    fn create((): &mut (), n: usize, frames: u32) -> Result<Self, (usize, String)> {
        Self::started(n, || Generator::try_new(move |y| yields(y, frames)).map_err(|error| error.to_string()))
    }

    fn resume(&mut self, order: impl Iterator<Item = usize>) -> u64 {
        let mut total = 0;
        for i in order {
            match self.0[i].resume() {
                Ok(Yielded(x)) => total += x,
                _ => unreachable!("it never ends"),
            }
        }
        total
    }

    fn recycle(self, (): &mut ()) {}
}

/// Ours without colours.
struct Aligned(Ours);

/// How many colours a stack that somebody provides may have, in turn, and how far they are from each other.
const COLOURS: usize = 16;
const LINE: usize = 64;

/// A stack that ends so much lower that its colour brings its frames to where those of all others are.
struct Uncoloured {
    stack: GuardedStack,
    lower: usize,
}

// SAFETY: it is a part of a stack that is one, and always the same part.
unsafe impl Stack for Uncoloured {
    fn top(&self) -> NonNull<u8> {
        // SAFETY: a stack is much larger than all colours.
        unsafe { self.stack.top().sub(self.lower) }
    }

    fn limit(&self) -> NonNull<u8> {
        self.stack.limit()
    }
}

impl Live for Aligned {
    /// How many there have been.
    type Pool = usize;

    /// Nothing is told of it.
    const ENDS: bool = false;

    fn create(made: &mut usize, n: usize, frames: u32) -> Result<Self, (usize, String)> {
        let place = Rc::new(Cell::new(None));
        let make = || {
            let stack = GuardedStack::new(DEFAULT_SIZE).map_err(|error| error.to_string())?;
            let stack = Uncoloured { stack, lower: (COLOURS - *made % COLOURS) * LINE };
            *made += 1;
            let place = Rc::clone(&place);
            let co = Builder::new().stack(stack).generator(move |y: &Yielder<u64>| {
                let local = 0_u8;
                let here = (&raw const local).addr() % 4096;
                assert_eq!(place.replace(Some(here)).unwrap_or(here), here, "colours are not what they were");
                yields(y, frames)
            });
            co.map_err(|error| error.to_string())
        };
        Ours::started(n, make).map(Self)
    }

    fn resume(&mut self, order: impl Iterator<Item = usize>) -> u64 {
        self.0.resume(order)
    }

    fn recycle(self, _: &mut usize) {}
}

struct Theirs(Vec<Coroutine<(), u64, (), DefaultStack>>);

impl Live for Theirs {
    type Pool = Vec<DefaultStack>;

    fn create(pool: &mut Self::Pool, n: usize, frames: u32) -> Result<Self, (usize, String)> {
        let mut all = Vec::with_capacity(n);
        for reached in 0..n {
            let stack = pool.pop().map_or_else(|| DefaultStack::new(256 << 10), Ok);
            let stack = match stack {
                Ok(stack) => stack,
                Err(error) => {
                    // To unwind tens of thousands takes mappings too, and there are none.
                    std::mem::forget(all);
                    return Err((reached, stopped(&error)));
                }
            };
            let mut co = Coroutine::with_stack(stack, move |y: &corosensei::Yielder<(), u64>, ()| {
                let one = black_box(1);
                loop {
                    down_by(y, frames, one, &|y: &corosensei::Yielder<(), u64>, x| y.suspend(x));
                }
            });
            co.resume(());
            all.push(co);
        }
        Ok(Self(all))
    }

    fn resume(&mut self, order: impl Iterator<Item = usize>) -> u64 {
        let mut total = 0;
        for i in order {
            match self.0[i].resume(()) {
                CoroutineResult::Yield(x) => total += x,
                CoroutineResult::Return(()) => unreachable!("it never ends"),
            }
        }
        total
    }

    fn recycle(self, pool: &mut Self::Pool) {
        pool.extend(self.0.into_iter().map(|mut co| {
            co.force_unwind();
            co.into_stack()
        }));
    }
}

fn stopped(error: &io::Error) -> String {
    let most = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    format!("{error}; vm.max_map_count is {}", most.trim())
}

/// Tasks of tokio, each of which waits to be notified.
struct Tasks {
    runtime: ::tokio::runtime::Runtime,
    tasks: Arc<Vec<Arc<Notify>>>,
    total: Arc<AtomicU64>,
}

async fn notified(notify: &Notify) {
    notify.notified().await;
}

nested!(notified16(notify: &Notify) notified);

impl Live for Tasks {
    type Pool = Option<::tokio::runtime::Runtime>;

    fn create(pool: &mut Self::Pool, n: usize, frames: u32) -> Result<Self, (usize, String)> {
        let runtime = pool.take().unwrap_or_else(tokio::runtime);
        let total = Arc::new(AtomicU64::new(0));
        let mut tasks = Vec::with_capacity(n);
        for _ in 0..n {
            let (notify, total) = (Arc::new(Notify::new()), Arc::clone(&total));
            tasks.push(Arc::clone(&notify));
            let one = move || total.fetch_add(1, Relaxed);
            if frames == 1 {
                runtime.spawn(async move {
                    loop {
                        notified(&notify).await;
                        one();
                    }
                });
            } else {
                runtime.spawn(async move {
                    loop {
                        notified16(&notify).await;
                        one();
                    }
                });
            }
        }
        // Its queue is first in, first out: when this one has run, all have begun, and wait.
        runtime.block_on(runtime.spawn(async {})).expect("it ends well");
        Ok(Self { runtime, tasks: Arc::new(tasks), total })
    }

    /// A task notifies up to 32 of them, and yields until they have run: what that takes is shared by 32.
    fn resume(&mut self, order: impl Iterator<Item = usize>) -> u64 {
        let order: Vec<u32> = order.map(|i| i as u32).collect();
        let (tasks, total) = (Arc::clone(&self.tasks), Arc::clone(&self.total));
        let before = total.load(Relaxed);
        let main = self.runtime.spawn(async move {
            let mut done = before;
            // Any 32 of them in a row are different ones, or all.
            for some in order.chunks(tasks.len().min(32)) {
                for &i in some {
                    tasks[i as usize].notify_one();
                }
                done += some.len() as u64;
                while total.load(Relaxed) != done {
                    ::tokio::task::yield_now().await;
                }
            }
            done - before
        });
        self.runtime.block_on(main).expect("it ends well")
    }

    /// What there is to use again is the allocator's memory: tasks go when their runtime does.
    fn recycle(self, _: &mut Self::Pool) {}
}
