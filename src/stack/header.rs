//! The record at the top of each stack.

use super::class::Class;
use super::pool::List;
use super::slab::{self, Slot};
use super::usage::Measure;
use super::{Stack, notices};
use core::cell::Cell;
use core::panic::Location;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// The tops of stacks are offset by this many different multiples of a cache line, because tops at the same place in
/// their pages compete for the same cache sets: with one colour, a round robin over 1,000 stacks took 4.8 ns a round trip
/// instead of 3.3 on an AMD EPYC.
pub(super) const COLOURS: usize = 16;
pub(super) const LINE: usize = 64;
/// Not in a register.
pub(super) const UNREGISTERED: u32 = u32::MAX;

/// What the users of stacks want to be told, and asked.
pub(crate) struct Tenant {
    /// A thread has got a stack from elsewhere: what is put below its header now is found there by each user of the stack
    /// that leaves it so.
    pub(crate) move_in: unsafe fn(NonNull<Header>),
    /// A stack is in use when its thread ends.
    pub(crate) abandon: unsafe fn(NonNull<Header>),
    /// Who uses a stack, or has used it last. Signal handlers call it.
    pub(crate) describe: unsafe fn(NonNull<Header>) -> Occupant,
}

/// Who uses a stack.
#[derive(Clone, Copy)]
pub(crate) struct Occupant {
    pub(crate) name: Option<NonNull<str>>,
    pub(crate) created_at: &'static Location<'static>,
    /// It runs, or has resumed what runs.
    pub(crate) is_running: bool,
}

/// The record at the top of each stack. What is below it is the coroutine's.
#[repr(C, align(64))]
pub(crate) struct Header {
    /// The next free stack of the thread's list.
    pub(super) next: Cell<*mut Header>,
    /// The list that it goes back to: one of the thread that has the stack, or one that has never room.
    pub(super) list: Cell<*const List>,
    pub(super) class: Class,
    /// The number of its slot, if it is the pool's.
    number: u32,
    /// Where the thread's register has it.
    pub(super) registered: Cell<u32>,
    /// How its present user is measured.
    pub(super) measure: Cell<Measure>,
    /// Whom to tell that the thread ends.
    pub(super) tenant: Cell<Option<&'static Tenant>>,
    /// The lowest address that may be written.
    pub(super) limit: NonNull<u8>,
    /// The stack itself if it is not the pool's: its drop gives the memory back.
    owner: Option<Box<dyn Stack>>,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Header>() == 64);

/// The tenant that signal handlers and debuggers believe in: what else is in the place of a header is no header.
pub(super) static KNOWN: AtomicPtr<Tenant> = AtomicPtr::new(ptr::null_mut());

impl Header {
    fn vacant(limit: NonNull<u8>, class: Class, number: u32, owner: Option<Box<dyn Stack>>) -> Self {
        Self {
            next: Cell::new(ptr::null_mut()),
            list: Cell::new(ptr::null()),
            class,
            number,
            registered: Cell::new(UNREGISTERED),
            measure: Cell::new(Measure::Off),
            tenant: Cell::new(None),
            limit,
            owner,
        }
    }

    pub(super) fn set_tenant(&self, tenant: &'static Tenant) {
        KNOWN.store((&raw const *tenant).cast_mut(), Ordering::Relaxed);
        self.tenant.set(Some(tenant));
    }

    /// The record of the stack that an address is on, if that is one of the slab's and in use.
    ///
    /// # Safety
    ///
    /// The calling thread runs on the stack that the address is on.
    #[cfg(feature = "capi")]
    pub(crate) unsafe fn around(address: usize) -> Option<NonNull<Self>> {
        // SAFETY: a slot that a thread runs on was handed out.
        unsafe { believable(slab::find(address)?) }.map(|(header, _)| header)
    }

    /// The usable bytes of the stack, up to this record.
    pub(super) fn room(&self) -> usize {
        (&raw const *self).addr() - self.limit.addr().get()
    }

