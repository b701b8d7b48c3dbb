//! Unix: the handler, and the stacks that it runs on.

use super::super::fork::Lock;
use super::super::header::{self, Occupant};
use super::super::slab::{self, Slot};
use super::super::system;
use super::context;
use core::cell::UnsafeCell;
use core::ffi::{c_int, c_void};
use core::mem::{self, MaybeUninit};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

const SIGNALS: [c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// What handlers need of an alternate stack besides the frame of the signal: ours, and ours with those it passes a signal on
/// to, which may expect the stack of a thread. The latter is what a stack is made with; untouched, it costs address space.
const OURS_NEEDS: usize = 8 * 1024;
const ALL_NEED: usize = 128 * 1024;

/// An alternate stack of this size is the choice of somebody who has thought of handlers, and is left alone. Those that std
/// makes are 8 or 16 KiB large.
const CHOSEN: usize = 64 * 1024;

/// How far the stack pointer may be from the address of an overflow. Functions whose frames are not probed (C compiled
/// without stack-clash protection) can have moved it far below the address before they touch anything.
const LARGEST_FRAME: usize = 1024 * 1024;

/// Reports overflows of a thread's coroutines as long as it lives.
pub(in crate::stack) struct Watch {
    /// The alternate stack that was made for the thread, if it had none: a guard and what is above it.
    stack: Option<(NonNull<u8>, usize)>,
}

impl Watch {
    pub(in crate::stack) fn new() -> Self {
        if !super::wanted() {
            return Self { stack: None };
        }
        // A thread that is not the first waits until the handlers are there: its coroutine may overflow at once.
        static INSTALLED: Lock<bool> = Lock::new(false);
        let mut installed = INSTALLED.lock();
        if !*installed {
            install();
            *installed = true;
        }
        drop(installed);
        Self { stack: alternate_stack() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some((base, len)) = self.stack else { return };
        // SAFETY: it asks which alternate stack the thread has, and has it forget ours. If a handler is on it (which exits, and
        // so runs this) or the thread will not forget it, then it stays.
        unsafe {
            let mut now = none();
            if libc::sigaltstack(ptr::null(), &mut now) != 0 || now.ss_flags & libc::SS_ONSTACK != 0 {
                return;
            }
            if now.ss_sp == usable(base).as_ptr().cast::<c_void>() {
                // What the thread had before may be gone: std frees the alternate stack of a thread before this runs.
                let disabled = libc::stack_t { ss_flags: libc::SS_DISABLE, ..none() };
                if libc::sigaltstack(&disabled, ptr::null_mut()) != 0 {
                    return;
                }
            }
            system::release(base, len);
        }
    }
}

fn none() -> libc::stack_t {
    libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: 0, ss_size: least() }
}

/// The least size of an alternate stack that is enough: a signal's frame can have 11 KiB of AMX and AVX-512 registers.
fn least() -> usize {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: it looks into what the kernel has given the process. 0 means that it has not said.
    let frame = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let frame = 0;
    frame.max(libc::MINSIGSTKSZ) + OURS_NEEDS
}

fn usable(base: NonNull<u8>) -> NonNull<u8> {
    // SAFETY: the reservation is longer than the page of its guard.
    unsafe { base.add(system::page_size()) }
}

/// Gives the thread an alternate stack, unless it has a large one. Without one, overflows are bare signals.
fn alternate_stack() -> Option<(NonNull<u8>, usize)> {
    let mut present = none();
    // SAFETY: it asks, and there is room for the answer.
    let asked = unsafe { libc::sigaltstack(ptr::null(), &mut present) } == 0;
    if !asked || (present.ss_flags & libc::SS_DISABLE == 0 && present.ss_size >= least().max(CHOSEN)) {
        return None;
    }
    let page = system::page_size();
    let size = (least() + ALL_NEED).next_multiple_of(page);
    let (base, len) = (system::reserve(page + size, false).ok()?, page + size);
    let wanted = libc::stack_t { ss_sp: usable(base).as_ptr().cast(), ss_flags: 0, ss_size: size };
    // SAFETY: the memory is ours until `Watch` is dropped, which has the thread forget it first.
    let done = unsafe { system::allow(usable(base), size).is_ok() && libc::sigaltstack(&wanted, ptr::null_mut()) == 0 };
    if !done {
        // SAFETY: nobody has heard of it.
        unsafe { system::release(base, len) };
    }
    done.then_some((base, len))
}

/// Who handled a signal before. Written once, before our handler is there.
struct Before(UnsafeCell<[MaybeUninit<libc::sigaction>; SIGNALS.len()]>);

// SAFETY: `install` writes it, once, and whoever reads it does so because of what `install` did after that.
unsafe impl Sync for Before {}

static BEFORE: Before = Before(UnsafeCell::new([MaybeUninit::uninit(); SIGNALS.len()]));

fn install() {
    for (index, signal) in SIGNALS.into_iter().enumerate() {
        // SAFETY: a sigaction of zeros is one. The place for the earlier one is written here only; the handler does what
        // a handler may, and keeps to its stack.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            libc::sigemptyset(&mut action.sa_mask);
            // Asked first: our handler may run, for a fault of another thread, before the call that installs it returns.
            libc::sigaction(signal, ptr::null(), (&raw mut (*BEFORE.0.get())[index]).cast());
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            action.sa_sigaction = handle as *const () as usize;
            libc::sigaction(signal, &action, ptr::null_mut());
        }
    }
}

