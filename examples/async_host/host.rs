//! The interpreter, and what its scripts may call.

use crate::store::Store;
use rhai::{AST, Dynamic, Engine, EvalAltResult, Scope};
use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;
use switchback::{Cancelled, await_, stackful};

type Failure = Box<EvalAltResult>;

/// Two calls of the host: one waits for a socket, the other for a timer.
const ORDER: &str = r"
    let sum = 0;
    for part in 0..2 {
        sum += fetch(order, part);
        if part == 0 { nap(1); }
    }
    sum
";

const ENDLESS: &str = "loop { nap(1); }";

pub(crate) struct Host {
    engine: Rc<Engine>,
    order: Rc<AST>,
    endless: Rc<AST>,
    has_left: Rc<Cell<bool>>,
}

impl Host {
    pub(crate) fn new(store: Rc<Store>) -> Result<Self, Failure> {
        let mut engine = Engine::new();
        // Plain functions, called by the interpreter wherever a script says so.
        engine.register_fn("nap", |milliseconds: i64| -> Result<(), Failure> {
            let duration = Duration::from_millis(milliseconds.unsigned_abs());
            await_(async { tokio::time::sleep(duration).await }).map_err(ended)
        });
        engine.register_fn("fetch", move |order: i64, part: i64| -> Result<i64, Failure> {
            await_(store.fetch(order, part)).map_err(ended)?.map_err(failed)
        });
        let order = Rc::new(engine.compile(ORDER).map_err(EvalAltResult::from)?);
        let endless = Rc::new(engine.compile(ENDLESS).map_err(EvalAltResult::from)?);
        Ok(Self { engine: Rc::new(engine), order, endless, has_left: Rc::default() })
    }

    /// The script for one order, as a future.
    pub(crate) fn run(&self, order: i64) -> impl Future<Output = Result<i64, Failure>> + 'static {
        let (engine, script) = (self.engine.clone(), self.order.clone());
        stackful(move |_| {
            let mut scope = Scope::new();
            scope.push_constant("order", order);
            engine.eval_ast_with_scope(&mut scope, &script)
        })
    }

    /// A script that goes on for ever, as a future.
    pub(crate) fn run_endless(&self) -> impl Future<Output = Result<Dynamic, Failure>> + 'static {
        let (engine, script, has_left) = (self.engine.clone(), self.endless.clone(), self.has_left.clone());
        stackful(move |_| {
            let result = engine.eval_ast(&script);
            has_left.set(matches!(result.as_ref().map_err(Box::as_ref), Err(EvalAltResult::ErrorTerminated(..))));
            result
        })
    }

    /// Whether the endless one has come to an end.
    pub(crate) fn has_left(&self) -> bool {
        self.has_left.get()
    }
}

/// The script's future has been dropped: rhai has an error for that, which scripts cannot catch.
fn ended(cancelled: Cancelled) -> Failure {
    EvalAltResult::ErrorTerminated(Dynamic::from(cancelled.to_string()), rhai::Position::NONE).into()
}

fn failed(error: std::io::Error) -> Failure {
    EvalAltResult::ErrorSystem("fetch".into(), error.into()).into()
}
