//! Recursion inside generators. What happens at the end of a stack is for tests/coroutines/overflow.rs to show.

use std::hint::black_box;
use switchback::{Builder, Generator, Thrown, Yielder};

/// The columns of queens that do not threaten each other, one a row, for each way to place them.
fn place(y: &Yielder<Vec<usize>>, board: &mut Vec<usize>, size: usize) -> Result<(), Thrown> {
    if board.len() == size {
        return y.yield_(board.clone());
    }
    for column in 0..size {
        let row = board.len();
        if board.iter().enumerate().all(|(r, &c)| c != column && c.abs_diff(column) != row - r) {
            board.push(column);
            place(y, board, size)?;
            board.pop();
        }
    }
    Ok(())
}

#[test]
fn a_search_that_recurses_is_a_generator_of_its_solutions() {
    // [108]
    let queens = |size| Generator::new(move |y| place(y, &mut Vec::new(), size));
    assert_eq!(queens(8).next(), Some(vec![0, 4, 7, 5, 2, 6, 1, 3]));
    assert_eq!(queens(6).count(), 4);
    assert_eq!(queens(8).count(), 92);
}

#[test]
fn a_stack_that_is_asked_for_is_as_deep_as_recursion_needs() {
    // [108]
    const DEPTH: u32 = 10_000;
    fn down(y: &Yielder<u32>, depth: u32) -> Result<u32, Thrown> {
        if depth == DEPTH {
            y.yield_(depth)?;
            return Ok(0);
        }
        Ok(black_box(down(y, depth + 1)?) + 1)
    }
    let mut co = Builder::new().stack_size(16 << 20).generator(|y| down(y, 0)).expect("a stack");
    let mut values = co.values();
    assert_eq!(values.by_ref().collect::<Vec<_>>(), [DEPTH]);
    assert_eq!(values.take_return(), Some(DEPTH));
}
