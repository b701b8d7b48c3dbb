//! Reads that need not be tried, because the one before has brought less than it might: what there is comes all the same.

use super::{on, pair};
use socket2::SockRef;
use std::io::{ErrorKind, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use switchback::net::{TcpStream, UnixStream};
use switchback::{CancelReason, Cancelled, Resumer, Runtime, task};

/// Returns when there is something to be read, without letting the worker look for it.
pub(crate) fn await_arrival(stream: &TcpStream) {
    loop {
        match SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
            peeked => return assert_eq!(peeked.expect("no error"), 1),
        }
    }
}

#[test]
fn what_is_there_wins_although_no_event_has_told_of_it() {
    on(1, || {
        let (mut here, there) = pair().expect("a pair");
        let there = Arc::new(there);
        let theirs = Arc::clone(&there);
        let has_read = Arc::new(AtomicBool::new(false));
        let tells = Arc::clone(&has_read);
        let reader = task::spawn(move || {
            let mut bytes = [0; 8];
            assert_eq!((&*theirs).read(&mut bytes).expect("the first"), 1);
            tells.store(true, Ordering::Relaxed);
            let _ = task::park();
            assert_eq!((&*theirs).read(&mut bytes).expect("it is there"), 1);
            (&*theirs).read(&mut bytes).expect_err("cancelled");
            bytes[0]
        });
        task::yield_now().expect("it waits now");
        here.write_all(b"a").expect("room");
        while !has_read.load(Ordering::Relaxed) {
            task::yield_now().expect("it reads, and parks");
        }
        here.write_all(b"b").expect("room");
        await_arrival(&there);
        reader.cancel();
        assert_eq!(reader.join().expect("no panic"), b'b');
    });
}

/// Its result is the result, and no late one: nobody was told of the cancellation.
#[test]
fn a_call_that_was_cancelled_before_takes_what_is_there() {
    on(1, || {
        let (mut here, mut there) = pair().expect("a pair");
        here.write_all(b"a").expect("room");
        assert_eq!(there.read(&mut [0; 8]).expect("it comes"), 1, "and nothing is left");
        here.write_all(b"b").expect("room");
        await_arrival(&there);
        let read = task::timeout(Duration::ZERO, || there.read(&mut [0; 8]));
        assert_eq!(read.expect("it is in time").expect("it is there"), 1);
        // Now and then the others get their turn in between.
        for _ in 0..200 {
            here.write_all(b"c").expect("room");
            await_arrival(&there);
            let read = task::timeout(Duration::ZERO, || there.read(&mut [0; 1]));
            assert_eq!(read.expect("it is in time").expect("it is there"), 1);
        }
    });
}

/// The time is over when it calls, which the worker has not seen yet, no more than what has come.
#[test]
fn who_calls_too_late_takes_what_is_there() {
    on(1, || {
        let (mut here, mut there) = pair().expect("a pair");
        // It is watched from here on.
        assert!(task::timeout(Duration::from_micros(1), || there.read(&mut [0; 8])).is_err());
        for _ in 0..3 {
            here.write_all(b"a").expect("room");
            assert_eq!(there.read(&mut [0; 8]).expect("it comes"), 1, "and nothing is left");
            here.write_all(b"b").expect("room");
            await_arrival(&there);
            let limit = Duration::from_millis(1);
            let read = task::timeout(limit, || {
                thread::sleep(limit * 2);
                there.read(&mut [0; 8])
            });
            assert_eq!(read.expect("it is in time").expect("it is there"), 1);
            // And where there is nothing it says so, and the timeout too.
            let read = task::timeout(limit, || {
                thread::sleep(limit * 2);
                there.read(&mut [0; 8])
            });
            let error = read.expect_err("it is over").into_value().expect_err("nothing is there");
            assert_eq!(Cancelled::find_in(&error).expect("the reason").reason(), &CancelReason::TimedOut);
        }
    });
}

#[test]
fn what_follows_urgent_data_is_read() {
    on(1, || {
        let (mut here, mut there) = pair().expect("a pair");
        let reader = task::spawn(move || {
            let mut bytes = [0; 8];
            let mut all = Vec::new();
            while all.len() < 4 {
                let length = there.read(&mut bytes).expect("no error");
                all.extend_from_slice(&bytes[..length]);
            }
            all
        });
        task::yield_now().expect("it waits now");
        here.write_all(b"ab").expect("room");
        SockRef::from(&here).send_out_of_band(b"!").expect("room");
        here.write_all(b"cd").expect("room");
        // A read stops where the urgent byte was.
        assert_eq!(reader.join().expect("no panic"), b"abcd");
    });
}

