//! Who is told of which signal.
//!
//! The handler of a signal, which is signal-hook's, sets the flag of its kind and writes a byte to a pipe. A thread reads from that
//! pipe, goes through the flags, and tells those that watch. Once a kind has been watched its handler stays; when nobody watches it any
//! more, the handler does what the signal did before.
#![forbid(unsafe_code)]

use super::Signal;
use super::action::{self, Action};
use crate::sync::Arrivals;
use core::ffi::c_int;
use core::sync::atomic::{AtomicBool, Ordering};
use parking_lot::Mutex;
use signal_hook::consts::FORBIDDEN;
use signal_hook::flag;
use signal_hook::low_level::{pipe, signal_name};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read};
use std::mem;
use std::sync::Arc;
use std::thread;

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { kinds: BTreeMap::new(), pipe: None, watches: 0 });

struct Registry {
    /// Each signal that was ever watched.
    kinds: BTreeMap<c_int, Kind>,
    /// Its other end has a thread that reads.
    pipe: Option<PipeWriter>,
    /// How many watches there have been.
    watches: u64,
}

struct Kind {
    /// Set by the handler, and cleared by who tells of it.
    has_come: Arc<AtomicBool>,
    /// Nobody watches: the handler does what the system would do, if it would have before.
    is_unwatched: Arc<AtomicBool>,
    /// What the signal did before it was watched.
    before: Action,
    watchers: Vec<(u64, Watcher)>,
}

enum Watcher {
    Receiver(Arc<Arrivals<Signal>>),
    /// Called once.
    Once(Call),
    /// Called each time.
    Each(fn()),
}

type Call = Box<dyn FnOnce() + Send>;

/// Somebody is told of a signal as long as this is there.
pub(crate) struct Watch {
    signal: Signal,
    number: u64,
}

impl Watch {
    /// Tells a receiver.
    pub(super) fn of(signal: Signal, receiver: &Arc<Arrivals<Signal>>) -> io::Result<Self> {
        Self::new(signal, Watcher::Receiver(Arc::clone(receiver)))
    }

    /// Calls `f` when the signal comes, on a thread that must not wait. That is the end of the watch: if it was the last one, the
    /// next signal does already, while `f` is called, what it did before.
    pub(crate) fn once(signal: Signal, f: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        Self::new(signal, Watcher::Once(Box::new(f)))
    }

    /// Calls `f` whenever the signal comes, on a thread that must not wait.
    pub(crate) fn each(signal: Signal, f: fn()) -> io::Result<Self> {
        Self::new(signal, Watcher::Each(f))
    }

    fn new(signal: Signal, watcher: Watcher) -> io::Result<Self> {
        // signal-hook panics for its own.
        if FORBIDDEN.contains(&signal.0) || signal.0 == libc::SIGBUS {
            return Err(io::Error::new(ErrorKind::InvalidInput, format!("{signal} cannot be received")));
        }
        let mut registry = REGISTRY.lock();
        registry.watches += 1;
        let number = registry.watches;
        registry.kind(signal)?;
        // What has come before is not for this one.
        let calls = registry.tell();
        let kind = registry.kind(signal)?;
        kind.watchers.push((number, watcher));
        kind.settle();
        drop(registry);
        calls.into_iter().for_each(|call| call());
        Ok(Self { signal, number })
    }

    pub(super) fn signal(&self) -> Signal {
        self.signal
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut registry = REGISTRY.lock();
        let Some(kind) = registry.kinds.get_mut(&self.signal.0) else { return };
        let index = kind.watchers.iter().position(|(number, _)| *number == self.number);
        let watcher = index.map(|index| kind.watchers.remove(index));
        kind.settle();
        drop(registry);
        // What it owns may have a destructor.
        drop(watcher);
    }
}

/// Whether the signal was ignored before anybody watched it.
pub(crate) fn is_ignored(signal: Signal) -> io::Result<bool> {
    let registry = REGISTRY.lock();
    let before = match registry.kinds.get(&signal.0) {
        Some(kind) => kind.before,
        None => action::of(signal)?,
    };
    Ok(before == Action::Ignore)
}

impl Registry {
    /// What there is to know of a signal. Its handler is installed.
    fn kind(&mut self, signal: Signal) -> io::Result<&mut Kind> {
        if !self.kinds.contains_key(&signal.0) {
            let kind = Kind::install(signal, self.pipe()?)?;
            self.kinds.insert(signal.0, kind);
        }
        Ok(self.kinds.get_mut(&signal.0).unwrap_or_else(|| unreachable!("it has just been looked for")))
    }

    fn pipe(&mut self) -> io::Result<&PipeWriter> {
        if self.pipe.is_none() {
            let (reader, writer) = io::pipe()?;
            thread::Builder::new().name("switchback-signals".into()).spawn(move || serve(reader))?;
            self.pipe = Some(writer);
        }
        self.pipe.as_ref().ok_or_else(|| unreachable!("it is there"))
    }

    /// Tells those that watch of all that has come. Returns what is to be called.
    fn tell(&mut self) -> Vec<Call> {
        let mut calls: Vec<Call> = Vec::new();
        for (&signal, kind) in &mut self.kinds {
            if !kind.has_come.swap(false, Ordering::SeqCst) {
                continue;
            }
            for (number, watcher) in mem::take(&mut kind.watchers) {
                match &watcher {
                    Watcher::Receiver(receiver) => receiver.put(Signal(signal)),
                    Watcher::Each(call) => calls.push(Box::new(*call)),
                    Watcher::Once(_) => {}
                }
                match watcher {
                    Watcher::Once(call) => calls.push(call),
                    stays => kind.watchers.push((number, stays)),
                }
            }
            kind.settle();
        }
        calls
    }
}

impl Kind {
    /// Installs the handler of a signal. What it does is done in this order.
    fn install(signal: Signal, pipe: &PipeWriter) -> io::Result<Self> {
        let before = action::of(signal)?;
        let has_come = Arc::new(AtomicBool::new(false));
        let is_unwatched = Arc::new(AtomicBool::new(false));
        let pipe = pipe.try_clone()?;
        // From here on nothing can fail but the first call, when there is no such signal; so nothing is left half installed.
        if before == Action::Default && signal_name(signal.0).is_some() {
            flag::register_conditional_default(signal.0, Arc::clone(&is_unwatched))?;
        }
        flag::register(signal.0, Arc::clone(&has_come))?;
        pipe::register(signal.0, pipe)?;
        action::use_alternate_stack(signal)?;
        Ok(Self { has_come, is_unwatched, before, watchers: Vec::new() })
    }

    /// To be called when its watchers have changed.
    fn settle(&self) {
        self.is_unwatched.store(self.watchers.is_empty(), Ordering::SeqCst);
    }
}

/// Tells of what has come whenever there is something to read, for ever.
fn serve(mut pipe: PipeReader) {
    let mut bytes = [0; 64];
    loop {
        match pipe.read(&mut bytes) {
            Ok(0) => return,
            Err(error) if error.kind() != ErrorKind::Interrupted => return,
            _ => {}
        }
        let calls = REGISTRY.lock().tell();
        calls.into_iter().for_each(|call| call());
    }
}
