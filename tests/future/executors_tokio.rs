//! Under tokio, both flavours: timers, sockets on loopback, channels, local tasks.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use switchback::future::{Awaiter, Host, stackful_stream};
use switchback::{Cancelled, await_, stackful, stackful_on, task};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

const NAP: Duration = Duration::from_millis(1);

/// A socket as blocking code wants it.
struct Blocking(TcpStream);

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

/// Answers each of `connections` with what it was sent, in capitals, by std's synchronous means.
fn serve(listener: &TcpListener, connections: usize) -> io::Result<()> {
    for _ in 0..connections {
        let (stream, _) = await_(listener.accept())??;
        let mut stream = Blocking(stream);
        let mut length = [0];
        stream.read_exact(&mut length)?;
        let mut text = vec![0; length[0].into()];
        stream.read_exact(&mut text)?;
        write!(stream, "{}", String::from_utf8_lossy(&text).to_uppercase())?;
    }
    Ok(())
}

fn ask(address: SocketAddr, text: &str) -> io::Result<String> {
    let mut stream = Blocking(await_(TcpStream::connect(address))??);
    stream.write_all(&[u8::try_from(text.len()).map_err(io::Error::other)?])?;
    stream.write_all(text.as_bytes())?;
    io::read_to_string(stream)
}

/// A server and three clients, all of them synchronous inside, on one thread.
async fn conversation() -> io::Result<Vec<String>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = stackful(move |_| serve(&listener, 3));
    let client = |text: &'static str| stackful(move |_| ask(address, text));
    let clients = async {
        let (a, b) = futures_lite::future::zip(client("one"), client("two")).await;
        Ok(vec![a?, b?, client("three").await?])
    };
    let (served, answers) = futures_lite::future::zip(server, clients).await;
    served.and(answers)
}

#[test]
fn sockets_on_either_flavour() {
    let expected = ["ONE", "TWO", "THREE"];
    assert_eq!(current_thread().block_on(conversation()).expect("loopback works"), expected);
    assert_eq!(multi_thread().block_on(conversation()).expect("loopback works"), expected);
}

#[test]
fn timers_run_side_by_side() {
    for runtime in [current_thread(), multi_thread()] {
        let order = runtime.block_on(async {
            let order = Rc::new(RefCell::new(Vec::new()));
            let sleeper = |name: &'static str, naps: u32| {
                let order = order.clone();
                stackful(move |cx| {
                    for _ in 0..naps {
                        cx.await_(sleep(20 * NAP))?;
                    }
                    order.borrow_mut().push(name);
                    Ok::<(), Cancelled>(())
                })
            };
            let both = futures_lite::future::zip(sleeper("second", 4), sleeper("first", 1)).await;
            assert_eq!(both, (Ok(()), Ok(())));
            order.take()
        });
        assert_eq!(order, ["first", "second"]);
    }
}

#[test]
fn a_timeout_drops_it_in_its_midst() {
    let left = Rc::new(RefCell::new(Vec::new()));
    let inside = left.clone();
    let waits = stackful(move |cx| {
        let waited = cx.await_(sleep(Duration::from_secs(3600)));
        inside.borrow_mut().push(waited);
    });
    let timed_out = current_thread().block_on(async { timeout(5 * NAP, waits).await });
    assert!(timed_out.is_err());
    assert!(matches!(left.borrow()[..], [Err(_)]));
}

#[test]
fn channels_carry_values_between_bodies_and_tasks() {
    let sum = current_thread().block_on(async {
        let (sender, mut receiver) = mpsc::channel::<u32>(2);
        let (answer, answered) = oneshot::channel();
        let adds = stackful(move |cx| {
            let mut sum = 0;
            while let Some(n) = cx.await_(receiver.recv())? {
                sum += n;
            }
            let _ = answer.send(sum);
            Ok::<(), Cancelled>(())
        });
        let sends = tokio::spawn(async move {
            for n in 1..=10 {
                sender.send(n).await.expect("it is received");
            }
        });
        adds.await.expect("nobody drops it");
        sends.await.expect("no panic");
        answered.await.expect("it is sent")
    });
    assert_eq!(sum, 55);
}

