//! A synchronous interpreter inside of an async program: thousands of scripts on one thread, each waiting for timers and
//! sockets as if it were alone.
//!
//! The interpreter is rhai, as it is published. It knows nothing of futures: its scripts call host functions, and those
//! return when they have their answer. Here the answers come from tokio, deep below the interpreter's frames, by `await_`;
//! no function between is `async`. Each script has a stack of its own, and tokio takes it for one more future.
//!
//! Run it with `cargo run --release --example async_host [SCRIPTS]`. The same scripts run all at once, and one by one.

#![forbid(unsafe_code)]

#[cfg(unix)]
mod host;
#[cfg(unix)]
mod store;

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::io::{Write, stdout};
    use std::time::{Duration, Instant};

    let mut arguments = std::env::args_os().skip(1);
    let scripts: i64 = match arguments.next() {
        // Where addresses are short, fewer stacks fit.
        None => {
            if cfg!(target_pointer_width = "64") {
                2_000
            } else {
                500
            }
        }
        Some(argument) => {
            let number = argument.to_str().and_then(|text| text.parse().ok()).filter(|number| *number >= 0);
            number.ok_or_else(|| format!("usage: async_host [SCRIPTS], not {argument:?}"))?
        }
    };
    if let Some(argument) = arguments.next() {
        return Err(format!("usage: async_host [SCRIPTS], and no {argument:?}").into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let store = store::start().await?;
        let host = host::Host::new(store.clone())?;
        let expected: i64 = (0..scripts).map(store::price).sum();

        let start = Instant::now();
        let tasks: Vec<_> = (0..scripts).map(|order| tokio::task::spawn_local(host.run(order))).collect();
        let mut total = 0;
        for task in tasks {
            total += task.await??;
        }
        let at_once = start.elapsed();
        assert_eq!(total, expected);
        let most = store.most_at_once();
        writeln!(
            stdout(),
            "{scripts} scripts at once, on one thread: total {total}, up to {most} in the midst of a call"
        )?;

        let start = Instant::now();
        let mut total = 0;
        for order in 0..scripts {
            total += host.run(order).await?;
        }
        let one_by_one = start.elapsed();
        assert_eq!(total, expected);
        writeln!(stdout(), "{scripts} scripts one by one: total {total}")?;
        writeln!(stdout(), "at once: {at_once:.1?}; one by one: {one_by_one:.1?}")?;

        // One that never ends by itself. When it is dropped, its `sleep` fails, and the interpreter leaves as for any error.
        let endless = tokio::time::timeout(Duration::from_millis(20), host.run_endless()).await;
        assert!(endless.is_err() && host.has_left());
        writeln!(stdout(), "a script without an end: timed out and dropped, and the interpreter has left it")?;
        Ok(())
    })
}

#[cfg(not(unix))]
fn main() {
    println!("this example runs under tokio on Unix");
}
