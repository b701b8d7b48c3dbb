//! How long a switch and a wake-up take, and how often they take longer: distributions, where other benches have medians.
//!
//! ```text
//! cargo run --release --example latency             # 1,000,000 samples at most, and less than ten seconds
//! cargo run --release --example latency -- 2000     # few samples: the shape, and no figures
//! ```
//!
//! | what | from | to |
//! |---|---|---|
//! | a switch | a `send` | the body's next instruction; or from a yield to its consumer's |
//! | a wake, one worker | `Resumer::send` in a task | the next instruction of the task woken, once the sender waits itself |
//! | a wake, from a thread, worker busy | `Resumer::send` in a thread | the next instruction of the task, whose worker has another that yields |
//! | a wake, from a thread, worker asleep | the same | the same, where the worker has nothing to do and sleeps |
//!
//! Times are of the wall's clock, one way: from the place in the second column to that in the third.
//!
//! A clock cannot tell single nanoseconds, and to read it takes longer than a switch. So a sample of the first two is a *batch*,
//! of as many as the output says, and its time is divided by their number; what a reading of the clock takes is subtracted.
//! A batch hides how unequal its members are, but not an interruption, which is most of what there is to see at the far end.
//! A sample of the others is a single wake: the thread sends the time, and the task compares it with its own.

use std::error::Error;
use std::hint::black_box;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use switchback::CoroutineState::Yielded;
use switchback::{BuildError, Coroutine, Resumer, Runtime, task};

/// Round trips in a sample of switches, of two switches each.
const ROUND_TRIPS: u32 = 32;
/// Wakes in a sample of one worker's.
const WAKES: u32 = 16;
/// How many samples there are, if the command line does not say.
const MOST: usize = 1_000_000;
/// Each part ends by then, with as many samples as it has got.
const LONGEST: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let mut given = std::env::args_os().skip(1).map(|samples| samples.to_str()?.parse().ok());
    let samples = match (given.next(), given.next()) {
        (None, _) => MOST,
        (Some(Some(samples @ 1_000..=MOST)), None) => samples,
        _ => {
            let _ = writeln!(io::stderr(), "usage: latency [SAMPLES], from 1000 to {MOST}");
            return ExitCode::from(2);
        }
    };
    match measure(samples) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "latency: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(samples: usize) -> Result<(), Box<dyn Error>> {
    let clock = clock();
    let least = nanoseconds(clock);
    writeln!(
        io::stdout(),
        "wall time, one way; to read the clock takes {least:.1} ns at least, which is subtracted from each sample"
    )?;
    print(&format!("a switch (batches of {})", 2 * ROUND_TRIPS), switches(samples, clock))?;
    print(&format!("a wake, one worker (batches of {WAKES})"), wakes(samples, clock)?)?;
    // Single wakes take longer, and those of a worker that sleeps wait until it does.
    print("a wake, from a thread, worker busy", wakes_from_afar(samples / 10, clock, true)?)?;
    print("a wake, from a thread, worker asleep", wakes_from_afar(samples / 100, clock, false)?)?;
    Ok(())
}