#[test]
fn local_tasks_run_it() {
    for runtime in [current_thread(), multi_thread()] {
        let local = LocalSet::new();
        let sum = local.block_on(&runtime, async {
            let tasks: Vec<_> = (0..50_u64)
                .map(|i| {
                    tokio::task::spawn_local(stackful(move |_| {
                        await_(sleep(NAP))?;
                        await_(tokio::task::yield_now())?;
                        Ok::<u64, Cancelled>(i)
                    }))
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.expect("no panic").expect("nobody drops it");
            }
            sum
        });
        assert_eq!(sum, 49 * 50 / 2);
    }
}

#[test]
fn a_local_set_that_is_dropped_drops_it() {
    let left = Rc::new(RefCell::new(0));
    let runtime = current_thread();
    let local = LocalSet::new();
    for _ in 0..3 {
        let inside = left.clone();
        local.spawn_local(stackful(move |cx| {
            let waited = cx.await_(sleep(Duration::from_secs(3600)));
            *inside.borrow_mut() += usize::from(waited.is_err());
        }));
    }
    local.block_on(&runtime, async { sleep(NAP).await });
    assert_eq!(*left.borrow(), 0);
    drop(local);
    assert_eq!(*left.borrow(), 3);
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_in_a_local_task_is_its_join_error() {
    let local = LocalSet::new();
    let error = local.block_on(&current_thread(), async {
        let task = stackful(|cx| {
            cx.await_(sleep(NAP)).expect("nobody drops it");
            std::panic::panic_any("boom");
        });
        tokio::task::spawn_local::<switchback::future::Stackful<(), _>>(task).await.expect_err("it panics")
    });
    assert_eq!(error.into_panic().downcast_ref::<&str>(), Some(&"boom"));
}

#[test]
fn streams_are_polled_by_tasks() {
    let items = current_thread().block_on(async {
        let mut ticks = stackful_stream(|cx, y| {
            for tick in 0..3 {
                cx.await_(sleep(NAP))?;
                y.yield_(tick)?;
            }
            Ok(())
        });
        let mut items = Vec::new();
        while let Some(tick) = ticks.next().await {
            sleep(NAP).await;
            items.push(tick);
        }
        items
    });
    assert_eq!(items, [0, 1, 2]);
}

/// A host whose tasks find the runtime.
fn host(runtime: &Runtime) -> Host {
    let handle = runtime.handle().clone();
    let host = Host::builder().enter(move |resume| {
        let _entered = handle.enter();
        resume();
    });
    host.build().expect("a thread")
}

#[test]
fn spawned_tasks_of_the_multi_threaded_flavour_wait_for_bodies_on_a_host() {
    let runtime = multi_thread();
    let host = host(&runtime);
    let tasks: Vec<_> = (0..40_u64)
        .map(|i| {
            // `spawn` asks for Send.
            runtime.spawn(stackful_on(&host, move |cx: &Awaiter| {
                let not_send = Rc::new(i);
                cx.await_(sleep(NAP))?;
                await_(tokio::task::yield_now())?;
                Ok::<u64, Cancelled>(*not_send)
            }))
        })
        .collect();
    let sum = runtime.block_on(async {
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("no panic").expect("the host is there").expect("nobody drops it");
        }
        sum
    });
    assert_eq!(sum, 39 * 40 / 2);
}

#[test]
fn sockets_on_a_host_are_those_of_the_runtime() {
    let runtime = multi_thread();
    let host = host(&runtime);
    let answers = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(stackful_on(&host, move |_| serve(&listener, 2)));
        let client = |text: &'static str| tokio::spawn(stackful_on(&host, move |_| ask(address, text)));
        let (a, b) = (client("one"), client("two"));
        let gone = |cancelled: Cancelled| io::Error::from(cancelled);
        let answers = vec![a.await?.map_err(gone)??, b.await?.map_err(gone)??];
        server.await?.map_err(gone)??;
        Ok::<_, io::Error>(answers)
    });
    assert_eq!(answers.expect("loopback works"), ["ONE", "TWO"]);
}

#[test]
fn an_aborted_task_ends_its_body_on_the_host() {
    let runtime = multi_thread();
    let host = host(&runtime);
    let (left, mut seen) = mpsc::unbounded_channel();
    let (begun, begins) = oneshot::channel();
    let task = runtime.spawn(stackful_on(&host, move |cx| {
        let thread = std::thread::current().id();
        let _ = begun.send(thread);
        let waited = cx.await_(sleep(Duration::from_secs(3600)));
        let _ = left.send((thread, waited.is_err()));
    }));
    let (thread, left) = runtime.block_on(async {
        let thread = begins.await.expect("it begins");
        task.abort();
        assert!(task.await.expect_err("it is aborted").is_cancelled());
        (thread, seen.recv().await)
    });
    assert_eq!(left, Some((thread, true)));
}

/// Polls with tokio's context, which is the thread's, and not the task's: it is left before anything can be suspended.
async fn inside<F: Future>(handle: &Handle, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let _entered = handle.enter();
        future.as_mut().poll(cx)
    })
    .await
}

#[test]
fn in_tasks_of_ours_tokios_resources_work_once_they_are_made() {
    let runtime = multi_thread();
    let handle = runtime.handle().clone();
    switchback::Runtime::builder().workers(2).build().expect("a runtime").run(|| {
        let there = handle.clone();
        let task = task::spawn(move || {
            // What is made in tokio's context may be polled outside of it.
            let nap = {
                let _entered = there.enter();
                sleep(NAP)
            };
            await_(nap)?;
            let (to, from) = oneshot::channel();
            let spawned = there.spawn(async move { to.send(6) });
            let six = await_(from)?.expect("it was sent");
            await_(spawned)?.expect("it ends well").expect("somebody waits");
            Ok::<u32, Cancelled>(six)
        });
        assert_eq!(task.join().expect("it ends well"), Ok(6));
        // What makes its resources on the way is polled in the context.
        let talk = async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let both = futures_lite::future::try_zip(TcpStream::connect(address), listener.accept());
            let (mut one, (mut other, _)) = both.await?;
            one.write_all(b"hi").await?;
            drop(one);
            let mut text = String::new();
            timeout(NAP * 60_000, other.read_to_string(&mut text)).await??;
            Ok::<String, io::Error>(text)
        };
        assert_eq!(await_(inside(&handle, talk)).expect("not cancelled").expect("no error"), "hi");
    });
}

#[test]
fn tokio_awaits_tasks_of_ours() {
    let runtime = multi_thread();
    switchback::Runtime::builder().workers(1).build().expect("a runtime").run(|| {
        let ours = switchback::Handle::current().expect("a runtime");
        let theirs = runtime.spawn(async move {
            let task = ours.spawn(|| task::yield_now().map(|()| 7));
            task.await.map_err(|_| "no result")
        });
        assert_eq!(await_(theirs).expect("not cancelled").expect("it ends well"), Ok(Ok(7)));
    });
}
