//! The redis crate with a real server: its commands, pipelines and transactions over our stream; and its own blocking connection
//! under `offload`.

use crate::{OFFLOAD_THREADS, OFFLOADS, assert_threads, on_one_and_two};
use ecosystem::redis::{Connection, Pool};
use redis::{Commands, ConnectionLike, ErrorKind, Msg, RedisError};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use switchback::net::UnixStream;
use switchback::sync::Barrier;
use switchback::{CancelReason, Cancelled, offload, task};

/// redis's errors cannot be made of a [`Cancelled`].
type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// A server of this test's own, in a directory of its own, where its socket is. It ends when this is dropped.
struct Server {
    child: Child,
    directory: PathBuf,
}

impl Server {
    fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("switchback-redis-{}", std::process::id()));
        fs::create_dir(&directory).expect("a directory");
        let child = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "socket", "--save", "", "--appendonly", "no", "--dir"])
            .arg(&directory)
            .stdin(Stdio::null())
            .stdout(fs::File::create(directory.join("log")).expect("a file"))
            .spawn();
        let child = child.unwrap_or_else(|error| {
            let _ = fs::remove_dir_all(&directory);
            panic!("redis-server does not start: {error}. Debian has it: apt-get install redis-server")
        });
        let mut server = Self { child, directory };
        while let Err(error) = UnixStream::connect(server.socket()) {
            let ended = server.child.try_wait().expect("it is ours");
            let log = || fs::read_to_string(server.directory.join("log")).unwrap_or_default();
            assert!(ended.is_none(), "redis-server has ended: {ended:?}, {error}: {}", log());
            task::sleep(Duration::from_millis(5)).expect("not cancelled");
        }
        server
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("socket")
    }

    fn connect(&self) -> Connection<UnixStream> {
        Connection::new(UnixStream::connect(self.socket()).expect("it listens"))
    }

    fn pool(&self, most: usize) -> Pool<Connection<UnixStream>> {
        let socket = self.socket();
        Pool::new(most, move || Ok(Connection::new(UnixStream::connect(&socket)?)))
    }

    fn kill(&mut self) {
        // It may have ended, and be gone already.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Until so many clients wait at the server.
fn wait_for_blocked(connection: &mut Connection<UnixStream>, count: usize) {
    let line = format!("blocked_clients:{count}");
    loop {
        let text: String = redis::cmd("INFO").arg("clients").query(connection).expect("a text");
        if text.lines().any(|other| other == line) {
            return;
        }
        task::yield_now().expect("not cancelled");
    }
}

#[test]
fn many_tasks_share_a_pool() {
    const CONNECTIONS: usize = 5;
    const TASKS: usize = 200;
    on_one_and_two("redis::many_tasks_share_a_pool", || {
        let server = Server::start();
        let pool = server.pool(CONNECTIONS);
        let all = Barrier::new(TASKS);
        let done = task::join_all((0..TASKS).map(|number| {
            let (pool, all) = (&pool, &all);
            move || {
                if task::wait_at(all)?.is_leader() {
                    assert_threads();
                }
                for round in 0..5 {
                    let mut connection = pool.get()?;
                    let () = connection.set(number, round)?;
                    let count: usize = connection.incr("count", 1)?;
                    assert!((1..=TASKS * 5).contains(&count));
                    drop(connection);
                    // By another, perhaps.
                    assert_eq!(pool.get()?.get::<_, usize>(number)?, round);
                }
                Ok::<_, AnyError>(())
            }
        }));
        done.expect("no error");
        let mut connection = server.connect();
        assert_eq!(connection.get::<_, usize>("count").expect("a number"), TASKS * 5);
        let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut connection).expect("a list");
        assert_eq!(clients.lines().count(), CONNECTIONS + 1, "{clients}");
    });
}

#[test]
fn pipelines_and_their_errors() {
    const COUNT: usize = 2000;
    on_one_and_two("redis::pipelines_and_their_errors", || {
        let server = Server::start();
        let mut connection = server.connect();
        // More than the buffers of the socket hold, in both directions.
        let value = |number: usize| number.to_string().repeat(200);
        let mut pipe = redis::pipe();
        for number in 0..COUNT {
            pipe.set(number, value(number)).ignore().get(number);
        }
        let values: Vec<String> = pipe.query(&mut connection).expect("no error");
        assert!(values.iter().cloned().eq((0..COUNT).map(value)));

        let mut pipe = redis::pipe();
        pipe.atomic().incr("sum", 2).ignore().incr("sum", 3);
        assert_eq!(pipe.query::<(usize,)>(&mut connection).expect("no error"), (5,));

        let mut pipe = redis::pipe();
        pipe.set("word", "no number").incr("word", 1).incr("sum", 1);
        let error = pipe.exec(&mut connection).expect_err("a word");
        assert!(error.to_string().contains("not an integer"), "{error}");
        // All of the answers have been read.
        assert!(connection.is_open());
        assert_eq!(connection.get::<_, usize>("sum").expect("a number"), 6);
    });
}

