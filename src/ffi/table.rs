//! Handles of what threads share: numbers, by which it is looked up.
//!
//! A handle is the number of a place and how often that has been given out. So any number may be asked for: one that is not
//! known, or not any more, is told. What is found is counted, and stays as long as a call uses it, whoever destroys the handle.
#![forbid(unsafe_code)]

use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};

/// The lower bits of a handle, from 1 on: which place.
const PLACE_BITS: u32 = if usize::BITS > 32 { 32 } else { 20 };
const PLACES: usize = (1 << PLACE_BITS) - 1;

/// The first chunk has so many places, and each has twice as many as the last.
const FIRST: usize = 64;
const CHUNKS: usize = (PLACE_BITS - FIRST.ilog2()) as usize;

struct Place<T> {
    /// How often it was given out, and what is in it.
    content: Mutex<(usize, Option<Arc<T>>)>,
}

pub(super) struct Table<T> {
    chunks: [OnceLock<Box<[Place<T>]>>; CHUNKS],
    free: Mutex<Free>,
}

struct Free {
    /// Places that were used and are free, by index.
    used: Vec<usize>,
    /// The first index that was never used.
    next: usize,
}

impl<T> Table<T> {
    pub(super) const fn new() -> Self {
        Self { chunks: [const { OnceLock::new() }; CHUNKS], free: Mutex::new(Free { used: Vec::new(), next: 0 }) }
    }

    /// Which chunk the place is in, and where.
    fn locate(index: usize) -> (usize, usize) {
        let chunk = (index / FIRST + 1).ilog2() as usize;
        (chunk, index - FIRST * ((1 << chunk) - 1))
    }

    fn place(&self, handle: usize) -> Option<&Place<T>> {
        let (chunk, at) = Self::locate((handle & PLACES).checked_sub(1)?);
        self.chunks.get(chunk)?.get()?.get(at)
    }

    /// A handle of `value`. None if there are too many.
    pub(super) fn insert(&self, value: Arc<T>) -> Option<usize> {
        let index = {
            let mut free = self.free.lock();
            match free.used.pop() {
                Some(index) => index,
                None => {
                    free.next += 1;
                    free.next - 1
                }
            }
        };
        let (chunk, at) = Self::locate(index);
        let len = FIRST << chunk;
        let places = self
            .chunks
            .get(chunk)?
            .get_or_init(|| (0..len).map(|_| Place { content: Mutex::new((0, None)) }).collect());
        let mut content = places[at].content.lock();
        content.0 = (content.0 + 1) & (usize::MAX >> PLACE_BITS);
        content.1 = Some(value);
        Some(content.0 << PLACE_BITS | (index + 1))
    }

    /// What the handle is of.
    pub(super) fn get(&self, handle: usize) -> Option<Arc<T>> {
        let content = self.place(handle)?.content.lock();
        if content.0 == handle >> PLACE_BITS { content.1.clone() } else { None }
    }

    /// What the handle was of: it is nobody's any more.
    pub(super) fn remove(&self, handle: usize) -> Option<Arc<T>> {
        let mut content = self.place(handle)?.content.lock();
        if content.0 != handle >> PLACE_BITS {
            return None;
        }
        let value = content.1.take()?;
        drop(content);
        self.free.lock().used.push((handle & PLACES) - 1);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_known_until_it_is_removed() {
        let table = Table::new();
        let handles: Vec<_> = (0..1_000).map(|n| table.insert(Arc::new(n)).expect("room")).collect();
        for (n, handle) in handles.iter().enumerate() {
            assert_eq!(table.get(*handle).as_deref(), Some(&n));
        }
        let first = handles[0];
        assert_eq!(table.remove(first).as_deref(), Some(&0));
        assert!(table.get(first).is_none() && table.remove(first).is_none());
        // The place is used again, and the old handle is not that one.
        let again = table.insert(Arc::new(7)).expect("room");
        assert_ne!(again, first);
        assert!(table.get(first).is_none());
        assert_eq!(table.get(again).as_deref(), Some(&7));
        for wrong in [0, 1, usize::MAX, handles[999] + 1, again ^ (1 << PLACE_BITS)] {
            assert!(table.get(wrong).is_none(), "{wrong:x}");
        }
    }
}
