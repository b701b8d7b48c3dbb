//! Who is there, and how they are told.

use std::collections::BTreeMap;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;
use switchback::net::TcpStream;
use switchback::sync::Mutex;
use switchback::sync::mpsc::{Receiver, SyncSender, sync_channel};
use switchback::task;

/// How many lines a member may be behind before the others wait for it.
const BACKLOG: usize = 100;

/// The members, by name.
pub(crate) struct Room {
    members: Mutex<BTreeMap<String, Member>>,
    patience: Duration,
}

struct Member {
    stream: Arc<TcpStream>,
    hears: SyncSender<Arc<str>>,
}

impl Room {
    /// An empty one, that waits so long for members who do not read.
    pub(crate) fn new(patience: Duration) -> Self {
        Self { members: Mutex::default(), patience }
    }

    /// Lets a member in, and returns what it will hear; or does not, if there is one of that name.
    pub(crate) fn enter(&self, name: &str, stream: &Arc<TcpStream>) -> Option<Receiver<Arc<str>>> {
        let mut members = self.members.lock().ok()?;
        if members.contains_key(name) {
            return None;
        }
        let others: Vec<&str> = members.keys().map(String::as_str).collect();
        let (hears, heard) = sync_channel(BACKLOG);
        // There is room: nobody else has the channel yet.
        let _ = hears.try_send(format!("* welcome, {name}; here are: {}\n", others.join(" ")).into());
        self.tell(&mut members, name, &format!("* {name} has come\n"));
        members.insert(name.into(), Member { stream: Arc::clone(stream), hears });
        Some(heard)
    }

    /// What a member says, to all others.
    pub(crate) fn say(&self, name: &str, text: &str) {
        if let Ok(mut members) = self.members.lock() {
            self.tell(&mut members, name, &format!("{name}: {text}\n"));
        }
    }

    /// Lets a member go. It may have been dropped before, and another may have its name.
    pub(crate) fn leave(&self, name: &str, stream: &Arc<TcpStream>) {
        let Ok(mut members) = self.members.lock() else { return };
        if members.get(name).is_some_and(|member| Arc::ptr_eq(&member.stream, stream)) {
            members.remove(name);
            self.tell(&mut members, name, &format!("* {name} has left\n"));
        }
    }

    /// One line to all but one. The lock is held while it waits for room, so all hear everything in the same order.
    fn tell(&self, members: &mut BTreeMap<String, Member>, from: &str, line: &str) {
        let (line, mut slow) = (Arc::<str>::from(line), Vec::new());
        // One time for all of them, however many are slow. None, if no clock gets there.
        let deadline = task::now().checked_add(self.patience);
        members.retain(|name, member| {
            let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(task::now()));
            if name == from || member.hears.send_timeout(Arc::clone(&line), left).is_ok() {
                return true;
            }
            // Both of its tasks wait for this connection, and end with it.
            let _ = member.stream.shutdown(Shutdown::Both);
            slow.push(name.clone());
            false
        });
        for name in slow {
            self.tell(members, &name, &format!("* {name} was too slow\n"));
        }
    }
}
