//! Where guarded stacks come from: a few large reservations of address space, cut into slots.
//!
//! ```text
//!    reservation of a class, spacing = guard + size
//!    base                base + spacing          base + 2 * spacing
//!    +-------+----------+-------+---------------+-------+------
//!    | guard | slot 0   | guard | slot 1        | guard |  ...       slot of an address = (address - base) / spacing
//!    +-------+----------+-------+---------------+-------+------
//!            limit   top        limit        top
//! ```
//!
//! Reservations of a class double in size, so that a million stacks are two dozen mappings, and a process under
//! `ulimit -v` or Valgrind is not asked for more than about what it uses. They are never unmapped: a pinned value on the
//! stack of a leaked coroutine stays valid (invariants 5 and 11). The memory of slots that come back goes back
//! to the system at once, that of neighbours in one call: a quarter of what they cost one by one.
//!
//! # Who may touch what
//!
//! [`TABLE`] lists the reservations. It only grows, and is read without a lock: by the handler that reports overflows, and
//! by debuggers. A place of the table is written once, before `len` counts it. Each class has a mutex around what can be
//! taken from it. A slot that is neither in `free` nor beyond `carved` belongs to whoever has the [`Slot`].

use super::class::{CLASSES, Class};
use super::error::StackError;
use super::fork::Lock;
use super::guard::Guard;
use super::mappings;
use super::system::{self, Locked};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use parking_lot::Mutex;

/// How many reservations there can be. Doubling fills the address space of a process long before: what takes many is
/// stacks of [`MAX_SIZE`](super::MAX_SIZE).
const RESERVATIONS: usize = 1_024;

/// The first reservation of a class is of about this many bytes.
const FIRST: usize = 4 * 1024 * 1024;

/// What is left to the heap and to the stacks of threads when address space runs out.
const LEFT: usize = 16 * 1024 * 1024;

/// What is left to others when memory runs out.
const KEPT: usize = 256 * 1024 * 1024;

/// So many stacks there may be without a look at how much memory is left.
const UNSEEN: usize = 1_024;

/// A stretch of address space for stacks of one class.
#[repr(C)]
pub(crate) struct Reservation {
    pub(super) base: AtomicPtr<u8>,
    /// The distance between two slots.
    pub(super) spacing: AtomicUsize,
    /// How many slots have been handed out at least once.
    pub(super) carved: AtomicUsize,
    /// How many slots fit.
    pub(super) slots: AtomicUsize,
    /// The index of its class.
    class: AtomicUsize,
    /// Whether its pages can be used at once, but for guards; or else are to be allowed slot by slot, but for guards.
    usable: AtomicBool,
}

/// All reservations of the process, oldest first.
#[repr(C)]
pub(crate) struct Table {
    pub(super) len: AtomicUsize,
    pub(super) reservations: [Reservation; RESERVATIONS],
}

pub(crate) static TABLE: Table = Table {
    len: AtomicUsize::new(0),
    reservations: [const {
        Reservation {
            base: AtomicPtr::new(ptr::null_mut()),
            spacing: AtomicUsize::new(0),
            carved: AtomicUsize::new(0),
            slots: AtomicUsize::new(0),
            class: AtomicUsize::new(0),
            usable: AtomicBool::new(false),
        }
    }; RESERVATIONS],
};

/// How many slots are out: in use, or in a pool.
static OUT: AtomicUsize = AtomicUsize::new(0);
/// How many slots have ever been handed out, and so cost mappings where guards do.
static CARVED: AtomicUsize = AtomicUsize::new(0);

/// What a class has to give.
struct Stock {
    /// Slots that have come back.
    free: Vec<Slot>,
    /// The newest reservation.
    newest: Option<&'static Reservation>,
    /// How many of its slots have guards: those that were handed out, and some of the next.
    guarded: usize,
}

static STOCKS: [Lock<Stock>; CLASSES] =
    [const { Lock::new(Stock { free: Vec::new(), newest: None, guarded: 0 }) }; CLASSES];

/// Memory for a stack: its place, not the right to use it. That has whoever [`take`] gave it to, until it is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The guard's first byte.
    base: NonNull<u8>,
    class: Class,
    /// Its number in its reservation.
    number: u32,
}

