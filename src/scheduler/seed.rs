//! A run order by chance, the same for each seed: for tests.
#![forbid(unsafe_code)]

use super::current::with_worker;
use super::header::Header;
use core::cell::Cell;
use core::mem;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

/// The tasks that could run, and the generator that chooses.
pub(super) struct Seeded {
    state: u64,
    tasks: Vec<NonNull<Header>>,
}

impl Seeded {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed, tasks: Vec::new() }
    }

    pub(super) fn extend(&mut self, tasks: impl IntoIterator<Item = NonNull<Header>>) {
        self.tasks.extend(tasks);
    }

    /// Takes one of them out.
    pub(super) fn choose(&mut self) -> Option<NonNull<Header>> {
        if self.tasks.is_empty() {
            return None;
        }
        let place = self.below(self.tasks.len());
        Some(self.tasks.swap_remove(place))
    }

    pub(super) fn tasks(&self) -> &[NonNull<Header>] {
        &self.tasks
    }

    pub(super) fn take(&mut self) -> Vec<NonNull<Header>> {
        mem::take(&mut self.tasks)
    }

    fn below(&mut self, limit: usize) -> usize {
        below(&mut self.state, limit)
    }
}

fn below(state: &mut u64, limit: usize) -> usize {
    ((u128::from(random(state)) * limit as u128) >> 64) as usize
}

/// SplitMix64, by Steele, Lea and Flood.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number below `limit`, which is not zero, by chance: that of the seed, where the runtime has one.
pub(crate) fn chance(limit: usize) -> usize {
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0) };
    }
    static THREADS: AtomicU64 = AtomicU64::new(1);
    let seeded = with_worker(|worker| Some(worker.seeded.as_ref()?.borrow_mut().below(limit)));
    seeded.flatten().unwrap_or_else(|| {
        let mut state = STATE.get();
        if state == 0 {
            // Threads that begin alike do not go on alike.
            state = THREADS.fetch_add(1, Ordering::Relaxed) << 32;
        }
        let chosen = below(&mut state, limit);
        STATE.set(state);
        chosen
    })
}