/// The least that lies between two readings of the clock.
fn clock() -> Duration {
    let pairs = (0..10_000).map(|_| {
        let start = Instant::now();
        start.elapsed()
    });
    pairs.min().unwrap_or_default()
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// So many samples of `sample`, or those that there is time for.
fn collect(samples: usize, mut sample: impl FnMut() -> f64) -> Vec<f64> {
    let start = Instant::now();
    let mut all = Vec::with_capacity(samples);
    while all.len() < samples && (all.is_empty() || start.elapsed() < LONGEST) {
        all.push(sample());
    }
    all
}

fn switches(samples: usize, clock: Duration) -> Vec<f64> {
    let mut echo = Coroutine::<u32, u32>::new(|y| {
        let mut number = 0;
        loop {
            number = y.yield_(number)?;
        }
    });
    echo.start().expect("it has not run yet");
    collect(samples, || {
        let start = Instant::now();
        for number in 0..ROUND_TRIPS {
            let answer = echo.send(black_box(number));
            assert!(matches!(answer, Ok(Yielded(same)) if same == number), "another number came back");
        }
        nanoseconds(start.elapsed().saturating_sub(clock)) / f64::from(2 * ROUND_TRIPS)
    })
}

/// Two tasks of one worker wake each other in turn, and each waits when it has.
fn wakes(samples: usize, clock: Duration) -> Result<Vec<f64>, BuildError> {
    let runtime = Runtime::builder().workers(1).build()?;
    Ok(runtime.run(|| {
        let place = std::rc::Rc::new(std::cell::Cell::new(None::<Resumer<bool>>));
        // Leaves its resumer, and wakes whoever has left one there before.
        let turn = |place: &std::cell::Cell<Option<Resumer<bool>>>, goes_on| {
            let other = place.take().expect("the other one waits");
            task::suspend(|resumer| {
                place.set(Some(resumer));
                other.send(goes_on).expect("nobody is cancelled");
            })
            .expect("nobody is cancelled")
        };
        let other = task::spawn_local({
            let place = std::rc::Rc::clone(&place);
            move || while turn(&place, true) {}
        });
        // The other one's first turn answers this wait.
        task::suspend(|resumer| place.set(Some(resumer))).expect("nobody is cancelled");
        let all = collect(samples, || {
            let start = Instant::now();
            for _ in 0..WAKES / 2 {
                turn(&place, true); // to the other task, and back
            }
            nanoseconds(start.elapsed().saturating_sub(clock)) / f64::from(WAKES)
        });
        place.take().expect("the other one waits").send(false).expect("nobody is cancelled");
        other.join().expect("it ends well");
        all
    }))
}

/// A thread wakes a task again and again, and sends it the time.
fn wakes_from_afar(samples: usize, clock: Duration, is_busy: bool) -> Result<Vec<f64>, BuildError> {
    let runtime = Runtime::builder().workers(1).build()?;
    let (give, take) = mpsc::channel::<Resumer<Instant>>();
    let pause = if is_busy { Duration::from_micros(2) } else { Duration::from_micros(50) };
    // What wakes is a thread of no runtime.
    let waker = thread::spawn(move || {
        for resumer in take {
            let waited = Instant::now();
            if is_busy {
                while waited.elapsed() < pause {
                    std::hint::spin_loop();
                }
            } else {
                thread::sleep(pause); // by then the worker sleeps too
            }
            resumer.send(Instant::now()).expect("nobody is cancelled");
        }
    });
    let all = runtime.run(move || {
        let is_over = Arc::new(AtomicBool::new(!is_busy));
        let busy = task::spawn({
            let is_over = Arc::clone(&is_over);
            move || {
                while !is_over.load(Relaxed) {
                    task::yield_now().expect("nobody is cancelled");
                }
            }
        });
        let all = collect(samples, || {
            let sent = task::suspend(|resumer| give.send(resumer).expect("the thread is there"));
            let now = Instant::now();
            nanoseconds((now - sent.expect("nobody is cancelled")).saturating_sub(clock))
        });
        is_over.store(true, Relaxed);
        busy.join().expect("it ends well");
        all
    });
    waker.join().expect("the thread ends well");
    Ok(all)
}

/// The sample below which the given part of the sorted ones lies.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}

fn print(what: &str, mut samples: Vec<f64>) -> io::Result<()> {
    samples.sort_by(f64::total_cmp);
    writeln!(io::stdout(), "\n{what}: {} samples, ns each", samples.len())?;
    let [least, p50, p99, p999, most] = [0.0, 0.5, 0.99, 0.999, 1.0].map(|part| quantile(&samples, part));
    writeln!(io::stdout(), "  min {least:.2}   p50 {p50:.2}   p99 {p99:.2}   p99.9 {p999:.2}   max {most:.2}")?;
    histogram(&samples, least, p999)
}

/// Equal ratios from the least to p99.9, and a last line for what is above. `#` is a part of the fullest line; what is too few
/// for one has a dot.
fn histogram(sorted: &[f64], least: f64, p999: f64) -> io::Result<()> {
    const LINES: i32 = 16;
    const WIDTH: usize = 56;
    let low = least.max(0.1);
    // Some clocks are so coarse that all samples are equal.
    let step = (p999.max(low * 1.01) / low).powf(1.0 / f64::from(LINES));
    let mut below = 0;
    let mut counts = Vec::new();
    for line in 1..=LINES {
        let end = low * step.powi(line);
        let upto =
            if line == LINES { sorted.partition_point(|&t| t <= p999) } else { sorted.partition_point(|&t| t < end) };
        counts.push((format!("{:>10.2} to {end:>10.2}", low * step.powi(line - 1)), upto.saturating_sub(below)));
        below = upto.max(below);
    }
    counts.push((format!("{:>10} {p999:>13.2}", "above"), sorted.len() - below));
    let fullest = counts.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    for (range, count) in counts {
        let bar = "#".repeat(count * WIDTH / fullest);
        let bar = if bar.is_empty() && count > 0 { ".".to_owned() } else { bar };
        writeln!(io::stdout(), "  {range} {count:>9} {bar}")?;
    }
    Ok(())
}