// SAFETY: it is a place in the address space of the process.
unsafe impl Send for Slot {}

impl Slot {
    pub(super) fn class(&self) -> Class {
        self.class
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn limit(&self) -> NonNull<u8> {
        // SAFETY: a slot is longer than its guard.
        unsafe { self.base.add(guard_len()) }
    }

    pub(super) fn top(&self) -> NonNull<u8> {
        // SAFETY: one past the end of the slot.
        unsafe { self.limit().add(self.class.size()) }
    }

    /// Whether an address is in the slot's guard.
    pub(super) fn guards(&self, address: usize) -> bool {
        (self.base.addr().get()..self.limit().addr().get()).contains(&address)
    }

    /// Whether an address is in the slot, its guard included.
    pub(super) fn holds(&self, address: usize) -> bool {
        (self.base.addr().get()..self.top().addr().get()).contains(&address)
    }

    /// The slot whose usable bytes begin at `limit`.
    ///
    /// # Safety
    ///
    /// There is one, of this class and number.
    pub(super) unsafe fn at(limit: NonNull<u8>, class: Class, number: u32) -> Self {
        // SAFETY: below a slot's limit is its guard.
        Self { base: unsafe { limit.sub(guard_len()) }, class, number }
    }
}

/// The length of a guard, in bytes. The frames of Rust functions are probed page by page, so a page is enough for them.
fn guard_len() -> usize {
    system::page_size()
}

/// How many stacks of this process exist just now, free ones that the pool keeps included.
pub(super) fn stacks() -> usize {
    OUT.load(Ordering::Relaxed)
}

/// Takes a slot. Its usable bytes are zero, or what a system that cannot give memory back has left there.
///
/// # Errors
///
/// When the system refuses address space, access or the guard.
pub(super) fn take(class: Class) -> Result<Slot, StackError> {
    let mut stock = STOCKS[class.index()].lock();
    let slot = match stock.free.pop() {
        Some(slot) => slot,
        None => {
            let slot = carve(&mut stock, class)?;
            CARVED.fetch_add(1, Ordering::Relaxed);
            slot
        }
    };
    OUT.fetch_add(1, Ordering::Relaxed);
    Ok(slot)
}

/// Whether there is, or has been, a slot of that class. What is free is only ever used for others of its class.
pub(super) fn has(class: Class) -> bool {
    STOCKS[class.index()].lock().newest.is_some()
}

/// Takes slots of one class back, and gives their memory to the system. Sorts them.
///
/// # Safety
///
/// The slots are the caller's, who needs nothing on them and forgets them.
pub(super) unsafe fn give_back(slots: &mut [Slot], locked: Locked) {
    let Some(Slot { class, .. }) = slots.first().copied() else { return };
    slots.sort_unstable_by_key(|slot| slot.base);
    // Neighbours go in one call. Guards of advice between them stay, and are the later one's.
    let may_join = Guard::in_use() == Guard::Advice;
    for run in slots.chunk_by(|slot, next| may_join && slot.top() == next.base) {
        let len = run[run.len() - 1].top().addr().get() - run[0].limit().addr().get();
        // SAFETY: from the first of them to the last there is nothing else, and nothing on them is needed.
        if !unsafe { system::discard(run[0].limit(), len, locked) } && run.len() > 1 {
            // SAFETY: the same, one by one: one that is locked in memory does not keep the others.
            run.iter().for_each(|slot| _ = unsafe { system::discard(slot.limit(), class.size(), locked) });
        }
    }
    OUT.fetch_sub(slots.len(), Ordering::Relaxed);
    STOCKS[class.index()].lock().free.extend_from_slice(slots);
}

/// The slot, handed out at least once, that an address is in. It may be anybody's: this gives nobody a right to it.
///
/// Signal handlers may call this.
pub(super) fn find(address: usize) -> Option<Slot> {
    let len = TABLE.len.load(Ordering::Acquire);
    TABLE.reservations[..len].iter().find_map(|reservation| reservation.find(address))
}

impl Reservation {
    fn find(&self, address: usize) -> Option<Slot> {
        let base = self.base.load(Ordering::Relaxed);
        let number = address.checked_sub(base.addr())?.checked_div(self.spacing.load(Ordering::Relaxed))?;
        if number >= self.carved.load(Ordering::Acquire) {
            return None;
        }
        Some(self.slot(number as u32, Class::of_index(self.class.load(Ordering::Relaxed))))
    }