#[test]
fn transactions_see_each_other() {
    const TASKS: usize = 8;
    on_one_and_two("redis::transactions_see_each_other", || {
        let server = Server::start();
        let (mut one, mut other) = (server.connect(), server.connect());
        let mut tries = 0;
        let (product,): (usize,) = redis::transaction(&mut one, &["key"], |connection, pipe| {
            tries += 1;
            let before: Option<usize> = connection.get("key")?;
            if tries == 1 {
                // Somebody is quicker.
                let () = other.set("key", 20)?;
            }
            pipe.set("key", before.unwrap_or(1) * 2).ignore().get("key").query(connection)
        })
        .expect("no error");
        assert_eq!((product, tries), (40, 2));

        let pool = server.pool(TASKS);
        let added = task::join_all((0..TASKS).map(|_| {
            || {
                for _ in 0..10 {
                    let mut connection = pool.get()?;
                    let (_sum,): (usize,) = redis::transaction(&mut *connection, &["key"], |connection, pipe| {
                        let before: usize = connection.get("key")?;
                        pipe.set("key", before + 1).ignore().get("key").query(connection)
                    })?;
                }
                Ok::<_, AnyError>(())
            }
        }));
        added.expect("no error");
        assert_eq!(one.get::<_, usize>("key").expect("a number"), 40 + 10 * TASKS);
    });
}

#[test]
fn who_waits_for_an_item_holds_nobody_up() {
    const WAITING: usize = 50;
    on_one_and_two("redis::who_waits_for_an_item_holds_nobody_up", || {
        let server = Server::start();
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                let mut connection = server.connect();
                task::spawn(move || connection.blpop::<_, (String, usize)>("items", 0.0).map(|(_, item)| item))
            })
            .collect();
        let mut connection = server.connect();
        wait_for_blocked(&mut connection, WAITING);
        assert_threads();
        for number in 1..=100 {
            assert_eq!(connection.incr::<_, _, usize>("count", 1).expect("a number"), number);
        }
        assert!(!waiting.iter().any(|task| task.is_finished()));
        let items: Vec<usize> = (0..WAITING).collect();
        let () = connection.rpush("items", &items).expect("room");
        let mut came: Vec<usize> =
            waiting.into_iter().map(|task| task.join().expect("no panic").expect("an item")).collect();
        came.sort_unstable();
        assert_eq!(came, items);
    });
}

#[test]
fn all_subscribers_hear_everything_in_order() {
    const SUBSCRIBERS: usize = 20;
    const MESSAGES: usize = 100;
    on_one_and_two("redis::all_subscribers_hear_everything_in_order", || {
        let server = Server::start();
        let subscribers: Vec<_> = (0..SUBSCRIBERS)
            .map(|_| {
                let mut connection = server.connect();
                redis::cmd("SUBSCRIBE").arg("news").exec(&mut connection).expect("it is there");
                task::spawn(move || {
                    (0..MESSAGES).try_for_each(|number| {
                        let message = Msg::from_owned_value(connection.receive()?).expect("a message");
                        assert_eq!(message.get_payload::<usize>()?, number);
                        Ok::<_, RedisError>(())
                    })
                })
            })
            .collect();
        let mut connection = server.connect();
        for number in 0..MESSAGES {
            let heard: usize = connection.publish("news", number).expect("it is there");
            assert!(heard <= SUBSCRIBERS && (number > 0 || heard == SUBSCRIBERS), "{heard} have heard {number}");
        }
        subscribers.into_iter().for_each(|task| task.join().expect("no panic").expect("no error"));
    });
}

