//! The clients, the same for all servers: one epoll loop with all connections, each of which has one burst of requests on its way
//! and sends the next when the last is answered.

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

/// What the HTTP servers are asked.
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nuser-agent: bench\r\naccept: */*\r\n\r\n";
/// What they answer.
pub(crate) const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\r\nHello, World!";

/// So many connections are made at once, and used before there are more: no server need have more of them in its backlog.
const AT_ONCE: usize = 64;

/// What is sent and expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talk {
    /// Messages of 64 bytes, each another, which come back.
    Echo,
    /// So many requests of HTTP in one write, and as many answers.
    Http(usize),
}

pub(crate) struct Load {
    talk: Talk,
    /// Whether it never sleeps, so that no server has to wake it: to wake a thread on another CPU can take longer than an answer.
    spins: bool,
    poll: OwnedFd,
    clients: Vec<Client>,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
}

struct Client {
    stream: TcpStream,
    /// What is yet to come.
    expected: Vec<u8>,
    seen: usize,
    bursts: u64,
}

impl Talk {
    /// How many requests are sent at once.
    fn burst(self) -> u64 {
        match self {
            Self::Echo => 1,
            Self::Http(depth) => depth as u64,
        }
    }
}

impl Load {
    /// Connects to the server that many times. Each connection has been used when this returns.
    pub(crate) fn connect(port: u16, talk: Talk, connections: usize, spins: bool) -> io::Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let (events, buffer) = (Vec::with_capacity(1024), vec![0; 16 << 10]);
        let mut load = Self { talk, spins, poll, clients: Vec::new(), events, buffer };
        while load.clients.len() < connections {
            let first = load.clients.len();
            for index in first..connections.min(first + AT_ONCE) {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                let flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
                epoll::add(&load.poll, &stream, epoll::EventData::new_u64(index as u64), flags)?;
                load.clients.push(Client { stream, expected: Vec::new(), seen: 0, bursts: 0 });
            }
            load.talk_from(first, (load.clients.len() - first) as u64)?;
        }
        Ok(load)
    }

    /// Sends at least that many requests, and asserts each byte of the answers. Returns how many it was.
    pub(crate) fn run(&mut self, requests: u64) -> io::Result<u64> {
        let bursts = requests.div_ceil(self.talk.burst());
        self.talk_from(0, bursts)?;
        Ok(bursts * self.talk.burst())
    }

    /// That many bursts, over the clients from `first` on.
    fn talk_from(&mut self, first: usize, bursts: u64) -> io::Result<()> {
        let (mut sent, mut done) = (0, 0);
        for (index, client) in self.clients.iter_mut().enumerate().skip(first) {
            if sent < bursts {
                client.send(self.talk, index)?;
                sent += 1;
            }
        }
        let timeout = self.spins.then(Timespec::default);
        while done < bursts {
            epoll::wait(&self.poll, spare_capacity(&mut self.events), timeout.as_ref())?;
            for event in self.events.drain(..) {
                let index = event.data.u64() as usize;
                let client = &mut self.clients[index];
                if !client.receive(&mut self.buffer)? {
                    continue;
                }
                done += 1;
                if sent < bursts {
                    client.send(self.talk, index)?;
                    sent += 1;
                }
            }
        }
        Ok(())
    }
}

impl Client {
    fn send(&mut self, talk: Talk, index: usize) -> io::Result<()> {
        self.bursts += 1;
        let sent = match talk {
            Talk::Echo => {
                // No two messages alike, so that one of another connection, or of another time, is found out.
                let number = ((index as u64) << 40 | self.bursts).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let words = (0..8).map(|word| number.wrapping_add(word * 0x0101_0101_0101_0101));
                self.expected.clear();
                self.expected.extend(words.flat_map(u64::to_le_bytes));
                self.stream.write(&self.expected)? == self.expected.len()
            }
            Talk::Http(depth) if self.expected.is_empty() => {
                self.expected = RESPONSE.repeat(depth);
                self.stream.write(&REQUEST.repeat(depth))? == REQUEST.len() * depth
            }
            Talk::Http(1) => self.stream.write(REQUEST)? == REQUEST.len(),
            Talk::Http(depth) => self.stream.write(&REQUEST.repeat(depth))? == REQUEST.len() * depth,
        };
        assert!(sent, "a burst fits into the socket's buffer");
        Ok(())
    }

    /// Whether all that was expected has come.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let length = match self.stream.read(buffer) {
            Ok(0) => panic!("the server has hung up"),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        let end = self.seen + length;
        assert_eq!(
            self.expected.get(self.seen..end),
            Some(&buffer[..length]),
            "the server has answered something else"
        );
        self.seen = if end == self.expected.len() { 0 } else { end };
        Ok(self.seen == 0)
    }
}
