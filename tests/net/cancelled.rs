//! Cancellation, and timeouts: what has not happened has not happened.

use super::{on, pair};
use crate::slow::SLOW;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;
use switchback::net::{TcpListener, UnixStream};
use switchback::{CancelReason, Cancelled, Runtime, task};

#[test]
fn a_cancelled_read_loses_nothing() {
    on(1, || {
        let (mut here, there) = pair().expect("a pair");
        let there = Arc::new(there);
        let theirs = Arc::clone(&there);
        let reader = task::spawn(move || (&*theirs).read(&mut [0; 5]));
        task::yield_now().expect("it waits now");
        // The bytes are there before the reader has gone on, and nobody has looked for them yet.
        here.write_all(b"bytes").expect("room");
        reader.cancel();
        let error = reader.join().expect("no panic").expect_err("the cancel was first");
        assert_eq!(error.kind(), ErrorKind::Other);
        let cancelled = Cancelled::find_in(&error).expect("the reason");
        assert_eq!(cancelled.reason(), &CancelReason::Requested);
        let mut came = [0; 5];
        (&*there).read_exact(&mut came).expect("all of it");
        assert_eq!(&came, b"bytes");
    });
}

/// The redis crate has an `Arc` of any error, as its own errors can be cloned.
#[test]
fn the_reason_is_found_in_errors_of_others() {
    #[derive(Debug)]
    struct Theirs<E>(E);
    impl<E> std::fmt::Display for Theirs<E> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("it did not work")
        }
    }
    impl<E: Error + 'static> Error for Theirs<E> {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    on(1, || {
        let (_here, mut there) = UnixStream::pair().expect("a pair");
        let mut cut_short = || {
            let read = task::timeout(Duration::ZERO, || there.read(&mut [0]));
            read.expect_err("nobody writes").into_value().expect_err("it was cut short")
        };
        let shared: Arc<dyn Error + Send + Sync> = Arc::new(cut_short());
        let errors: [Box<dyn Error>; 4] = [
            Box::new(Theirs(cut_short())),
            Box::new(Theirs(Arc::new(cut_short()))),
            Box::new(Theirs(shared)),
            Box::new(io::Error::other(Theirs(Theirs(Arc::new(io::Error::other(cut_short())))))),
        ];
        for error in errors {
            let cancelled = Cancelled::find_in(&*error).unwrap_or_else(|| panic!("none in {error:?}"));
            assert_eq!(cancelled.reason(), &CancelReason::TimedOut);
        }
        assert!(Cancelled::find_in(&Theirs(Arc::new(io::Error::from(ErrorKind::Other)))).is_none());
    });
}

#[test]
fn what_is_there_wins() {
    on(1, || {
        let (mut here, mut there) = UnixStream::pair().expect("a pair");
        here.write_all(b"x").expect("room");
        let reader = task::spawn(move || {
            let _ = task::park();
            assert_eq!(there.read(&mut [0; 8]).expect("it is there"), 1);
            there.read(&mut [0; 8]).expect_err("cancelled")
        });
        task::yield_now().expect("it parks now");
        reader.cancel();
        assert!(Cancelled::find_in(&reader.join().expect("no panic")).is_some());
    });
}

#[test]
fn incoming_ends() {
    on(1, || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = task::spawn(move || listener.incoming().count());
        task::yield_now().expect("it waits now");
        server.cancel();
        assert_eq!(server.join().expect("no panic"), 0);
    });
}

#[test]
fn timeouts_of_the_socket_and_around_it() {
    let runtime = Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime");
    runtime.run(|| {
        let (here, mut there) = UnixStream::pair().expect("a pair");
        let hour = Duration::from_secs(3600);
        there.set_read_timeout(Some(hour)).expect("a timeout");
        assert_eq!(there.try_clone().expect("a clone").read_timeout().expect("std's"), Some(hour));
        let start = task::now();
        assert_eq!(there.read(&mut [0]).expect_err("nobody writes").kind(), ErrorKind::TimedOut);
        assert_eq!(task::now() - start, hour);
        let read = task::timeout(hour / 2, || there.read(&mut [0]));
        assert!(read.is_err());
        assert_eq!(task::now() - start, hour * 3 / 2);
        there.set_write_timeout(Some(hour)).expect("a timeout");
        let error = there.write_all(&vec![0; 1 << 24]).expect_err("nobody reads");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(there.set_read_timeout(Some(Duration::ZERO)).expect_err("zero").kind(), ErrorKind::InvalidInput);
        drop(here);
    });
}

