//! How much of their stacks coroutines use, and giving back what they no longer use.

use super::class::Class;
use super::fork::Lock;
use super::header::Header;
use super::system::{self, Locked};
use super::{notices, pool};
use core::panic::Location;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, Ordering};
use std::collections::BTreeMap;

/// A free stack with more than this in memory went deep: it is trimmed when its thread ends.
const DEEP: usize = 64 * 1024;
/// What painted stacks are filled with: no address, no small number, no common float.
const PAINT: usize = usize::MAX / 0xff * 0xa5;

/// How the stacks of coroutines that end are measured, for [`usage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
#[non_exhaustive]
pub enum Measure {
    /// Not at all, at no cost.
    #[default]
    Off,
    /// By the pages that have memory. It costs a few system calls a coroutine, microseconds. Pages that were swapped out count
    /// as unused.
    Pages,
    /// To the word: the whole stack is filled with a pattern first, which takes as much memory as it has room, and a tenth of
    /// a millisecond at the default size.
    Painted,
}

/// What the coroutines that were created at one place have used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Usage {
    /// Where they were created.
    pub created_at: &'static Location<'static>,
    /// How many were measured.
    pub coroutines: usize,
    /// The most that one of them has used, in bytes.
    pub high_water: usize,
    /// The size of that one's stack, in bytes.
    pub stack_size: usize,
}

static MEASURE: AtomicU8 = AtomicU8::new(Measure::Off as u8);
/// By file, line and column: a place can have several `Location`s.
static SITES: Lock<BTreeMap<&'static Location<'static>, Usage>> = Lock::new(BTreeMap::new());

/// Chooses how coroutines are measured that get their stacks from now on; returns the choice until now.
///
/// To find out how large stacks need to be, turn it on at the program's beginning and look at [`usage`] at its end. Another
/// thread that has had coroutines before the call keeps the free stacks that it has, and those are not measured.
///
/// # Examples
///
/// ```
/// use switchback::stack::{self, Measure};
///
/// stack::set_measure(Measure::Painted);
/// let text: String = switchback::Generator::new(|y| y.yield_(format!("{:?}", Some(1)))).collect();
/// let usage = &stack::usage()[0];
/// println!("{}: {} of {} bytes", usage.created_at, usage.high_water, usage.stack_size);
/// assert!(usage.coroutines == 1 && usage.high_water > 100);
/// # assert_eq!(text, "Some(1)");
/// ```
pub fn set_measure(measure: Measure) -> Measure {
    let until_now = from_byte(MEASURE.swap(measure as u8, Ordering::Relaxed));
    pool::close_lists(measure != Measure::Off);
    until_now
}

/// What the coroutines that were [measured](set_measure) and have ended have used, by the place of their creation; those
/// that have used most come first.
#[must_use]
pub fn usage() -> Vec<Usage> {
    let mut all: Vec<Usage> = SITES.lock().values().cloned().collect();
    all.sort_by_key(|usage| core::cmp::Reverse(usage.high_water));
    all
}

pub(super) fn measure() -> Measure {
    from_byte(MEASURE.load(Ordering::Relaxed))
}

fn from_byte(byte: u8) -> Measure {
    [Measure::Off, Measure::Pages, Measure::Painted][usize::from(byte)]
}

/// A stack gets a user.
///
/// # Safety
///
/// The stack is the caller's, and nothing is on it but the header.
pub(super) unsafe fn begin(header: NonNull<Header>) {
    // SAFETY: the header is the caller's.
    let this = unsafe { header.as_ref() };
    match this.measure.get() {
        Measure::Off => {}
        // SAFETY: nothing is on it.
        Measure::Pages => unsafe { trim(header, Locked::Goes) },
        Measure::Painted => {
            let (start, words) = words(this);
            // SAFETY: the words lie between limit and header, where nothing is.
            unsafe { start.cast_mut().write_bytes(PAINT as u8, words) };
        }
    }
}

/// The user of a stack has ended.
///
/// # Safety
///
/// The stack is the caller's, and its user was a coroutine.
pub(super) unsafe fn end(header: NonNull<Header>) {
    // SAFETY: the header is the caller's.
    let this = unsafe { header.as_ref() };
    let Some(tenant) = this.tenant.get().filter(|_| this.measure.get() != Measure::Off) else { return };
    // SAFETY: it has a tenant, and the caller says who it was.
    let created_at = unsafe { (tenant.describe)(header) }.created_at;
    // SAFETY: the stack is the caller's.
    let (high_water, stack_size) = unsafe { (high_water(header), size(header)) };
    let mut sites = SITES.lock();
    let site = sites.entry(created_at).or_insert(Usage { created_at, coroutines: 0, high_water: 0, stack_size });
    site.coroutines += 1;
    if high_water > site.high_water {
        (site.high_water, site.stack_size) = (high_water, stack_size);
    }
    this.measure.set(Measure::Off);
}

