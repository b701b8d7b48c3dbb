//! Commands, pipelines and transactions of the redis crate.

use redis::{ConnectionLike, Parser, RedisResult, Value};
use std::io::{self, Read, Write};
use std::ops::{Deref, DerefMut};
use switchback::sync::{Mutex, Permit, PoisonError, Semaphore};

/// A connection for all that the redis crate does with a `ConnectionLike`, over any stream. The crate's own `Connection` brings a
/// socket that blocks the thread.
pub struct Connection<S> {
    stream: S,
    parser: Parser,
    /// No answer is owed to a call that has failed before it came.
    is_whole: bool,
}

impl<S: Read + Write> Connection<S> {
    /// Speaks the protocol over `stream`.
    pub fn new(stream: S) -> Self {
        Self { stream, parser: Parser::new(), is_whole: true }
    }

    /// The stream, for its timeouts.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// The next message, of channels that have been subscribed to.
    ///
    /// # Errors
    ///
    /// When reading fails.
    pub fn receive(&mut self) -> RedisResult<Value> {
        self.is_whole = false;
        let value = self.parser.parse_value(&mut self.stream)?;
        self.is_whole = true;
        Ok(value)
    }

    fn send(&mut self, commands: &[u8]) -> io::Result<()> {
        self.is_whole = false;
        self.stream.write_all(commands)?;
        self.stream.flush()
    }
}

impl<S: Read + Write> ConnectionLike for Connection<S> {
    fn req_packed_command(&mut self, command: &[u8]) -> RedisResult<Value> {
        self.send(command)?;
        self.receive()?.extract_error()
    }

    fn req_packed_commands(&mut self, commands: &[u8], offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        self.send(commands)?;
        let answers: RedisResult<Vec<_>> = (0..offset + count).map(|_| self.receive()).collect();
        self.is_whole = answers.is_ok();
        Ok(answers?.split_off(offset))
    }

    fn get_db(&self) -> i64 {
        0
    }

    fn check_connection(&mut self) -> bool {
        self.is_whole && redis::cmd("PING").exec(self).is_ok()
    }

    fn is_open(&self) -> bool {
        self.is_whole
    }
}

/// Connections that tasks share: so many at most, opened when they are needed.
pub struct Pool<C> {
    free: Mutex<Vec<C>>,
    permits: Semaphore,
    open: Box<dyn Fn() -> io::Result<C> + Send + Sync>,
}

impl<C: ConnectionLike> Pool<C> {
    /// One without any connection yet.
    pub fn new(most: usize, open: impl Fn() -> io::Result<C> + Send + Sync + 'static) -> Self {
        Self { free: Mutex::default(), permits: Semaphore::new(most), open: Box::new(open) }
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// When the task is cancelled, or a new one cannot be opened.
    pub fn get(&self) -> io::Result<Pooled<'_, C>> {
        let permit = self.permits.acquire()?;
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = free.map_or_else(&self.open, Ok)?;
        Ok(Pooled { connection: Some(connection), pool: self, _permit: permit })
    }
}

/// A connection of a [`Pool`], which gets it back unless it is broken: a call was cut short whose answer may still come.
pub struct Pooled<'a, C: ConnectionLike> {
    connection: Option<C>,
    pool: &'a Pool<C>,
    /// Given back after the connection.
    _permit: Permit<&'a Semaphore>,
}

impl<C: ConnectionLike> Drop for Pooled<'_, C> {
    fn drop(&mut self) {
        let whole = self.connection.take().filter(C::is_open);
        self.pool.free.lock().unwrap_or_else(PoisonError::into_inner).extend(whole);
    }
}

impl<C: ConnectionLike> Deref for Pooled<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.connection.as_ref().expect("until it is dropped")
    }
}

impl<C: ConnectionLike> DerefMut for Pooled<'_, C> {
    fn deref_mut(&mut self) -> &mut C {
        self.connection.as_mut().expect("until it is dropped")
    }
}