/// As of std's: what has come in time is read, however late the worker finds the time to look for it.
#[test]
fn what_has_come_is_before_the_end_of_the_time() {
    on(1, || {
        let limit = Duration::from_millis(20);
        type Read = fn(&mut UnixStream, Duration) -> io::Result<usize>;
        let reads: [Read; 2] = [
            |stream, limit| stream.set_read_timeout(Some(limit)).and_then(|()| stream.read(&mut [0])),
            |stream, limit| task::timeout(limit, || stream.read(&mut [0]))?,
        ];
        for read in reads {
            let (mut here, mut there) = UnixStream::pair().expect("a pair");
            let reader = task::spawn_local(move || read(&mut there, limit));
            task::yield_now().expect("it waits now");
            here.write_all(b"x").expect("room");
            std::thread::sleep(limit * 2);
            assert_eq!(reader.join().expect("no panic").expect("it is there"), 1);
        }
        // And what there is room for by then is written.
        let (here, mut there) = UnixStream::pair().expect("a pair");
        here.set_nonblocking(true).expect("always");
        while (&here).write(&[0; 4096]).is_ok() {}
        here.set_nonblocking(false).expect("always");
        here.set_write_timeout(Some(limit)).expect("it is not zero");
        let writer = task::spawn_local(move || (&here).write(&[0]));
        task::yield_now().expect("it waits now");
        let mut bytes = vec![0; 1 << 20];
        assert!(there.read(&mut bytes).expect("much is there") > 4096);
        std::thread::sleep(limit * 2);
        assert_eq!(writer.join().expect("no panic").expect("there is room"), 1);
    });
}

#[test]
fn with_a_virtual_clock_what_has_come_is_before_a_timer() {
    let runtime = Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime");
    runtime.run(|| {
        let (mut here, mut there) = UnixStream::pair().expect("a pair");
        let start = task::now();
        let reader = task::spawn_local(move || there.read(&mut [0]).map(|_| task::now()));
        task::yield_now().expect("it waits now");
        here.write_all(b"x").expect("room");
        task::sleep(Duration::from_secs(1)).expect("a second");
        assert_eq!(reader.join().expect("no panic").expect("a byte"), start);
    });
}

/// Of two workers the one that waits for I/O may have been woken by the system, and not have come to run.
#[test]
fn with_a_virtual_clock_what_another_worker_is_about_to_see_is_before_a_timer() {
    let runtime = Runtime::builder().workers(2).virtual_clock(true).build().expect("a runtime");
    runtime.run(|| {
        let hour = Duration::from_secs(3600);
        let start = task::now();
        let rounds = if SLOW { 100 } else { 2000 };
        let (here, there) = UnixStream::pair().expect("a pair");
        let ends = [(0, here), (1, there)].map(|(worker, mut stream)| {
            task::spawn_on(worker, move || {
                (0..rounds).try_for_each(|_| {
                    stream.write_all(b"x")?;
                    task::timeout(hour, || stream.read_exact(&mut [0]))?
                })
            })
        });
        for end in ends {
            end.join().expect("no panic").expect("the clock has not jumped");
        }
        assert_eq!(task::now(), start);
    });
}

#[test]
fn waits_that_were_given_up_are_forgotten() {
    on(1, || {
        let (here, mut there) = UnixStream::pair().expect("a pair");
        for _ in 0..10 {
            let read = task::timeout(Duration::from_micros(10), || there.read(&mut [0]));
            assert!(read.is_err());
        }
        (&here).write_all(b"x").expect("room");
        assert_eq!(there.read(&mut [0]).expect("a byte"), 1);
    });
}

#[test]
fn while_a_panic_unwinds_a_call_that_would_wait_is_refused() {
    if !cfg!(panic = "unwind") {
        return;
    }
    on(1, || {
        struct Reads(UnixStream, std::rc::Rc<std::cell::Cell<Option<io::Error>>>);
        impl Drop for Reads {
            fn drop(&mut self) {
                self.1.set(self.0.read(&mut [0]).err());
            }
        }
        let (_here, there) = UnixStream::pair().expect("a pair");
        let place = std::rc::Rc::new(std::cell::Cell::new(None));
        let reads = Reads(there, std::rc::Rc::clone(&place));
        let task = task::spawn_local(move || {
            let _reads = reads;
            panic!("it unwinds");
        });
        assert!(task.join().map(|never: ()| never).is_err());
        let error = place.take().expect("an error");
        assert_eq!(Cancelled::find_in(&error).expect("a reason").reason(), &CancelReason::Panicking);
    });
}
