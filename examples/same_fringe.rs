//! The same-fringe problem: do two trees hold the same leaves in the same order, whatever their shapes?
//!
//! With recursive generators the answer is one comparison of two iterators, and what lies behind the first
//! difference is never visited. Else one collects all leaves first, or turns the recursion inside out by hand.
//!
//! Run it with `cargo run --example same_fringe`.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;

use switchback::{Generator, Thrown, Yielder};

enum Tree {
    Leaf(u64),
    Fork(Box<Tree>, Box<Tree>),
}

impl Tree {
    /// A tree over these leaves. `split` says how many of so many leaves go to the left.
    fn over(leaves: &[u64], split: fn(usize) -> usize) -> Tree {
        match leaves {
            [leaf] => Tree::Leaf(*leaf),
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len()));
                Tree::Fork(Box::new(Tree::over(left, split)), Box::new(Tree::over(right, split)))
            }
        }
    }

    fn depth(&self) -> usize {
        match self {
            Tree::Leaf(_) => 0,
            Tree::Fork(left, right) => 1 + left.depth().max(right.depth()),
        }
    }
}

/// Yields the leaves from left to right, from here straight to the consumer, however deep this is.
fn leaves(tree: &Tree, visited: &Cell<usize>, y: &Yielder<u64>) -> Result<(), Thrown> {
    visited.set(visited.get() + 1);
    match tree {
        Tree::Leaf(leaf) => y.yield_(*leaf),
        Tree::Fork(left, right) => {
            leaves(left, visited, y)?;
            leaves(right, visited, y)
        }
    }
}

/// Is the fringe the same? Also gives how many nodes had to be visited to know.
fn same_fringe(left: &Rc<Tree>, right: &Rc<Tree>) -> (bool, usize) {
    let visited = Rc::new(Cell::new(0));
    let fringe = |tree: &Rc<Tree>| {
        let (tree, visited) = (Rc::clone(tree), Rc::clone(&visited));
        Generator::new(move |y| leaves(&tree, &visited, y))
    };
    let same = fringe(left).eq(fringe(right));
    (same, visited.get())
}

fn main() -> io::Result<()> {
    let mut out = io::stdout();
    const LEAVES: usize = 100_000;
    let numbers: Vec<u64> = (0..LEAVES as u64).map(|n| n * n % 1_009).collect();
    let mut changed = numbers.clone();
    changed[5] += 1;

    let balanced = Rc::new(Tree::over(&numbers, |n| n / 2));
    let leaning = Rc::new(Tree::over(&numbers, |n| n.div_ceil(3)));
    let different = Rc::new(Tree::over(&changed, |n| n.div_ceil(3)));
    writeln!(out, "{LEAVES} leaves, {} levels deep against {}", balanced.depth(), leaning.depth())?;
    assert_ne!(balanced.depth(), leaning.depth());

    let (same, visited) = same_fringe(&balanced, &leaning);
    writeln!(out, "same leaves, other shape: {same}, after {visited} nodes")?;
    assert!(same);
    // A tree of n leaves has n - 1 forks, and both trees were walked to their ends.
    assert_eq!(visited, 2 * (2 * LEAVES - 1));

    let (same, visited) = same_fringe(&balanced, &different);
    writeln!(out, "the sixth leaf differs:   {same}, after {visited} nodes")?;
    assert!(!same);
    // Twice the way down to the first leaf, and a little for each of five more.
    assert!(visited < 100, "the rest of the trees must not be visited, but {visited} nodes were");
    Ok(())
}