#[test]
fn calls_out_of_time() {
    on_one_and_two("redis::calls_out_of_time", || {
        let server = Server::start();
        let pool = Arc::new(server.pool(1));
        let short = Duration::from_millis(5);

        // By a timeout of the task's.
        let mut connection = pool.get().expect("a connection");
        let popped = task::timeout(short, || connection.blpop::<_, (String, usize)>("items", 0.0));
        let error = popped.expect_err("nobody pushes").into_value().expect_err("it is cut short");
        assert_eq!(Cancelled::find_in(&error).expect("the reason").reason(), &CancelReason::TimedOut);
        assert!(!error.is_timeout() && !error.is_connection_dropped());
        // An answer may still come, so the pool does not keep it.
        drop(connection);
        let mut connection = pool.get().expect("another");
        let () = connection.set("word", "kept").expect("room");
        assert_eq!(connection.get::<_, String>("word").expect("a word"), "kept");

        // By the socket's own, in the words that the crate knows.
        connection.stream().set_read_timeout(Some(short)).expect("not zero");
        let error = connection.blpop::<_, (String, usize)>("items", 0.0).expect_err("nobody pushes");
        assert!(error.is_timeout() && Cancelled::find_in(&error).is_none(), "{error:?}");
        drop(connection);

        // By the server's.
        let mut connection = pool.get().expect("another");
        assert_eq!(connection.blpop::<_, Option<(String, usize)>>("items", 0.005).expect("no error"), None);

        // And one that is cancelled, in a shield from which it cleans up.
        drop(connection);
        let theirs = Arc::clone(&pool);
        let waiting = task::spawn(move || {
            let mut connection = theirs.get().expect("it was given back");
            let popped = connection.blpop::<_, (String, usize)>("others", 0.0);
            drop(connection);
            let cleaned = task::shield(|| theirs.get()?.set::<_, _, ()>("cleaned", "up").map_err(io::Error::other));
            popped.map(drop).map_err(|error| (error, cleaned))
        });
        wait_for_blocked(&mut server.connect(), 1);
        waiting.cancel();
        let (error, cleaned) = waiting.join().expect("no panic").expect_err("it is cancelled");
        assert_eq!(Cancelled::find_in(&error).expect("the reason").reason(), &CancelReason::Requested);
        cleaned.expect("no error");
        assert_eq!(server.connect().get::<_, String>("cleaned").expect("a word"), "up");
    });
}

#[test]
fn a_server_that_is_gone() {
    on_one_and_two("redis::a_server_that_is_gone", || {
        let mut server = Server::start();
        let mut connection = server.connect();
        let id: u64 = redis::cmd("CLIENT").arg("ID").query(&mut connection).expect("a number");
        let waiting = task::spawn(move || connection.blpop::<_, (String, usize)>("items", 0.0));
        let mut other = server.connect();
        redis::cmd("CLIENT").arg("KILL").arg("ID").arg(id).exec(&mut other).expect("it is there");
        let error = waiting.join().expect("no panic").expect_err("it is killed");
        assert!(error.is_connection_dropped() && error.kind() == ErrorKind::Io, "{error:?}");

        let waiting = task::spawn(move || other.blpop::<_, (String, usize)>("items", 0.0));
        task::yield_now().expect("not cancelled");
        server.kill();
        let error = waiting.join().expect("no panic").expect_err("the server is gone");
        assert!(error.is_connection_dropped(), "{error:?}");
        assert_eq!(server.pool(1).get().map(drop).expect_err("gone").kind(), io::ErrorKind::ConnectionRefused);
    });
}

/// The crate's own connection blocks its thread, so it runs beside the workers.
#[test]
fn its_own_connection_under_offload() {
    const WAITING: usize = OFFLOAD_THREADS;
    on_one_and_two("redis::its_own_connection_under_offload", || {
        OFFLOADS.store(true, Ordering::Relaxed);
        let server = Server::start();
        let url = format!("redis+unix://{}", server.socket().display());
        let client = redis::Client::open(url).expect("a path");
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                let client = client.clone();
                task::spawn(move || {
                    let mut connection = offload(|| client.get_connection())?;
                    let (_, item): (String, usize) = offload(|| connection.blpop("items", 0.0))?;
                    offload(|| connection.incr::<_, _, usize>("sum", item))
                })
            })
            .collect();
        let mut connection = server.connect();
        for number in 1..=100 {
            assert_eq!(connection.incr::<_, _, usize>("count", 1).expect("a number"), number);
        }
        let () = connection.rpush("items", &[1; WAITING]).expect("room");
        let mut sums: Vec<usize> =
            waiting.into_iter().map(|task| task.join().expect("no panic").expect("no error")).collect();
        sums.sort_unstable();
        assert!(sums.into_iter().eq(1..=WAITING));
    });
}
