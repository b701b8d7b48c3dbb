//! What such a program is made of.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

/// A value to give away.
#[derive(Clone, Debug)]
pub(super) enum Give {
    New,
    /// Its destructor panics.
    Bomb,
    /// One of those at hand, with the coroutine in it if it is one that has some.
    Own(u8),
}

/// What a consumer does to one of the coroutines at hand.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Start,
    Resume,
    Send(Give),
    Throw(Give),
    ThrowExit,
    Close,
    Drop,
    DropDuringAPanic,
    Forget,
}

/// Whether a body leaves by `?` when it gets an error, or goes on with its next step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Then {
    Leave,
    Stay,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Makes a coroutine of this script, which gets some of the values at hand.
    New(u8, u8),
    /// So many, each of which owns the one before.
    Chain(u8, u8),
    /// So many levels, in which each owns two.
    Tree(u8, u8),
    Act(Act, u8),
    Yield(Give, Then),
    YieldOrUnwind(Give),
    YieldAll(u8, Then),
    /// To one of the coroutines at hand, with a value for it or with the default.
    Delegate(u8, Option<Give>, Then),
    /// Makes a local that yields in its destructor.
    YieldOnDrop(Give),
    OnParentStack,
    Catch(Vec<Step>),
    Return(Give),
    Fail(Give),
    /// With something whose destructor panics as well, perhaps.
    Panic(bool),
}

#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) scripts: Vec<Vec<Step>>,
    /// What the outermost consumer does.
    pub(super) main: Vec<Step>,
}

fn give() -> impl Strategy<Value = Give> {
    prop_oneof![5 => Just(Give::New), 1 => Just(Give::Bomb), 3 => any::<u8>().prop_map(Give::Own)]
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![3 => Just(Then::Leave), 2 => Just(Then::Stay)]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => Just(Act::Start),
        8 => Just(Act::Resume),
        4 => give().prop_map(Act::Send),
        3 => give().prop_map(Act::Throw),
        1 => Just(Act::ThrowExit),
        1 => Just(Act::Close),
        1 => Just(Act::Drop),
        1 => Just(Act::DropDuringAPanic),
        1 => Just(Act::Forget),
    ]
}

/// Steps that make coroutines.
fn making() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<u8>(), 0_u8..3).prop_map(|(script, given)| Step::New(script, given)),
        1 => (any::<u8>(), 2_u8..60).prop_map(|(script, length)| Step::Chain(script, length)),
        1 => (any::<u8>(), 2_u8..6).prop_map(|(script, depth)| Step::Tree(script, depth)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let flat = prop_oneof![
        6 => making(),
        10 => (act(), any::<u8>()).prop_map(|(act, which)| Step::Act(act, which)),
        9 => (give(), then()).prop_map(|(give, then)| Step::Yield(give, then)),
        3 => give().prop_map(Step::YieldOrUnwind),
        1 => (1_u8..4, then()).prop_map(|(count, then)| Step::YieldAll(count, then)),
        9 => (any::<u8>(), proptest::option::of(give()), then())
            .prop_map(|(which, first, then)| Step::Delegate(which, first, then)),
        2 => give().prop_map(Step::YieldOnDrop),
        1 => Just(Step::OnParentStack),
        1 => give().prop_map(Step::Return),
        1 => give().prop_map(Step::Fail),
        2 => proptest::bool::weighted(0.2).prop_map(Step::Panic),
    ]
    .boxed();
    // Not `prop_recursive`, by which most would be catches of catches.
    let inner = prop_oneof![9 => flat.clone(), 1 => vec(flat.clone(), 0..4).prop_map(Step::Catch)];
    prop_oneof![9 => flat, 2 => vec(inner, 1..4).prop_map(Step::Catch)]
}

pub(super) fn program() -> impl Strategy<Value = Program> {
    (vec(vec(step(), 0..9), 1..6), vec(making(), 0..3), vec(step(), 1..24)).prop_map(|(scripts, made, acts)| {
        let main = made.into_iter().chain(acts).collect();
        Program { scripts, main }
    })
}