    /// The slot of this number, which there is.
    fn slot(&self, number: u32, class: Class) -> Slot {
        let offset = number as usize * self.spacing.load(Ordering::Relaxed);
        // SAFETY: a slot of the table begins within its reservation.
        let base = unsafe { NonNull::new_unchecked(self.base.load(Ordering::Relaxed).add(offset)) };
        Slot { base, class, number }
    }

    /// Installs the guards of a slot and of the next ones that nobody has, and says how many of them have one now. None, if it is for
    /// the slot alone, or was refused.
    ///
    /// In one call, and not between the first touches of stacks, a guard takes half the time. What is guarded ahead of its
    /// use is an eighth of the stacks that there are already, as a reservation is about as large as all before it.
    ///
    /// # Safety
    ///
    /// Nobody has the slot, or one after it, and their pages are the reservation's. They have no guards yet.
    unsafe fn guard_ahead(&self, slot: Slot) -> usize {
        let slots = self.slots.load(Ordering::Relaxed);
        let count = (slots / 8).min(slots - slot.number as usize).min(system::GUARDS);
        if count < 2 || !Guard::is_advice_taken() {
            return 0;
        }
        // SAFETY: by this function's contract; so many slots there are from this one on.
        unsafe { system::advise_guards(slot.base, guard_len(), self.spacing.load(Ordering::Relaxed), count) }
    }

