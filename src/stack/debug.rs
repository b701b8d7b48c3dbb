//! Where a debugger finds the stacks of a process: what `docs/gdb/switchback.py` reads, without debug information.
#![forbid(unsafe_code)]

use super::header::{COLOURS, Header, KNOWN, LINE, Tenant};
use super::slab::{Reservation, TABLE, Table};
use core::mem::offset_of;
use core::sync::atomic::AtomicPtr;

/// The places of things, in bytes. The script reads the fields in this order.
#[repr(C)]
pub(crate) struct Layout {
    table: &'static Table,
    /// What a header's `tenant` is, unless it is no header.
    known: &'static AtomicPtr<Tenant>,
    table_len: usize,
    table_reservations: usize,
    reservation_size: usize,
    reservation_base: usize,
    reservation_spacing: usize,
    reservation_carved: usize,
    reservation_slots: usize,
    header_size: usize,
    header_colours: usize,
    header_line: usize,
    header_tenant: usize,
    header_limit: usize,
}

impl Layout {
    pub(crate) const fn new() -> Self {
        Self {
            table: &TABLE,
            known: &KNOWN,
            table_len: offset_of!(Table, len),
            table_reservations: offset_of!(Table, reservations),
            reservation_size: size_of::<Reservation>(),
            reservation_base: offset_of!(Reservation, base),
            reservation_spacing: offset_of!(Reservation, spacing),
            reservation_carved: offset_of!(Reservation, carved),
            reservation_slots: offset_of!(Reservation, slots),
            header_size: size_of::<Header>(),
            header_colours: COLOURS,
            header_line: LINE,
            header_tenant: offset_of!(Header, tenant),
            header_limit: offset_of!(Header, limit),
        }
    }
}
