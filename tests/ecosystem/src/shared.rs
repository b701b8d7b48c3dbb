//! A WebSocket that is read and written at once.

use std::io::{Read, Write};
use std::time::Duration;
use switchback::net::TcpStream;
use switchback::sync::{Mutex, MutexGuard, PoisonError};
use switchback::{Cancelled, task};
use tungstenite::error::ProtocolError;
use tungstenite::{Error, Message, WebSocket};

/// A WebSocket that one task reads while others write to it.
///
/// A `WebSocket`, and TLS below it, can only be used by one at a time, and who waits for a message would keep the others from
/// sending. So the one who reads waits outside of the lock, until there is something to read from the connection itself; and then
/// reads what there is, with a timeout of zero. A call that is cut short so loses nothing, whatever is between it and the connection:
/// half a frame stays where it is.
///
/// Who writes to somebody who does not read holds the lock meanwhile. Give the connection a write timeout.
#[derive(Debug)]
pub struct Shared<S> {
    socket: Mutex<WebSocket<S>>,
    connection: TcpStream,
}

impl<S: Read + Write> Shared<S> {
    /// One whose `socket` reads from `connection` in the end: a clone of it.
    pub fn new(socket: WebSocket<S>, connection: TcpStream) -> Self {
        Self { socket: Mutex::new(socket), connection }
    }

    /// The next message. One task is to call it.
    ///
    /// # Errors
    ///
    /// As `WebSocket::read`; among them that the task is cancelled. `ConnectionClosed` when it is closed, whoever was the first to see it.
    pub fn read(&self) -> Result<Message, Error> {
        self.read_when_there_is_something().map_err(closed)
    }

    fn read_when_there_is_something(&self) -> Result<Message, Error> {
        loop {
            {
                let mut socket = self.lock();
                // Answers to pings, for instance. Where they have to wait for room, so had all others.
                socket.flush()?;
                match task::timeout(Duration::ZERO, || socket.read()).unwrap_or_else(task::Elapsed::into_value) {
                    Err(Error::Io(error)) if Cancelled::find_in(&error).is_some() => {}
                    done => return done,
                }
            }
            // It is empty, so this waits; and tells if the task itself is cancelled.
            self.connection.peek(&mut [0])?;
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// As `WebSocket::send`. `ConnectionClosed` when one of the two ends has begun to close it.
    pub fn send(&self, message: Message) -> Result<(), Error> {
        self.lock().send(message).map_err(closed)
    }

    /// Begins to close it. [`read`](Self::read) tells when it is closed.
    ///
    /// # Errors
    ///
    /// As `WebSocket::close`.
    pub fn close(&self) -> Result<(), Error> {
        self.lock().close(None)
    }

    /// The WebSocket, for one task again.
    pub fn into_inner(self) -> WebSocket<S> {
        self.socket.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection below.
    pub fn connection(&self) -> &TcpStream {
        &self.connection
    }

    /// A task that has panicked in it has not broken it.
    fn lock(&self) -> MutexGuard<'_, WebSocket<S>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What tells one user of a WebSocket that another has used it up.
fn closed(error: Error) -> Error {
    match error {
        Error::AlreadyClosed | Error::Protocol(ProtocolError::SendAfterClosing) => Error::ConnectionClosed,
        error => error,
    }
}