    /// A slot that was never handed out, if there is one. The first `guarded` have guards. The caller holds the class's lock.
    fn carve(&self, class: Class, guarded: &mut usize) -> Option<Result<Slot, system::Failed>> {
        let number = self.carved.load(Ordering::Relaxed);
        if number == self.slots.load(Ordering::Relaxed) {
            return None;
        }
        let slot = self.slot(number as u32, class);
        // SAFETY: nobody has the slot yet, and its pages are the reservation's.
        let ready = unsafe {
            if self.usable.load(Ordering::Relaxed) {
                if number == *guarded {
                    *guarded += self.guard_ahead(slot);
                }
                if number < *guarded { Ok(()) } else { Guard::in_use().install(slot.base, guard_len()) }
            } else {
                // What is to be used is allowed, and the rest is the guard.
                leave_memory(number, class).and_then(|()| system::allow(slot.limit(), class.size()))
            }
        };
        Some(ready.map(|()| {
            *guarded = (*guarded).max(number + 1);
            self.carved.store(number + 1, Ordering::Release);
            slot
        }))
    }
}

/// Whether there will be address space and memory to promise after some more stacks: asked once in a while.
fn leave_memory(number: usize, class: Class) -> Result<(), system::Failed> {
    if number * class.size() % (LEFT / 4) >= class.size() {
        return Ok(());
    }
    let base = system::reserve(LEFT, true)?;
    // SAFETY: reserved just now, and nobody has heard of it.
    unsafe { system::release(base, LEFT) };
    Ok(())
}

/// Cuts a slot off the newest reservation, or off a new one.
fn carve(stock: &mut Stock, class: Class) -> Result<Slot, StackError> {
    let spacing = guard_len() + class.size();
    let failed = |failed| StackError::os(failed, spacing, stacks());
    if may_cost_mappings(stock.newest) {
        mappings::leave_some(spacing, CARVED.load(Ordering::Relaxed), stacks)?;
    }
    if let Some(slot) = stock.newest.and_then(|newest| newest.carve(class, &mut stock.guarded)) {
        return slot.map_err(failed);
    }
    let newest = grow(stock.newest, class, spacing)?;
    (stock.newest, stock.guarded) = (Some(newest), 0);
    newest.carve(class, &mut stock.guarded).expect("a new reservation has room").map_err(failed)
}

/// Whether a stack may cost mappings. Where pages are allowed slot by slot it does, though guards be of advice elsewhere: the process has
/// locked its memory since.
fn may_cost_mappings(newest: Option<&Reservation>) -> bool {
    let is_allowed_by_slot = newest.is_some_and(|newest| !newest.usable.load(Ordering::Relaxed));
    is_allowed_by_slot || Guard::in_use() == Guard::Protection || Guard::has_been_refused()
}

/// Makes a reservation that is twice as large as the last, or as large as the system allows.
fn grow(last: Option<&'static Reservation>, class: Class, spacing: usize) -> Result<&'static Reservation, StackError> {
    let wish = last.map_or(FIRST / spacing, |last| last.slots.load(Ordering::Relaxed).saturating_mul(2));
    let mut slots = wish.clamp(1, (isize::MAX as usize / spacing).min(u32::MAX as usize));
    // Nobody refuses memory when it is touched; the process, or another one, would be killed for it. The first few are not
    // worth a look, which takes longer than to make them.
    let are_many = stacks() + slots > UNSEEN;
    // Where memory is locked the advice is refused. Else it is not worth a look for the first few.
    let may_be_filled = are_many || Guard::in_use() == Guard::Protection || Guard::has_been_refused();
    let is_filled = may_be_filled && system::is_filled_at_once();
    if (are_many || is_filled)
        && let Some((left, total)) = system::memory()
    {
        // Each stack takes a page, and its user needs something as well; or all of it at once.
        let takes = if is_filled { class.size() } else { system::page_size() * 5 / 4 };
        let enough_for = left.saturating_sub(KEPT.min(total / 32)) / takes;
        if enough_for == 0 {
            return Err(StackError::memory(left, spacing, stacks()));
        }
        slots = slots.min(enough_for);
    }
    // With guards of advice there is nothing more to do for a slot but to install its guard.
    let usable = Guard::in_use() == Guard::Advice && !is_filled;
    let reserve = |len, left| match left {
        0 => system::reserve(len, usable),
        left => system::reserve(len + left, usable).and_then(|base| {
            // SAFETY: reserved just now, and nobody has heard of it.
            unsafe { system::release(base, len + left) };
            system::reserve(len, usable)
        }),
    };
    // The first few are had in any case: a process with next to no address space is to start.
    let mut reserved = reserve(slots * spacing, if last.is_some() { LEFT } else { 0 });
    while reserved.is_err() && slots > 1 {
        slots /= 2;
        reserved = reserve(slots * spacing, LEFT);
    }
    let base = reserved.map_err(|failed| StackError::os(failed, spacing, stacks()))?;
    enter(base, class, spacing, slots, usable).ok_or_else(|| {
        // SAFETY: it was reserved above, and nobody has heard of it.
        unsafe { system::release(base, slots * spacing) };
        StackError::reservations(RESERVATIONS, spacing, stacks())
    })
}

/// Writes a reservation into the table, unless that is full.
fn enter(base: NonNull<u8>, class: Class, spacing: usize, slots: usize, usable: bool) -> Option<&'static Reservation> {
    // Classes have locks of their own.
    static WRITERS: Mutex<()> = Mutex::new(());
    let _only = WRITERS.lock();
    let len = TABLE.len.load(Ordering::Relaxed);
    let place = TABLE.reservations.get(len)?;
    place.base.store(base.as_ptr(), Ordering::Relaxed);
    place.spacing.store(spacing, Ordering::Relaxed);
    place.slots.store(slots, Ordering::Relaxed);
    place.class.store(class.index(), Ordering::Relaxed);
    place.usable.store(usable, Ordering::Relaxed);
    TABLE.len.store(len + 1, Ordering::Release);
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_its_slot() {
        let class = Class::with(2 << 20).expect("in range");
        let mut slots: Vec<Slot> = (0..20).map(|_| take(class).expect("a slot")).collect();
        for slot in &slots {
            let (base, limit, top) = (slot.base.addr().get(), slot.limit().addr().get(), slot.top().addr().get());
            for address in [base, limit - 1, limit, limit + 1000, top - 1] {
                assert_eq!(find(address).as_ref(), Some(slot));
                assert_eq!(slot.guards(address), address < limit);
            }
            assert_ne!(find(base - 1).as_ref(), Some(slot));
            assert_ne!(find(top).as_ref(), Some(slot));
        }
        let local = 0_u8;
        assert_eq!(find((&raw const local).addr()), None);
        // SAFETY: taken above, and not used.
        unsafe { give_back(&mut slots, Locked::Stays) };
    }

    #[test]
    fn what_comes_back_is_given_out_again_with_its_guard_and_without_its_memory() {
        let class = Class::with(1 << 20).expect("in range");
        let slot = take(class).expect("a slot");
        let (limit, top) = (slot.limit(), slot.top());
        // SAFETY: the slot is ours.
        unsafe { top.sub(1).write(7) };
        #[cfg(unix)]
        assert_eq!(system::untouched(limit, class.size()), class.size() - system::page_size());
        // SAFETY: taken above, and nothing on it is needed.
        unsafe { give_back(&mut [slot], Locked::Stays) };
        let again = take(class).expect("a slot");
        assert_eq!((again.limit(), again.top()), (limit, top));
        assert_eq!(system::faults(limit.as_ptr().wrapping_sub(1)), Some(true));
        assert_eq!(system::faults(limit.as_ptr()), Some(false));
        #[cfg(target_os = "linux")]
        // SAFETY: the slot is ours.
        assert_eq!(unsafe { top.sub(1).read() }, 0);
        // SAFETY: as above.
        unsafe { give_back(&mut [again], Locked::Stays) };
    }

    #[test]
    fn slots_have_guards_whether_these_were_made_one_by_one_or_ahead() {
        let class = Class::with(64 << 10).expect("in range");
        let mut slots: Vec<Slot> = (0..100).map(|_| take(class).expect("a slot")).collect();
        let faults = |address: *mut u8| system::faults(address) == Some(true);
        assert!(slots.iter().all(|slot| faults(slot.base.as_ptr()) && faults(slot.limit().as_ptr().wrapping_sub(1))));
        assert!(
            slots.iter().all(|slot| !faults(slot.limit().as_ptr()) && !faults(slot.top().as_ptr().wrapping_sub(1)))
        );
        #[cfg(target_os = "linux")]
        if Guard::is_advice_taken() {
            let stock = STOCKS[class.index()].lock();
            let newest = stock.newest.expect("the slots are of one");
            let carved = newest.carved.load(Ordering::Relaxed);
            assert!(stock.guarded >= carved, "{} of {carved}", stock.guarded);
            for number in carved..stock.guarded {
                assert!(faults(newest.slot(number as u32, class).base.as_ptr()), "{number} is guarded ahead");
            }
        }
        // SAFETY: taken above, and not used.
        unsafe { give_back(&mut slots, Locked::Stays) };
    }

    #[test]
    fn stacks_cost_mappings_where_pages_are_allowed_one_by_one() {
        let place = |usable| Reservation {
            base: AtomicPtr::new(ptr::null_mut()),
            spacing: AtomicUsize::new(0),
            carved: AtomicUsize::new(0),
            slots: AtomicUsize::new(0),
            class: AtomicUsize::new(0),
            usable: AtomicBool::new(usable),
        };
        assert!(may_cost_mappings(Some(&place(false))));
        assert_eq!(may_cost_mappings(Some(&place(true))), may_cost_mappings(None));
    }

    #[test]
    fn reservations_grow() {
        // A size that no other test of this process uses.
        let class = Class::with(16 << 20).expect("in range");
        let before = TABLE.len.load(Ordering::Relaxed);
        let mut slots: Vec<Slot> = (0..20).map(|_| take(class).expect("a slot")).collect();
        let made = TABLE.reservations[before..TABLE.len.load(Ordering::Relaxed)]
            .iter()
            .filter(|place| place.class.load(Ordering::Relaxed) == class.index());
        assert_eq!(made.count(), 5, "1 + 2 + 4 + 8 + 16 slots");
        // SAFETY: taken above, and not used.
        unsafe { give_back(&mut slots, Locked::Stays) };
    }
}
