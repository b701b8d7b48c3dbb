//! The least that an echo costs: a loop of `epoll_wait`, and for each event a read and a write.
//!
//! By edges, so nothing is rearmed and nothing looked at twice. A message is whole and shorter than the buffer, so there is no
//! second read; whatever comes later is another event. The calls are std's, so libc's, and not inlined.

use super::BUFFER;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::fd::OwnedFd;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::OnceLock;
use std::thread;

/// How many connections there can be. They are kept when they have ended.
const MOST: usize = 1 << 15;
const LISTENER: u64 = u64::MAX;

/// As many loops as `workers`. The first one accepts, for all in turn.
pub(super) fn serve(listener: TcpListener, workers: usize) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let streams: Vec<OnceLock<TcpStream>> = (0..MOST).map(|_| OnceLock::new()).collect();
    let polls = (0..workers).map(|_| epoll::create(epoll::CreateFlags::CLOEXEC)).collect::<Result<Vec<_>, _>>()?;
    epoll::add(&polls[0], &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    thread::scope(|scope| {
        for poll in &polls[1..] {
            scope.spawn(|| turn(poll, &streams, || Ok(())));
        }
        let mut count = 0;
        turn(&polls[0], &streams, || {
            let stream = listener.accept()?.0;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let stream = streams[count].get_or_init(|| stream);
            let flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
            epoll::add(&polls[count % workers], stream, epoll::EventData::new_u64(count as u64), flags)?;
            count += 1;
            Ok(())
        })
    })
}

fn turn(poll: &OwnedFd, streams: &[OnceLock<TcpStream>], mut accept: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let mut events = Vec::with_capacity(1024);
    let mut buffer = [0; BUFFER];
    loop {
        epoll::wait(poll, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            if event.data.u64() == LISTENER {
                accept()?;
                continue;
            }
            let mut stream = streams[event.data.u64() as usize].get().expect("it was there before its event");
            match stream.read(&mut buffer) {
                Ok(length) => stream.write_all(&buffer[..length])?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}
