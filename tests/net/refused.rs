//! Calls that are cancelled: what has not happened has not happened, and what is there at once wins. Reads are in
//! `cancelled.rs`.

use super::on;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use switchback::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use switchback::{CancelReason, Cancelled, Runtime, task};

/// Runs `f` in a task that is cancelled while it waits, and says what has come of it. `meanwhile` runs after the cancellation, before
/// the task does.
#[track_caller]
pub(crate) fn cancelled<T: 'static>(
    f: impl FnOnce() -> io::Result<T> + 'static,
    meanwhile: impl FnOnce(),
) -> io::Result<T> {
    let waits = task::spawn_local(f);
    for _ in 0..3 {
        task::yield_now().expect("not cancelled");
    }
    assert!(!waits.is_finished(), "it does not wait");
    assert!(waits.cancel());
    meanwhile();
    waits.join().expect("no panic")
}

/// Runs `f` in a task that was cancelled before it began to wait.
pub(crate) fn cancelled_before<T: 'static>(f: impl FnOnce() -> io::Result<T> + 'static) -> io::Result<T> {
    let task = task::spawn_local(|| {
        task::current().expect("a task").cancel();
        f()
    });
    task.join().expect("no panic")
}

/// With a clock that stands still: what is tried again after a while is not while another task runs.
fn jumping(main: impl FnOnce()) {
    Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime").run(main);
}

#[track_caller]
pub(crate) fn assert_refused<T>(result: io::Result<T>) {
    let error = result.map(drop).expect_err("it was cancelled");
    assert_eq!(error.kind(), ErrorKind::Other);
    assert_eq!(Cancelled::find_in(&error).expect("the reason").reason(), &CancelReason::Requested);
}

#[test]
fn a_cancelled_accept_leaves_who_comes_in_line() {
    on(1, || {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").expect("a port"));
        let address = listener.local_addr().expect("an address");
        let theirs = Arc::clone(&listener);
        let mut client = None;
        assert_refused(cancelled(
            move || theirs.accept().map(drop),
            || client = Some(TcpStream::connect(address).expect("there is room in line")),
        ));
        let client = client.expect("it is connected").local_addr().expect("an address");
        // Who is there is accepted, cancelled or not; then nobody is.
        let theirs = Arc::clone(&listener);
        let accepted = cancelled_before(move || Ok((theirs.accept()?.1, theirs.accept().map(drop))));
        let (peer, second) = accepted.expect("it is there");
        assert_eq!(peer, client);
        assert_refused(second);
        let path = std::env::temp_dir().join(format!("switchback-line-{}", std::process::id()));
        let listener = Arc::new(UnixListener::bind(&path).expect("a socket"));
        let theirs = Arc::clone(&listener);
        assert_refused(cancelled(
            move || theirs.accept().map(drop),
            || UnixStream::connect(&path).and_then(|mut stream| stream.write_all(b"x")).expect("there is room in line"),
        ));
        std::fs::remove_file(&path).expect("it is there");
        assert_eq!(listener.accept().expect("it is there").0.read(&mut [0; 8]).expect("a byte"), 1);
    });
}

/// Who waits for room in a listener's line. How long a line is differs from system to system.
#[cfg(target_os = "linux")]
#[test]
fn a_cancelled_connect_closes_its_socket_and_tries_no_further() {
    jumping(|| {
        let path = std::env::temp_dir().join(format!("switchback-full-{}", std::process::id()));
        let full = Arc::new(UnixListener::bind(&path).expect("a socket"));
        socket2::SockRef::from(&*full).listen(0).expect("a line for one");
        let first = UnixStream::connect(&path).expect("there is room for one");
        let to = path.clone();
        assert_refused(cancelled(move || UnixStream::connect(to), || drop(full.accept().expect("the first"))));
        // There was room, and nobody has come.
        let theirs = Arc::clone(&full);
        assert_refused(cancelled(move || theirs.accept().map(drop), || ()));
        // Where there is room a connection is made at once, cancelled or not.
        let to = path.clone();
        let second = cancelled_before(move || UnixStream::connect(to)).expect("there is room");
        drop((full.accept().expect("the second"), first, second));
        std::fs::remove_file(&path).expect("it is there");

        // Of two addresses the first does not answer.
        let [full, other] = [0, 1].map(|_| Arc::new(TcpListener::bind("127.0.0.1:0").expect("a port")));
        socket2::SockRef::from(&*full).listen(0).expect("a line for one");
        let both = [&full, &other].map(|listener| listener.local_addr().expect("an address"));
        let first = TcpStream::connect(both[0]).expect("there is room for one");
        assert_refused(cancelled(move || TcpStream::connect(&both[..]), || ()));
        assert_refused(cancelled_before(move || TcpStream::connect(&both[..])));
        drop((full.accept().expect("the first"), first));
        // Nobody else has come to the one, and nobody to the other.
        for listener in [full, other] {
            assert_refused(cancelled(move || listener.accept().map(drop), || ()));
        }
    });
}