#[test]
#[cfg(target_os = "linux")]
fn what_follows_a_descriptor_is_read() {
    use std::io::IoSlice;
    use std::os::fd::AsRawFd;

    on(1, || {
        let (mut here, mut there) = UnixStream::pair().expect("a pair");
        let reader = task::spawn(move || {
            let mut bytes = [0; 8];
            [0, 1].map(|_| there.read(&mut bytes).expect("no error"))
        });
        task::yield_now().expect("it waits now");
        // A `cmsghdr`, and the descriptor.
        let mut control = (size_of::<usize>() + 12).to_ne_bytes().to_vec();
        for word in [libc::SOL_SOCKET, libc::SCM_RIGHTS, here.as_raw_fd()] {
            control.extend_from_slice(&word.to_ne_bytes());
        }
        control.resize(control.len().next_multiple_of(size_of::<usize>()), 0);
        let bytes = [IoSlice::new(b"a")];
        let message = socket2::MsgHdr::new().with_buffers(&bytes).with_control(&control);
        assert_eq!(SockRef::from(&here).sendmsg(&message, 0).expect("room"), 1);
        here.write_all(b"bc").expect("room");
        // A read stops after what came with the descriptor.
        assert_eq!(reader.join().expect("no panic"), [1, 2]);
    });
}

/// As of std's, be there anything or not.
#[test]
fn a_read_into_no_buffers_does_not_wait() {
    // With a clock that jumps when everybody waits.
    let runtime = Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime");
    runtime.run(|| {
        let (mut here, mut there) = pair().expect("a pair");
        there.set_read_timeout(Some(Duration::from_secs(3600))).expect("it is not zero");
        let reader = task::spawn_local(move || there.read(&mut [0; 8]).map(|length| (length, there)));
        task::yield_now().expect("it waits now");
        here.write_all(b"a").expect("room");
        let (length, mut there) = reader.join().expect("no panic").expect("it comes");
        assert_eq!(length, 1, "and nothing is left");
        let start = task::now();
        for buffers in [&mut [][..], &mut [IoSliceMut::new(&mut [])]] {
            assert_eq!(there.read_vectored(buffers).expect("no error"), 0);
        }
        assert_eq!(task::now(), start);
    });
}

/// A read stops at the most that the system takes, and that is no sign that there is no more.
#[test]
fn what_is_left_by_a_read_into_too_many_buffers_is_read() {
    const MANY: usize = 3_000;
    // With a clock that jumps when everybody waits.
    let runtime = Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime");
    runtime.run(|| {
        let (mut here, mut there) = pair().expect("a pair");
        let reader = task::spawn_local(move || {
            there.read_exact(&mut [0]).map(|()| {
                // The event has been told of by now.
                let mut bytes = [0; MANY];
                let mut buffers: Vec<_> = bytes.chunks_mut(1).map(IoSliceMut::new).collect();
                let length = there.read_vectored(&mut buffers).expect("it is there");
                there.set_read_timeout(Some(Duration::from_secs(3600))).expect("it is not zero");
                let start = task::now();
                there.read_exact(&mut vec![0; MANY - length]).expect("all of it");
                assert_eq!(task::now(), start);
            })
        });
        task::yield_now().expect("it waits now");
        here.write_all(&[1; MANY + 1]).expect("room");
        reader.join().expect("no panic").expect("a byte");
    });
}

#[test]
fn who_leaves_takes_nobody_along() {
    on(1, || {
        let (mut here, there) = UnixStream::pair().expect("a pair");
        let there = Arc::new(there);
        let readers = [0; 3].map(|_| {
            let theirs = Arc::clone(&there);
            let reader = task::spawn(move || (&*theirs).read(&mut [0]));
            task::yield_now().expect("it waits now");
            reader
        });
        let [first, others @ ..] = readers;
        first.cancel();
        first.join().expect("no panic").expect_err("it was cancelled");
        here.write_all(b"ab").expect("room");
        assert!(others.map(|other| other.join().expect("no panic").expect("a byte")) == [1, 1]);
    });
}

#[test]
fn who_waits_for_io_hears_of_timers_and_threads() {
    on(1, || {
        let (here, mut there) = UnixStream::pair().expect("a pair");
        let reader = task::spawn(move || there.read(&mut [0]));
        // Below and above what the system's own timeouts are for.
        for milliseconds in [1, 2, 60] {
            task::sleep(Duration::from_millis(milliseconds)).expect("nobody cancels");
        }
        for round in 0..3 {
            let told = task::suspend(|resumer: Resumer<i32>| {
                thread::spawn(move || {
                    thread::sleep(Duration::from_millis(1));
                    resumer.send(round)
                });
            });
            assert_eq!(told, Ok(round));
        }
        drop(here);
        assert_eq!(reader.join().expect("no panic").expect("the end"), 0);
    });
}
