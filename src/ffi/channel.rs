//! Channels of words, from any number of senders to any number of receivers.

use super::guard::{guarded, refuse};
use super::slot::put;
use super::status::Status;
use super::table::Table;
use super::wait::{Shared, limit, why};
use crate::sync::{Channel, RecvStop, SendStop};
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// `SWB_UNBOUNDED`.
const UNBOUNDED: usize = usize::MAX;

/// A ring is made at once, so it must not be a wish that no memory can fulfil.
const LONGEST: usize = 1 << 24;

struct Words {
    channel: Arc<Channel<usize>>,
    is_closed: AtomicBool,
}

static CHANNELS: Table<Words> = Table::new();

impl Words {
    /// The channel has one sender of its own, until it is closed; each call that sends is one more.
    fn close(&self) -> bool {
        let is_first = !self.is_closed.swap(true, Ordering::SeqCst);
        if is_first {
            self.channel.drop_sender();
        }
        is_first
    }

    fn send(&self, value: usize, timeout: u64) -> Status {
        self.channel.add_sender();
        let status = if self.is_closed.load(Ordering::SeqCst) {
            Status::Closed
        } else {
            match self.channel.send(value, limit(timeout)) {
                Ok(()) => Status::Ok,
                Err(SendStop::Closed(_)) => Status::Closed,
                Err(SendStop::Stopped(_, stopped)) => why(&stopped),
            }
        };
        self.channel.drop_sender();
        status
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_channel_create(handle: *mut Shared, capacity: usize) -> Status {
    guarded(|| {
        if handle.is_null() {
            return Status::Invalid;
        }
        let capacity = (capacity != UNBOUNDED).then_some(capacity);
        if capacity.is_some_and(|capacity| capacity > LONGEST) {
            return refuse(Status::Invalid, "the channel would be longer than 2^24: use SWB_UNBOUNDED");
        }
        let words = Words { channel: Channel::new(capacity), is_closed: AtomicBool::new(false) };
        let Some(number) = CHANNELS.insert(Arc::new(words)) else { return Status::Busy };
        // SAFETY: by the caller's word (invariant 41); it is not null.
        unsafe { handle.write(ptr::without_provenance_mut(number)) };
        Status::Ok
    })
}

#[unsafe(no_mangle)]
extern "C" fn swb_channel_send(handle: Shared, value: usize, timeout: u64) -> Status {
    guarded(|| CHANNELS.get(handle.addr()).map_or(Status::Invalid, |words| words.send(value, timeout)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_channel_recv(handle: Shared, value: *mut usize, timeout: u64) -> Status {
    guarded(|| {
        let Some(words) = CHANNELS.get(handle.addr()) else { return Status::Invalid };
        match words.channel.recv(limit(timeout)) {
            Ok(received) => {
                // SAFETY: by the caller's word (invariant 41).
                unsafe { put(value, received) };
                Status::Ok
            }
            Err(RecvStop::Closed) => Status::Closed,
            Err(RecvStop::Stopped(stopped)) => why(&stopped),
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn swb_channel_close(handle: Shared) -> Status {
    guarded(|| match CHANNELS.get(handle.addr()) {
        Some(words) if words.close() => Status::Ok,
        Some(_) => Status::Closed,
        None => Status::Invalid,
    })
}

#[unsafe(no_mangle)]
extern "C" fn swb_channel_destroy(handle: Shared) -> Status {
    guarded(|| match CHANNELS.remove(handle.addr()) {
        Some(words) => {
            words.close();
            words.channel.drop_receiver();
            Status::Ok
        }
        None => Status::Invalid,
    })
}
