//! Under smol's parts: async-executor and async-io.

use crate::support::Gate;
use async_executor::{Executor, LocalExecutor};
use async_io::{Async, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;
use switchback::future::Host;
use switchback::{Cancelled, Runtime, await_, stackful, stackful_on, task};

const NAP: Duration = Duration::from_millis(1);

#[test]
fn a_local_executor_runs_many_with_timers() {
    let executor = LocalExecutor::new();
    let tasks: Vec<_> = (0..100_u64)
        .map(|i| {
            executor.spawn(stackful(move |cx| {
                let local = Rc::new(i);
                cx.await_(Timer::after(NAP))?;
                await_(future::yield_now())?;
                Ok::<u64, Cancelled>(*local)
            }))
        })
        .collect();
    let sum = async_io::block_on(executor.run(async {
        let mut sum = 0;
        for task in tasks {
            sum += task.await?;
        }
        Ok::<u64, Cancelled>(sum)
    }));
    assert_eq!(sum, Ok(99 * 100 / 2));
}

struct Blocking(Async<TcpStream>);

impl Read for Blocking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        await_(self.0.read(buffer))?
    }
}

impl Write for Blocking {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        await_(self.0.write(buffer))?
    }

    fn flush(&mut self) -> io::Result<()> {
        await_(self.0.flush())?
    }
}

#[test]
fn sockets_are_read_by_blocking_code() {
    let talk = async {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
        let address = listener.get_ref().local_addr()?;
        let server = stackful(move |_| -> io::Result<()> {
            let (stream, _) = await_(listener.accept())??;
            writeln!(Blocking(stream), "{:?}", (1..=3).collect::<Vec<_>>())
        });
        let client = stackful(move |_| -> io::Result<String> {
            io::read_to_string(Blocking(await_(Async::<TcpStream>::connect(address))??))
        });
        let (served, text) = future::zip(server, client).await;
        served.and(text)
    };
    assert_eq!(async_io::block_on(talk).expect("loopback works"), "[1, 2, 3]\n");
}

#[test]
fn a_task_that_is_dropped_ends_its_body() {
    let executor = LocalExecutor::new();
    let left = Rc::new(std::cell::Cell::new(false));
    let inside = left.clone();
    let task = executor.spawn(stackful(move |_| {
        inside.set(await_(Timer::after(Duration::from_secs(3600))).is_err());
    }));
    async_io::block_on(executor.run(async {
        future::yield_now().await;
        assert!(task.cancel().await.is_none());
    }));
    assert!(left.get());
}

#[test]
fn an_executor_on_several_threads_waits_for_bodies_on_a_host() {
    let host = Host::new().expect("a thread");
    let executor = Executor::new();
    std::thread::scope(|scope| {
        let ends = [Gate::new(), Gate::new()];
        for end in ends.clone() {
            let executor = &executor;
            scope.spawn(move || future::block_on(executor.run(end)));
        }
        let tasks: Vec<_> = (0..40_u64)
            .map(|i| {
                executor.spawn(stackful_on(&host, move |cx| {
                    // async-io has a reactor of its own, so no hook is needed.
                    cx.await_(Timer::after(NAP)).map(|_| i)
                }))
            })
            .collect();
        let sum: u64 = future::block_on(async {
            let mut sum = 0;
            for task in tasks {
                sum += task.await.expect("the host is there").expect("nobody drops it");
            }
            sum
        });
        assert_eq!(sum, 39 * 40 / 2);
        ends.iter().for_each(Gate::open);
    });
}

#[test]
fn in_tasks_timers_and_sockets_work_as_they_are() {
    // async-io has a thread of its own, so it needs no executor around.
    let runtime = Runtime::builder().workers(2).build().expect("a runtime");
    let text = runtime.run(|| {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
        let address = listener.get_ref().local_addr()?;
        let served = task::spawn(move || {
            let (stream, _) = await_(listener.accept())??;
            await_(Timer::after(NAP))?;
            Blocking(stream).write_all(b"over a socket, synchronously")
        });
        let mut text = String::new();
        let stream = await_(Async::<TcpStream>::connect(address))??;
        Blocking(stream).read_to_string(&mut text)?;
        served.join().expect("it ends well")?;
        Ok::<String, io::Error>(text)
    });
    assert_eq!(text.expect("no error"), "over a socket, synchronously");
}