    /// Takes the memory out of the record, which is gone after this. The slot if it is the pool's; what is not is dropped.
    ///
    /// # Safety
    ///
    /// The stack is the caller's and unused, and so is the record from now on.
    pub(super) unsafe fn vacate(header: NonNull<Self>) -> Option<Slot> {
        // Whoever has the memory next may leave the rest of the record as it is.
        // SAFETY: the record is valid.
        unsafe { header.as_ref() }.tenant.set(None);
        // SAFETY: the record is valid, and read once: the stack, and the record with it, may go with what is dropped here.
        let this = unsafe { header.read() };
        if let Some(stack) = this.owner {
            notices::unregister(this.limit.as_ptr(), stack.top());
            drop(stack);
            return None;
        }
        // SAFETY: `lay_out` made the record of a slot of this class and number, and the caller has it.
        let slot = unsafe { Slot::at(this.limit, this.class, this.number) };
        notices::unregister(this.limit.as_ptr(), slot.top());
        Some(slot)
    }
}

/// Makes a slot of the slab a stack of the pool.
pub(super) fn lay_out(slot: Slot) -> NonNull<Header> {
    let header = place(slot.top(), slot.number() as usize);
    notices::register(slot.limit().as_ptr(), slot.top());
    // SAFETY: the place is aligned and within the slot, which is far larger; the slot is the caller's.
    unsafe { header.write(Header::vacant(slot.limit(), slot.class(), slot.number(), None)) };
    header
}

/// Puts a record that names nobody where the slab's stacks have theirs.
pub(super) fn vacate(slot: Slot) {
    lay_out(slot);
}

/// Puts a record on a stack that is not the pool's, which has room for one.
pub(super) fn lay_out_provided(stack: Box<dyn Stack>) -> NonNull<Header> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let (top, limit) = (stack.top(), stack.limit());
    // A guarded stack of ours has the record where the reporter of overflows looks for it.
    let colour = match slab::find(top.addr().get() - 1).filter(|slot| slot.top() == top) {
        Some(slot) => slot.number() as usize,
        None => NEXT.fetch_add(1, Ordering::Relaxed),
    };
    let header = place(top, colour);
    notices::register(limit.as_ptr(), top);
    // SAFETY: the caller has seen to it that the stack is much larger than colours and record; it is ours by now.
    unsafe { header.write(Header::vacant(limit, Class::PROVIDED, 0, Some(stack))) };
    header
}

/// Where the record of a stack goes that ends at `top`.
fn place(top: NonNull<u8>, colour: usize) -> NonNull<Header> {
    let below = (top.addr().get() - size_of::<Header>()) & !(align_of::<Header>() - 1);
    let header = top.as_ptr().with_addr(below - colour % COLOURS * LINE).cast();
    // SAFETY: it is less than two kilobytes below the top of a stack.
    unsafe { NonNull::new_unchecked(header) }
}

/// The record and the tenant of a slot, if that looks like one in use: what signal handlers believe in.
///
/// # Safety
///
/// The slot was handed out.
unsafe fn believable(slot: Slot) -> Option<(NonNull<Header>, *const Tenant)> {
    let header = place(slot.top(), slot.number() as usize);
    // SAFETY: the top of a slot that was handed out is readable. It may hold anything, so only two words are looked at.
    let (tenant, limit) = unsafe {
        let tenant = (&raw const (*header.as_ptr()).tenant).cast::<*const Tenant>().read_volatile();
        (tenant, (&raw const (*header.as_ptr()).limit).cast::<*mut u8>().read_volatile())
    };
    let known = !tenant.is_null() && tenant == KNOWN.load(Ordering::Relaxed) && limit == slot.limit().as_ptr();
    known.then_some((header, tenant))
}

/// Who is on a slot.
///
/// # Safety
///
/// The calling thread runs on the slot.
pub(super) unsafe fn occupant(slot: Slot) -> Option<Occupant> {
    // SAFETY: a slot that a thread runs on was handed out.
    let (header, tenant) = unsafe { believable(slot) }?;
    // SAFETY: it is the tenant that was set, and the stack is that of a coroutine.
    Some(unsafe { ((*tenant).describe)(header) })
}

/// Whether a slot has a coroutine of the calling thread that runs, or has resumed what runs.
///
/// # Safety
///
/// The slot was handed out.
pub(super) unsafe fn is_running_here(slot: Slot) -> bool {
    // SAFETY: by this function's contract.
    let Some((header, tenant)) = (unsafe { believable(slot) }) else { return false };
    // SAFETY: other threads may write the word meanwhile, but never this thread's list into a header of theirs.
    let list = unsafe { (&raw const (*header.as_ptr()).list).cast::<*const List>().read_volatile() };
    // SAFETY: the header is this thread's, and so is the coroutine.
    super::pool::is_list_of_this_thread(list) && unsafe { ((*tenant).describe)(header) }.is_running
}