unsafe extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: these are a handler's arguments.
    unsafe {
        if let Some(slot) = overflown(info, context) {
            // SAFETY: this thread runs on the slot, as `overflown` has found out.
            report_once(slot, header::occupant(slot));
        }
        pass_on(signal, info, context);
    }
}

/// One report is enough, also if an earlier handler returns to the instruction that overflows.
fn report_once(slot: Slot, occupant: Option<Occupant>) {
    const NONE: u8 = 0;
    const BEGUN: u8 = 1;
    const DONE: u8 = 2;
    static REPORT: AtomicU8 = AtomicU8::new(NONE);
    if REPORT.compare_exchange(NONE, BEGUN, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        report(slot, occupant);
        REPORT.store(DONE, Ordering::Relaxed);
    }
    // Another thread may be at it, whose words the end of this one would cut off. A second is long enough for a pipe.
    for _ in 0..100 {
        if REPORT.load(Ordering::Relaxed) == DONE {
            break;
        }
        // SAFETY: it waits, and looks at nothing.
        unsafe { libc::poll(ptr::null_mut(), 0, 10) };
    }
}

/// The slot that the thread runs on and has overflowed, if that is what the signal says.
///
/// # Safety
///
/// The arguments are those of a handler.
unsafe fn overflown(info: *mut libc::siginfo_t, context: *mut c_void) -> Option<Slot> {
    // SAFETY: by this function's contract. A positive code is the kernel's, of a fault; then there is an address.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr().addr()) };
    if code <= 0 {
        return None;
    }
    let slot = slab::find(address).filter(|slot| slot.guards(address))?;
    // SAFETY: by this function's contract.
    let pointer = unsafe { context::stack_pointer(context) }?;
    // A bad pointer may hit the guard of the stack that it is used on, too, long before that is full. Functions write a
    // little below the stack pointer (x86_64: its red zone; aarch64: before it is moved), and far above it in frames that
    // were not probed, whose stack pointer can be in the slot below.
    if pointer > address + system::page_size() {
        return None;
    }
    if slot.holds(pointer) {
        return Some(slot);
    }
    // SAFETY: `is_running_here` believes nobody but this thread's own stacks.
    let (over, on) = unsafe {
        let on = slab::find(pointer).is_some_and(|other| header::is_running_here(other));
        (header::is_running_here(slot), on)
    };
    // If whoever has the slot below runs, then it is its bad pointer, or cannot be told from one.
    (over && !on && pointer > address.saturating_sub(LARGEST_FRAME)).then_some(slot)
}

