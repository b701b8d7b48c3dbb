//! Mutexes for tasks and threads: a permit that one at a time has.

use super::guard::guarded;
use super::status::Status;
use super::table::Table;
use super::wait::{FOREVER, Shared};
use crate::sync::Semaphore;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

struct Lock {
    permit: Semaphore,
    is_locked: AtomicBool,
    /// Its handle is gone: who gets the permit passes it on.
    is_gone: AtomicBool,
}

static LOCKS: Table<Lock> = Table::new();

impl Lock {
    fn lock(&self, timeout: u64) -> Status {
        let waited = match timeout {
            FOREVER => self.permit.acquire().map(Some),
            nanoseconds => self.permit.acquire_timeout(Duration::from_nanos(nanoseconds)),
        };
        match waited {
            Ok(Some(_)) if self.is_gone.load(Ordering::Acquire) => Status::Invalid,
            Ok(Some(permit)) => {
                permit.forget();
                self.is_locked.store(true, Ordering::Release);
                Status::Ok
            }
            Ok(None) => Status::TimedOut,
            Err(cancelled) => Status::of_cancelled(&cancelled),
        }
    }

    fn unlock(&self) -> Status {
        if !self.is_locked.swap(false, Ordering::AcqRel) {
            return Status::NotLocked;
        }
        self.permit.add(1);
        Status::Ok
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_mutex_create(handle: *mut Shared) -> Status {
    guarded(|| {
        if handle.is_null() {
            return Status::Invalid;
        }
        let lock =
            Lock { permit: Semaphore::new(1), is_locked: AtomicBool::new(false), is_gone: AtomicBool::new(false) };
        let Some(number) = LOCKS.insert(Arc::new(lock)) else { return Status::Busy };
        // SAFETY: by the caller's word (invariant 41); it is not null.
        unsafe { handle.write(ptr::without_provenance_mut(number)) };
        Status::Ok
    })
}

#[unsafe(no_mangle)]
extern "C" fn swb_mutex_lock(handle: Shared, timeout: u64) -> Status {
    guarded(|| LOCKS.get(handle.addr()).map_or(Status::Invalid, |lock| lock.lock(timeout)))
}

#[unsafe(no_mangle)]
extern "C" fn swb_mutex_unlock(handle: Shared) -> Status {
    guarded(|| LOCKS.get(handle.addr()).map_or(Status::Invalid, |lock| lock.unlock()))
}

#[unsafe(no_mangle)]
extern "C" fn swb_mutex_destroy(handle: Shared) -> Status {
    guarded(|| {
        let Some(lock) = LOCKS.get(handle.addr()) else { return Status::Invalid };
        // Whoever has it, or waits for it, could not give it away any more.
        let Some(_permit) = lock.permit.try_acquire() else { return Status::Busy };
        if LOCKS.remove(handle.addr()).is_none() {
            return Status::Invalid;
        }
        // Some may have looked it up before, and wait for the permit that is dropped here.
        lock.is_gone.store(true, Ordering::Release);
        Status::Ok
    })
}