/// The size of a stack, in bytes: from the lowest address that may be written up to the header.
///
/// # Safety
///
/// The stack is the caller's.
pub(crate) unsafe fn size(header: NonNull<Header>) -> usize {
    // SAFETY: the header is the caller's.
    unsafe { header.as_ref() }.room()
}

/// How much of a stack has been used, in bytes: exact if it was painted, or else an upper bound to the page, in which
/// earlier users of the stack count.
///
/// # Safety
///
/// The stack is the caller's.
pub(crate) unsafe fn high_water(header: NonNull<Header>) -> usize {
    // SAFETY: the header is the caller's.
    let this = unsafe { header.as_ref() };
    let room = this.room();
    if this.measure.get() == Measure::Painted {
        let (start, words) = words(this);
        // SAFETY: all of it was painted, and is initialised so. What runs on the stack is the caller, or is parked.
        let painted = |index: &usize| unsafe { start.add(*index).read_volatile() } == PAINT;
        let unused = notices::looking(start.cast(), (&raw const *this).cast(), || {
            (0..words).find(|index| !painted(index)).unwrap_or(words)
        });
        return room - unused * size_of::<usize>();
    }
    let first = this.limit.addr().get().next_multiple_of(system::page_size());
    let skipped = first - this.limit.addr().get();
    let pages = room.saturating_sub(skipped);
    // SAFETY: it is within the stack, whose size is a page at least.
    let start = unsafe { this.limit.add(skipped.min(room)) };
    match system::untouched(start, pages) {
        0 => room,
        untouched => room - skipped - untouched.min(pages),
    }
}

/// The words of a stack below its header.
fn words(this: &Header) -> (*const usize, usize) {
    let start = this.limit.as_ptr().map_addr(|address| address.next_multiple_of(align_of::<usize>()));
    let len = (&raw const *this).addr() - start.addr();
    (start.cast_const().cast(), len / size_of::<usize>())
}

/// Trims a free stack of the pool if it is worth two system calls.
///
/// # Safety
///
/// As for [`trim`].
pub(super) unsafe fn trim_if_deep(header: NonNull<Header>) {
    // SAFETY: the stack is the caller's.
    if unsafe { high_water(header) } > DEEP {
        // SAFETY: the same contract.
        unsafe { trim(header, Locked::Stays) };
    }
}

/// Gives the memory of a free stack back to the system, but for the pages of its header and of what is right below that.
///
/// # Safety
///
/// The stack is the caller's, and nothing below the control block's page is needed.
pub(super) unsafe fn trim(header: NonNull<Header>, locked: Locked) {
    // SAFETY: the header is the caller's.
    let this = unsafe { header.as_ref() };
    if this.class == Class::PROVIDED {
        return;
    }
    // What is right below the header stays: the control block, which the next user of the thread expects as it was left.
    let page = system::page_size();
    let kept = ((&raw const *this).addr() - 1_024) & !(page - 1);
    let len = kept.saturating_sub(this.limit.addr().get());
    if len > 0 {
        // SAFETY: whole pages of a slot of the caller's, that are not needed.
        unsafe { system::discard(this.limit, len, locked) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::header;
    use crate::stack::slab;

    #[test]
    fn high_water_and_trimming() {
        let slot = slab::take(Class::with(1 << 20).expect("in range")).expect("a slot");
        let header = header::lay_out(slot);
        // SAFETY: the slot is ours, in all of this.
        unsafe {
            // Windows does not tell what was touched.
            #[cfg(unix)]
            {
                assert!(high_water(header) <= system::page_size());
                slot.limit().add(300_000).write(1);
                assert!((size(header) - 300_000..=size(header) - 290_000).contains(&high_water(header)));
                trim_if_deep(header);
            }
            #[cfg(target_os = "linux")]
            assert!(high_water(header) <= system::page_size());
            // What is locked goes for who asks. Emulators take the advice and do nothing, and sanitizers do not lock.
            #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "x86")))]
            #[cfg(not(any(switchback_asan, switchback_tsan)))]
            {
                let (place, page) = (slot.limit().add(300_000).as_ptr(), system::page_size());
                place.write(1);
                assert_eq!(libc::mlock(place.cast(), 1), 0);
                trim_if_deep(header);
                assert!(high_water(header) > page);
                trim(header, Locked::Goes);
                assert!(high_water(header) <= page);
                assert_eq!(libc::munlock(place.cast(), 1), 0);
            }
            header.as_ref().measure.set(Measure::Painted);
            begin(header);
            assert_eq!(high_water(header), 0);
            slot.limit().add(300_001).write(1);
            assert_eq!(high_water(header), size(header) - 300_000);
            slab::give_back(&mut [slot], Locked::Stays);
        }
    }
}