/// Leaves a signal to whoever handled it before, in the way that was asked for then.
///
/// # Safety
///
/// The arguments are those of our handler.
unsafe fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    static SPENT: [AtomicBool; SIGNALS.len()] = [const { AtomicBool::new(false) }; SIGNALS.len()];
    let index = SIGNALS.iter().position(|one| *one == signal).unwrap_or(0);
    // SAFETY: our handler runs, so `install` has asked who was there before. The information is a handler's.
    let (before, code) = unsafe { ((*BEFORE.0.get())[index].assume_init_ref(), (*info).si_code) };
    let mut handler = before.sa_sigaction;
    if before.sa_flags & libc::SA_RESETHAND != 0 && SPENT[index].swap(true, Ordering::Relaxed) {
        handler = libc::SIG_DFL;
    }
    if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
        // To ignore a fault would be to repeat it for ever; the kernel does not either.
        if handler == libc::SIG_DFL || code > 0 {
            // SAFETY: nothing else is to happen.
            unsafe { default_action(signal, code) };
        }
        return;
    }
    // SAFETY: it was installed as a handler of the kind that its flags say, and gets what a handler gets, with the signals
    // blocked that it asked for. The kernel puts the mask of before back when we return.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &before.sa_mask, ptr::null_mut());
        if before.sa_flags & libc::SA_NODEFER != 0 {
            let mut this: libc::sigset_t = mem::zeroed();
            libc::sigemptyset(&mut this);
            libc::sigaddset(&mut this, signal);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &this, ptr::null_mut());
        }
        if before.sa_flags & libc::SA_SIGINFO != 0 {
            let handler: unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = mem::transmute(handler);
            handler(signal, info, context);
        } else {
            let handler: unsafe extern "C" fn(c_int) = mem::transmute(handler);
            handler(signal);
        }
    }
}

/// Puts the default action back, and sees to it that it is taken when the handler returns.
///
/// # Safety
///
/// A handler calls it, for the signal that it handles.
unsafe fn default_action(signal: c_int, code: c_int) {
    /// `SI_KERNEL`: among others, of a signal whose frame did not fit on its stack.
    const FROM_KERNEL: c_int = 0x80;
    // SAFETY: an action of zeros with no handler is the default one.
    unsafe {
        let mut default: libc::sigaction = mem::zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(signal, &default, ptr::null_mut());
        // A fault happens again when we return; what was sent is sent again, and comes then.
        if code <= 0 || code == FROM_KERNEL {
            libc::raise(signal);
        }
    }
}

/// Writes the report to standard error, in one piece if it fits.
fn report(slot: Slot, occupant: Option<Occupant>) {
    let size = slot.class().size();
    let mut text = Text { bytes: [0; 1_024], len: 0 };
    text.add("\nswitchback: ");
    match occupant {
        Some(Occupant { name, created_at, .. }) => {
            text.add("coroutine ");
            if let Some(name) = name {
                text.add("'");
                // SAFETY: a coroutine that runs has its name.
                text.add(unsafe { name.as_ref() });
                text.add("' ");
            }
            text.add("created at ");
            text.add(created_at.file());
            text.add(":");
            text.number(created_at.line() as usize);
            text.add(":");
            text.number(created_at.column() as usize);
        }
        None => text.add("code on a GuardedStack"),
    }
    text.add(" has overflowed its stack of ");
    text.number(size / 1024);
    text.add(" KiB\nswitchback: if it is not endless recursion, give it a larger one: Builder::stack_size(");
    text.number(size / 1024 * 2);
    text.add(" * 1024); or run what is deep on its consumer's stack: Yielder::on_parent_stack\n");
    text.flush();
}

/// A text on its way to standard error.
struct Text {
    bytes: [u8; 1_024],
    len: usize,
}

impl Text {
    fn add(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.len == self.bytes.len() {
                self.flush();
            }
            self.bytes[self.len] = byte;
            self.len += 1;
        }
    }

    fn number(&mut self, number: usize) {
        if number >= 10 {
            self.number(number / 10);
        }
        self.add(&"0123456789"[number % 10..][..1]);
    }

    fn flush(&mut self) {
        let mut start = 0;
        while start < self.len {
            // SAFETY: the bytes from `start` to `len` are there.
            let written = unsafe { libc::write(2, self.bytes.as_ptr().add(start).cast(), self.len - start) };
            match usize::try_from(written) {
                Ok(written) if written > 0 => start += written,
                _ => break,
            }
        }
        self.len = 0;
    }
}
