//! SIGQUIT prints what all tasks are at. The handler writes a byte to a pipe; a thread reads it, and does the rest.

use super::dump::Dump;
use super::shared::Shared;
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicI32, Ordering};
use parking_lot::Mutex;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::{Arc, Weak};
use std::thread;

/// Where the handler writes; never closed once it is there.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// As long as it lives, a run is among those that are dumped.
pub(super) struct Registered(Weak<Shared>);

/// The runs that are dumped, and the handler that was there before them.
static STATE: Mutex<State> = Mutex::new(State { runs: Vec::new(), before: None });

struct State {
    runs: Vec<Weak<Shared>>,
    before: Option<Before>,
}

struct Before(libc::sigaction);

// SAFETY: it is an address of a function, a mask and flags, which belong to the process.
unsafe impl Send for Before {}

impl Registered {
    pub(super) fn new(shared: &Arc<Shared>) -> io::Result<Self> {
        let mut state = STATE.lock();
        if PIPE.load(Ordering::Relaxed) < 0 {
            let (reader, writer) = io::pipe()?;
            never_wait(&writer);
            thread::Builder::new().name("switchback-sigquit".into()).spawn(move || serve(reader))?;
            PIPE.store(writer.into_raw_fd(), Ordering::Release);
        }
        if state.before.is_none() {
            state.before = Some(Before(install()?));
        }
        let run = Arc::downgrade(shared);
        state.runs.push(Weak::clone(&run));
        Ok(Self(run))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut state = STATE.lock();
        state.runs.retain(|run| !run.ptr_eq(&self.0));
        if state.runs.is_empty()
            && let Some(Before(before)) = state.before.take()
        {
            put_back(&before);
        }
    }
}

/// Lets writes to a full pipe fail: a handler must not wait.
fn never_wait(writer: &io::PipeWriter) {
    // SAFETY: it sets a flag of a descriptor that is ours.
    unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
}

/// Calls async-signal-safe functions only, and leaves `errno` as it was (invariant 23).
extern "C" fn on_signal(_signal: c_int) {
    let pipe = PIPE.load(Ordering::Acquire);
    let byte = [0_u8];
    // SAFETY: the descriptor is never closed, and there is a byte to be written. A pipe that is full has woken the reader.
    unsafe {
        let errno = errno();
        let before = *errno;
        libc::write(pipe, byte.as_ptr().cast::<c_void>(), 1);
        *errno = before;
    }
}

/// Where this thread's `errno` is.
fn errno() -> *mut c_int {
    // SAFETY: it has no precondition.
    unsafe {
        #[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "hurd", target_os = "redox"))]
        return libc::__errno_location();
        #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
        return libc::__error();
        #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
        return libc::__errno();
        #[cfg(any(target_os = "solaris", target_os = "illumos"))]
        return libc::___errno();
        #[cfg(target_os = "dragonfly")]
        return libc::__errno_location();
    }
}

/// Installs the handler, and returns what was there before.
fn install() -> io::Result<libc::sigaction> {
    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: all of it may be zero; the handler is a function of the signature that goes without SA_SIGINFO; there is room for
    // what was there before.
    unsafe {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        action.sa_sigaction = on_signal as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigemptyset(&mut action.sa_mask);
        if libc::sigaction(libc::SIGQUIT, &action, before.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(before.assume_init())
    }
}

/// Puts back what was there before, unless somebody has put another handler in place of ours.
fn put_back(before: &libc::sigaction) {
    let mut now = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: it asks for the handler, and sets one that was there before.
    unsafe {
        if libc::sigaction(libc::SIGQUIT, ptr::null(), now.as_mut_ptr()) == 0
            && now.assume_init_ref().sa_sigaction == on_signal as *const () as libc::sighandler_t
        {
            libc::sigaction(libc::SIGQUIT, before, ptr::null_mut());
        }
    }
}

/// Prints a dump for each byte, for ever.
fn serve(mut pipe: io::PipeReader) {
    let mut byte = [0];
    while pipe.read_exact(&mut byte).is_ok() {
        let runs: Vec<_> = STATE.lock().runs.iter().filter_map(Weak::upgrade).collect();
        if runs.is_empty() {
            // Whoever has installed another handler meanwhile may go on calling ours.
            continue;
        }
        let dump = Dump::of(&runs, true);
        drop(runs);
        // Nothing can be done about a standard error that cannot be written.
        let _ = writeln!(io::stderr(), "{dump}");
    }
}
