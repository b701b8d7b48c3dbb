//! What an agent of ureq connects with.

use socket2::SockRef;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use switchback::net::{TcpStream, ToSocketAddrs};
use switchback::task;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{self, DefaultResolver, ResolvedSocketAddrs};
use ureq::unversioned::transport::{
    self, Buffers, ConnectionDetails, Either, LazyBuffers, NextTimeout, RustlsConnector, Transport,
};
use ureq::{Agent, Error};

/// An agent that blocks the task, and not the thread.
pub fn agent(config: Config) -> Agent {
    use transport::Connector as _;
    Agent::with_parts(config, Connector.chain(RustlsConnector::default()), Resolver)
}

/// Connects by [`TcpStream`].
#[derive(Debug)]
pub struct Connector;

impl<In: Transport> transport::Connector<In> for Connector {
    type Out = Either<In, Stream>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        if let Some(connected) = chained {
            return Ok(Some(Either::A(connected)));
        }
        let stream = within(details.timeout, || TcpStream::connect(&details.addrs[..]))?;
        stream.set_nodelay(details.config.no_delay())?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(Stream { stream, buffers })))
    }
}

/// Looks names up beside the worker.
#[derive(Debug)]
pub struct Resolver;

impl resolver::Resolver for Resolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let name = uri.scheme().zip(uri.authority());
        let name = name.and_then(|(scheme, authority)| DefaultResolver::host_and_port(scheme, authority));
        let name = name.ok_or_else(|| Error::BadUri(uri.to_string()))?;
        let found = within(timeout, || name.to_socket_addrs())?;
        let mut addresses = self.empty();
        config.ip_family().keep_wanted(found).take(16).for_each(|address| addresses.push(address));
        if addresses.is_empty() { Err(Error::HostNotFound) } else { Ok(addresses) }
    }
}

/// A connection.
pub struct Stream {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl Transport for Stream {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        within(timeout.for_write(), || (&self.stream).write_all(&self.buffers.output()[..amount]))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let count = within(timeout.for_read(), || (&self.stream).read(self.buffers.input_append_buf()))?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    /// One that nobody uses has nothing to read, not even its end. The agent holds a lock of std's meanwhile, so this looks without
    /// waiting, and without letting others run: the descriptor does not block.
    fn is_open(&mut self) -> bool {
        let looked = SockRef::from(&self.stream).peek(&mut [MaybeUninit::uninit()]);
        looked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}

/// What `call` returns, in the time that ureq gives it. A timeout around all of it, of the task's own, counts as well.
fn within<T>(limit: NextTimeout, call: impl FnOnce() -> io::Result<T>) -> Result<T, Error> {
    let Some(longest) = limit.not_zero() else { return Ok(call()?) };
    Ok(task::timeout(*longest, call).map_err(|_| Error::Timeout(limit.reason))??)
}
