//! A run order by chance, the same for each seed: for tests.
#![forbid(unsafe_code)]

use super::header::Header;
use core::mem;
use core::ptr::NonNull;

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
        let place = ((u128::from(self.random()) * self.tasks.len() as u128) >> 64) as usize;
        Some(self.tasks.swap_remove(place))
    }

    pub(super) fn tasks(&self) -> &[NonNull<Header>] {
        &self.tasks
    }

    pub(super) fn take(&mut self) -> Vec<NonNull<Header>> {
        mem::take(&mut self.tasks)
    }

    /// SplitMix64, by Steele, Lea and Flood.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
