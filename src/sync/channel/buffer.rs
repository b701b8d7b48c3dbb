//! Where messages are while nobody has them: a ring, a list, or nowhere.
#![forbid(unsafe_code)]

use crossbeam_queue::{ArrayQueue, SegQueue};

pub(super) enum Buffer<T> {
    /// For so many.
    Ring(ArrayQueue<T>),
    /// For any number.
    List(SegQueue<T>),
    /// For none: they go from hand to hand.
    None,
}

impl<T> Buffer<T> {
    pub(super) fn new(capacity: Option<usize>) -> Self {
        match capacity {
            None => Self::List(SegQueue::new()),
            Some(0) => Self::None,
            Some(capacity) => Self::Ring(ArrayQueue::new(capacity)),
        }
    }

    #[inline(always)]
    pub(super) fn push(&self, value: T) -> Result<(), T> {
        match self {
            Self::Ring(ring) => ring.push(value),
            Self::List(list) => {
                list.push(value);
                Ok(())
            }
            Self::None => Err(value),
        }
    }

    /// An empty one is told by two loads, where a `pop` is a fence. Not where it `is_stream`, and hardly ever empty: where messages come
    /// from another CPU, these would have to fetch what that one is about to write again.
    #[inline(always)]
    pub(super) fn pop(&self, is_stream: bool) -> Option<T> {
        match self {
            Self::Ring(ring) if is_stream || !ring.is_empty() => ring.pop(),
            Self::List(list) if is_stream || !list.is_empty() => list.pop(),
            _ => None,
        }
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Ring(ring) => ring.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::None => true,
        }
    }

    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Ring(ring) => ring.is_full(),
            Self::List(_) => false,
            Self::None => true,
        }
    }

    /// Whether there is room for that many.
    pub(super) fn is_long(&self, messages: u32) -> bool {
        match self {
            Self::Ring(ring) => ring.capacity() >= messages as usize,
            Self::List(_) => true,
            Self::None => false,
        }
    }

    /// Whether more than so many quarters of a ring are full.
    pub(super) fn is_filled_to(&self, quarters: usize) -> bool {
        match self {
            Self::Ring(ring) => ring.len() > ring.capacity() / 4 * quarters,
            Self::List(_) => false,
            Self::None => true,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Ring(ring) => ring.len(),
            Self::List(list) => list.len(),
            Self::None => 0,
        }
    }
}
