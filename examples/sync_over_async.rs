//! Blocking decoders over async sockets: serde_json reads from flate2, flate2 reads from a socket of tokio's, and neither
//! knows that the thread does something else while it waits.
//!
//! The adapter is `Blocking`, twenty lines. Three downloads are decoded at once on one thread, record by record as the bytes
//! come, none of them held as a whole.
//!
//! Run it with `cargo run --release --example sync_over_async`.

#![forbid(unsafe_code)]

#[cfg(unix)]
mod example {
    use flate2::Compression;
    use flate2::read::GzDecoder;
    use flate2::write::GzEncoder;
    use serde_json::{Deserializer, Value, json};
    use std::error::Error;
    use std::io::{self, BufReader, Read, Write};
    use std::net::SocketAddr;
    use std::rc::Rc;
    use switchback::future::stackful_stream;
    use switchback::{Builder, await_, stackful};
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    const RECORDS: u64 = 5_000;

    /// An async reader or writer as code that blocks wants it. What waits is the body that it is used in.
    struct Blocking<S>(S);

    impl<S: AsyncRead + Unpin> Read for Blocking<S> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            await_(self.0.read(buffer))?
        }
    }

    impl<S: AsyncWrite + Unpin> Write for Blocking<S> {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            await_(self.0.write(buffer))?
        }

        fn flush(&mut self) -> io::Result<()> {
            await_(self.0.flush())?
        }
    }

    fn record(file: u64, n: u64) -> Value {
        json!({ "file": file, "n": n, "square": n * n, "words": ["some", "words", "to", "fill", "it"] })
    }

    /// The server's side of one download: an unmodified encoder over the socket.
    fn send(socket: TcpStream, file: u64) -> io::Result<u64> {
        let mut encoder = GzEncoder::new(Blocking(socket), Compression::fast());
        for n in 0..RECORDS {
            writeln!(encoder, "{}", record(file, n))?;
            if n % 500 == 0 {
                encoder.flush()?;
                await_(tokio::task::yield_now())?;
            }
        }
        let mut socket = encoder.finish()?;
        socket.flush()?;
        Ok(RECORDS)
    }

    /// The client's side: unmodified decoders over the socket.
    fn receive(socket: TcpStream, file: u64) -> io::Result<u64> {
        let text = BufReader::new(GzDecoder::new(Blocking(socket)));
        let mut n = 0;
        for received in Deserializer::from_reader(text).into_iter::<Value>() {
            assert_eq!(received?, record(file, n));
            n += 1;
        }
        Ok(n)
    }

    async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error>> {
        loop {
            let (mut socket, _) = listener.accept().await?;
            let file = socket.read_u64().await?;
            // The encoder makes its tables on the stack before it moves them to the heap.
            let sender = Builder::new().name("sender").stack_size(1 << 20).stackful(move |_| send(socket, file));
            tokio::task::spawn_local(sender?);
        }
    }

    async fn request(address: SocketAddr, file: u64) -> io::Result<TcpStream> {
        let mut socket = TcpStream::connect(address).await?;
        socket.write_u64(file).await?;
        Ok(socket)
    }

    async fn run() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::task::spawn_local(serve(listener));

        let order = Rc::new(std::cell::RefCell::new(Vec::new()));
        let downloads: Vec<_> = (1..=3)
            .map(|file| {
                let order = order.clone();
                tokio::task::spawn_local(stackful(move |cx| {
                    let socket = cx.await_(request(address, file))??;
                    order.borrow_mut().push(format!("{file} begins"));
                    let records = receive(socket, file)?;
                    order.borrow_mut().push(format!("{file} ends"));
                    Ok::<u64, io::Error>(records)
                }))
            })
            .collect();
        for (file, download) in (1..).zip(downloads) {
            let records = download.await??;
            assert_eq!(records, RECORDS);
            writeln!(io::stdout(), "download {file}: {records} records, all as they were sent")?;
        }
        // All have begun before one has ended: they took turns.
        assert!(order.borrow()[..3].iter().all(|line| line.ends_with("begins")), "{order:?}");
        writeln!(io::stdout(), "all three at once, on one thread")?;

        // The other way: what blocking code reads, as a stream for async code, which may stop early.
        let mut squares = stackful_stream(move |cx, y| {
            let Ok(socket) = cx.await_(request(address, 4))? else { return Ok(()) };
            for received in Deserializer::from_reader(GzDecoder::new(Blocking(socket))).into_iter::<Value>() {
                let Ok(received) = received else { return Ok(()) };
                y.yield_(received["square"].as_u64().unwrap_or_default())?;
            }
            Ok(())
        });
        let mut first = Vec::new();
        while let Some(square) = squares.next().await {
            first.push(square);
            if first.len() == 5 {
                break;
            }
        }
        assert_eq!(first, [0, 1, 4, 9, 16]);
        writeln!(io::stdout(), "the first squares of a stream that is dropped then: {first:?}")
    }

    pub(crate) fn main() -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        tokio::task::LocalSet::new().block_on(&runtime, run())
    }
}

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    example::main()
}

#[cfg(not(unix))]
fn main() {
    println!("this example runs under tokio on Unix");
}
