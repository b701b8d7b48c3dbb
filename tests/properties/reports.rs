//! The hook for reports belongs to the process; here each thread has one of its own.

use std::cell::RefCell;
use std::rc::Rc;
use switchback::{Report, set_report_hook};

type Hook = Rc<dyn Fn(&Report<'_>)>;

thread_local!(static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) });

/// Calls `hook` with the reports of this thread.
pub(crate) fn on_report(hook: impl Fn(&Report<'_>) + 'static) {
    set_report_hook(|report| {
        if let Some(hook) = HOOK.with_borrow(Clone::clone) {
            hook(report);
        }
    });
    let old = HOOK.replace(Some(Rc::new(hook)));
    drop(old);
}
