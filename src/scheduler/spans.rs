//! Spans of `tracing` that follow their task.
//!
//! A subscriber has one stack of entered spans for each thread. A task's part of it is what is above the span that was current
//! when the task was resumed: the one that it was spawned in, and those that it has entered itself. All of it is left when
//! the task stops, and entered again when it goes on.
//!
//! A subscriber that does not tell which span is current hides what a task has entered: then only the span of the spawn is
//! left and entered.
#![forbid(unsafe_code)]

use super::handle::Task;
use tracing::{Dispatch, Span, dispatcher, span};

/// The spans of a task that does not run.
pub(super) struct Spans {
    /// The one that it was spawned in.
    own: Span,
    /// What it has entered, outermost first. It has the spans' guards on its stack, so they are alive.
    entered: Vec<span::Id>,
}

/// What is undone when the task stops.
pub(super) struct Entered {
    below: Option<span::Id>,
    /// The task's outermost span is the one below, and was not entered again.
    is_shared: bool,
}

/// The current span of the thread, and whether the subscriber tells it.
fn current(dispatch: &Dispatch) -> (Option<span::Id>, bool) {
    let current = dispatch.current_span();
    (current.id().cloned(), current.is_known())
}

impl Spans {
    pub(super) fn of_caller() -> Option<Self> {
        let own = Span::current();
        let entered: Vec<_> = own.id().into_iter().collect();
        (!own.is_none()).then_some(Self { own, entered })
    }
}

impl Entered {
    /// Enters the spans of a task that is about to run.
    pub(super) fn new(task: &Task) -> Self {
        dispatcher::get_default(|dispatch| {
            let (below, _) = current(dispatch);
            let is_shared = task.with_spans(|spans| {
                let Some(spans) = spans else { return false };
                let is_shared = below.is_some() && spans.entered.first() == below.as_ref();
                spans.entered.iter().skip(usize::from(is_shared)).for_each(|id| dispatch.enter(id));
                is_shared
            });
            Self { below, is_shared }
        })
    }

    /// Leaves the spans of a task that has stopped.
    pub(super) fn leave(self, task: &Task) {
        dispatcher::get_default(|dispatch| {
            task.with_spans(|spans| {
                if let (_, false) = current(dispatch) {
                    let spans = spans.iter().flat_map(|spans| spans.entered.iter().rev());
                    return spans.for_each(|id| dispatch.exit(id));
                }
                let mut left = Vec::new();
                while let (Some(id), _) = current(dispatch)
                    && Some(&id) != self.below.as_ref()
                    && left.last() != Some(&id)
                {
                    dispatch.exit(&id);
                    left.push(id);
                }
                left.extend(self.below.clone().filter(|_| self.is_shared));
                left.reverse();
                match spans {
                    Some(spans) => spans.entered = left,
                    None if left.is_empty() => {}
                    None => *spans = Some(Spans { own: Span::none(), entered: left }),
                }
            });
        });
    }
}

impl core::fmt::Debug for Spans {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Spans").field("own", &self.own).field("entered", &self.entered).finish()
    }
}