/// What is written to `here` can be read from `there`, up to the end, which comes after `end`.
pub(crate) fn assert_cancelled_writes_write_nothing<W>(here: W, mut there: impl Read, end: impl FnOnce(Arc<W>))
where
    W: Send + Sync + 'static,
    for<'a> &'a W: Write,
{
    let here = Arc::new(here);
    // What there is room for, in a task that is cancelled already; then nothing.
    let theirs = Arc::clone(&here);
    let filled = cancelled_before(move || {
        let mut sent = 0;
        loop {
            match (&*theirs).write(&[1; 4096]) {
                Ok(some) => sent += some,
                Err(error) => return Ok((sent, error)),
            }
        }
    });
    let (sent, error) = filled.expect("it is counted");
    assert_refused::<()>(Err(error));
    assert!(sent > 0);
    // While it waits room comes, and it has not written when it is told.
    let theirs = Arc::clone(&here);
    let mut came = vec![0; sent];
    assert_refused(cancelled(move || (&*theirs).write(&[2; 4096]), || there.read_exact(&mut came).expect("all of it")));
    assert!(came.iter().all(|byte| *byte == 1));
    end(here);
    assert_eq!(there.read(&mut [0]).expect("the end"), 0);
}

#[test]
fn a_cancelled_write_has_sent_nothing() {
    on(1, || {
        let (here, there) = UnixStream::pair().expect("a pair");
        assert_cancelled_writes_write_nothing(here, there, |here| here.shutdown(Shutdown::Write).expect("connected"));
    });
}

#[test]
fn a_cancelled_write_all_has_sent_what_there_was_room_for() {
    on(1, || {
        let (here, mut there) = UnixStream::pair().expect("a pair");
        let all: Vec<u8> = (0..1 << 22).map(|n: u32| (n % 251) as u8).collect();
        let expected = all.clone();
        assert_refused(cancelled(move || (&here).write_all(&all), || ()));
        // The socket is gone with its task, so that this comes to the end.
        let mut came = Vec::new();
        there.read_to_end(&mut came).expect("no error");
        assert!(!came.is_empty() && came.len() < expected.len() && came == expected[..came.len()]);
    });
}

#[test]
fn a_cancelled_receive_takes_no_datagram() {
    on(1, || {
        let one = Arc::new(UdpSocket::bind("127.0.0.1:0").expect("a port"));
        let address = one.local_addr().expect("an address");
        let other = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let send = || assert_eq!(other.send_to(b"here", address).expect("room"), 4);
        let (mut bytes, from) = ([0; 8], other.local_addr().expect("an address"));
        type Receive = fn(&UdpSocket) -> io::Result<usize>;
        let calls: [Receive; 4] = [
            |socket| socket.recv_from(&mut [0; 8]).map(|(count, _)| count),
            |socket| socket.peek_from(&mut [0; 8]).map(|(count, _)| count),
            |socket| socket.recv(&mut [0; 8]),
            |socket| socket.peek(&mut [0; 8]),
        ];
        for call in calls {
            let theirs = Arc::clone(&one);
            assert_refused(cancelled(move || call(&theirs), send));
            assert_eq!(one.recv_from(&mut bytes).expect("it is still there"), (4, from));
            // One that is there is received, cancelled or not.
            send();
            let theirs = Arc::clone(&one);
            assert_eq!(cancelled_before(move || call(&theirs)).expect("it is there"), 4);
            let theirs = Arc::clone(&one);
            let _ = cancelled_before(move || theirs.recv(&mut [0; 8])); // where it was only looked at
        }
        let (here, there) = UnixDatagram::pair().expect("a pair");
        let (there, send) = (Arc::new(there), || assert_eq!(here.send(b"here").expect("room"), 4));
        type ReceiveUnix = fn(&UnixDatagram) -> io::Result<usize>;
        let calls: [ReceiveUnix; 2] =
            [|socket| socket.recv(&mut [0; 8]), |socket| socket.recv_from(&mut [0; 8]).map(|(count, _)| count)];
        for call in calls {
            let theirs = Arc::clone(&there);
            assert_refused(cancelled(move || call(&theirs), send));
            assert_eq!(there.recv(&mut bytes).expect("it is still there"), 4);
        }
    });
}

#[test]
fn a_cancelled_send_sends_no_datagram() {
    jumping(|| {
        let path = std::env::temp_dir().join(format!("switchback-send-{}", std::process::id()));
        let receiver = UnixDatagram::bind(&path).expect("a socket");
        let connected = Arc::new(UnixDatagram::unbound().expect("a socket"));
        connected.connect(&path).expect("it is there");
        let alone = Arc::new(UnixDatagram::unbound().expect("a socket"));
        type Send = fn(&UnixDatagram, &std::path::Path) -> io::Result<usize>;
        let calls: [(&Arc<UnixDatagram>, Send); 2] = [
            (&connected, |socket, _| socket.send(&[1; 100])),
            (&alone, |socket, path| socket.send_to(&[1; 100], path)),
        ];
        for (sender, call) in calls {
            let (theirs, to) = (Arc::clone(sender), path.clone());
            // What there is room for, in a task that is cancelled already.
            let sent = cancelled_before(move || {
                Ok(std::iter::repeat_with(|| call(&theirs, &to)).take_while(Result::is_ok).count())
            });
            let sent = sent.expect("it is counted");
            assert!(sent > 0);
            let (theirs, to) = (Arc::clone(sender), path.clone());
            let receive =
                || (0..sent).for_each(|_| assert_eq!(receiver.recv(&mut [0; 128]).expect("it is there"), 100));
            assert_refused(cancelled(move || call(&theirs, &to), receive));
            // Nothing more has come.
            sender.send_to(b"the next", &path).expect("room");
            assert_eq!(receiver.recv(&mut [0; 128]).expect("it is there"), 8);
        }
        std::fs::remove_file(&path).expect("it is there");
    });
}
