//! Spans of `tracing` that follow their task.
//!
//! A subscriber has one stack of entered spans for each thread. A task's part of it is what is above the span that was current
//! when the task was resumed: the one that it was spawned in, and those that it has entered itself. All of it is left when
//! the task stops, and entered again when it goes on.
//!
//! It takes a subscriber that tells which span is current, as that of `tracing-subscriber` does; with others nothing follows. Where a
//! span is entered or left its subscriber is the thread's default: that of older releases of `tracing-subscriber` asks the default about it.
#![forbid(unsafe_code)]

use super::handle::Task;
use tracing::{Dispatch, Span, dispatcher, span};

/// The spans of a task that does not run.
pub(super) struct Spans {
    /// Whose they are: on the task's worker another may be the default.
    dispatch: Dispatch,
    /// The one that it was spawned in, kept alive.
    _own: Span,
    /// All of them, outermost first. What it has entered itself is alive, as it has the guards on its stack.
    entered: Vec<span::Id>,
}

/// What is undone when the task stops.
pub(super) struct Entered {
    dispatch: Dispatch,
    below: Option<span::Id>,
    /// The task's outermost span is the one below, and was not entered again.
    is_shared: bool,
}

fn current(dispatch: &Dispatch) -> Option<span::Id> {
    dispatch.current_span().id().cloned()
}

impl Spans {
    /// Those of a task that is spawned here.
    pub(super) fn of_caller() -> Option<Self> {
        let own = Span::current();
        let entered: Vec<_> = own.id().into_iter().collect();
        (!own.is_none()).then(|| Self { dispatch: dispatcher::get_default(Dispatch::clone), _own: own, entered })
    }
}

impl Entered {
    /// Enters the spans of a task that is about to run.
    pub(super) fn new(task: &Task) -> Self {
        task.with_spans(|spans| {
            let Some(spans) = spans else {
                let dispatch = dispatcher::get_default(Dispatch::clone);
                let below = current(&dispatch);
                return Self { dispatch, below, is_shared: false };
            };
            let dispatch = spans.dispatch.clone();
            let below = current(&dispatch);
            let is_shared = below.is_some() && spans.entered.first() == below.as_ref();
            for id in spans.entered.iter().skip(usize::from(is_shared)) {
                dispatcher::with_default(&dispatch, || dispatch.enter(id));
            }
            Self { dispatch, below, is_shared }
        })
    }

    /// Leaves the spans of a task that has stopped.
    pub(super) fn leave(self, task: &Task) {
        let Self { dispatch, below, is_shared } = self;
        let mut left = Vec::new();
        while let Some(id) = current(&dispatch)
            && Some(&id) != below.as_ref()
            && left.last() != Some(&id)
        {
            dispatcher::with_default(&dispatch, || dispatch.exit(&id));
            left.push(id);
        }
        left.extend(below.filter(|_| is_shared));
        left.reverse();
        task.with_spans(|spans| match spans {
            Some(spans) => spans.entered = left,
            None if left.is_empty() => {}
            None => *spans = Some(Spans { dispatch, _own: Span::none(), entered: left }),
        });
    }
}
