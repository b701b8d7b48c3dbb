//! A push parser turned into an iterator: someone else's code calls back, and we want to pull.
//!
//! Two files sorted by the same key are joined in one pass, row by row of this one or of that one as the keys
//! demand. Parsers that call *us* for each row cannot do that. Here each runs on a stack of its own, and is
//! stopped in the middle of its callback.
//!
//! Run it with `cargo run --example pull_parser`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{self, Write};
use std::rc::Rc;

use switchback::Generator;

/// Stands for a library that we cannot change. It knows nothing of coroutines.
mod push_csv {
    /// Calls `row` for every row, with no way to make it stop, and gives the number of rows.
    pub(crate) fn parse(text: &str, mut row: impl FnMut(&[String])) -> Result<usize, String> {
        for (number, line) in text.lines().enumerate() {
            let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
            for next in line.chars() {
                match next {
                    '"' => quoted = !quoted,
                    ',' if !quoted => fields.push(std::mem::take(&mut field)),
                    other => field.push(other),
                }
            }
            if quoted {
                return Err(format!("line {}: a quote is never closed", number + 1));
            }
            fields.push(field);
            row(&fields);
        }
        Ok(text.lines().count())
    }
}

/// The rows, pulled. When they are over, the generator returns what the parser did.
///
/// The callback cannot pass an error on with `?`, so it yields with `yield_or_unwind`: should the generator be
/// dropped before its end, that unwinds the parser's frames, and their destructors run.
fn rows(text: impl AsRef<str> + 'static) -> Generator<Vec<String>, Result<usize, String>> {
    Generator::new(move |y| Ok(push_csv::parse(text.as_ref(), |row| y.yield_or_unwind(row.to_vec()))))
}

const PEOPLE: &str = "ada,\"Lovelace, Ada\"\nalan,Alan Turing\ngrace,Grace Hopper";
const ORDERS: &str = "ada,30\nada,12\nbob,99\ngrace,7\nlinus,1";

/// Joins people and orders, both sorted by key: for each name the sum of that person's orders.
fn join(out: &mut impl Write) -> Result<Vec<String>, Box<dyn Error>> {
    let (mut people, mut orders) = (rows(PEOPLE), rows(ORDERS));
    let (mut people, mut orders) = (people.values(), orders.values());
    let mut ahead = orders.by_ref().peekable();
    let mut joined = Vec::new();
    for person in people.by_ref() {
        let mut sum = 0;
        while let Some(order) = ahead.next_if(|order| order[0] <= person[0]) {
            match &order[..] {
                [key, amount] if *key == person[0] => sum += amount.parse::<u64>()?,
                _ => writeln!(out, "an order of nobody we know: {order:?}")?,
            }
        }
        joined.push(format!("{}: {sum}", person[1..].concat()));
    }
    writeln!(out, "orders left over: {}", ahead.count())?;
    // The loops saw rows. How the parsers ended is what the generators returned.
    people.take_return().transpose()?;
    orders.take_return().transpose()?;
    Ok(joined)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout();
    let joined = join(&mut out)?;
    writeln!(out, "{joined:?}")?;
    assert_eq!(joined, ["Lovelace, Ada: 42", "Alan Turing: 0", "Grace Hopper: 7"]);

    let mut broken = rows("1,good\n2,\"bad\n");
    let mut values = broken.values();
    let before = values.by_ref().count();
    let parsed = values.take_return().ok_or("the parser did not come to its end")?;
    writeln!(out, "a broken file: {before} row, then {parsed:?}")?;
    assert_eq!(parsed, Err("line 2: a quote is never closed".into()));

    // Stopping early leaves nothing behind: the frames of the parser held the text, and are gone.
    let text: Rc<str> = "a,b\n".repeat(1_000_000).into();
    let mut long = rows(text.clone());
    writeln!(out, "one row of a million: {:?}", long.next())?;
    if cfg!(panic = "unwind") {
        drop(long);
        assert_eq!(Rc::strong_count(&text), 1);
    } else {
        // Dropped in a program that cannot unwind, it would be leaked and that be told on standard error. So be it: leaked.
        std::mem::forget(long);
    }
    Ok(())
}
