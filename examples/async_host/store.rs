//! What the scripts ask: a server on loopback, and a few connections to it that they share.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

const CONNECTIONS: usize = 32;

/// What the two parts of an order cost together.
pub(crate) fn price(order: i64) -> i64 {
    part_price(order, 0) + part_price(order, 1)
}

fn part_price(order: i64, part: i64) -> i64 {
    order * 10 + part
}

/// Answers each pair of numbers with one.
async fn serve(mut stream: TcpStream) -> io::Result<()> {
    loop {
        let Ok(order) = stream.read_i64().await else { return Ok(()) };
        let part = stream.read_i64().await?;
        stream.write_i64(part_price(order, part)).await?;
    }
}

pub(crate) struct Store {
    idle: RefCell<Vec<TcpStream>>,
    /// One permit for each idle connection.
    permits: Semaphore,
    waiting: Cell<usize>,
    most: Cell<usize>,
}

/// Starts the server, and connects to it.
pub(crate) async fn start() -> io::Result<Rc<Store>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::task::spawn_local(serve(stream));
        }
    });
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        idle.push(stream);
    }
    let permits = Semaphore::new(idle.len());
    Ok(Rc::new(Store { idle: RefCell::new(idle), permits, waiting: Cell::new(0), most: Cell::new(0) }))
}

impl Store {
    /// Asks the server, when there is a connection to be had.
    pub(crate) async fn fetch(&self, order: i64, part: i64) -> io::Result<i64> {
        self.waiting.set(self.waiting.get() + 1);
        self.most.set(self.most.get().max(self.waiting.get()));
        let _permit = self.permits.acquire().await.map_err(io::Error::other)?;
        let taken = self.idle.borrow_mut().pop();
        let mut stream = taken.ok_or_else(|| io::Error::other("a permit without a connection"))?;
        stream.write_i64(order).await?;
        stream.write_i64(part).await?;
        let price = stream.read_i64().await?;
        self.idle.borrow_mut().push(stream);
        self.waiting.set(self.waiting.get() - 1);
        Ok(price)
    }

    /// How many calls there have been in their midst at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most.get()
    }
}
