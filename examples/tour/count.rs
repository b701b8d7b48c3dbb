//! The sink: a coroutine that is *sent* what it counts, and that returns the totals when there is no more.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use switchback::{Coroutine, Thrown, Yielder};

use crate::tokens::{Kind, Place, Token};

/// What the sink is sent. The tokens of a file follow the file.
#[derive(Debug)]
pub(crate) enum Event {
    File { extension: String, text: Rc<str> },
    Token(Token),
}

/// What was counted in the files of one extension, or in all of them.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) files: u64,
    pub(crate) lines: u64,
    pub(crate) code_words: u64,
    pub(crate) comment_words: u64,
    pub(crate) text_words: u64,
    pub(crate) numbers: u64,
    pub(crate) deepest: usize,
}

/// What the sink returns.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) rows: BTreeMap<String, Row>,
    pub(crate) words: HashMap<String, u64>,
}

/// The sink, not yet started. `None` tells it that there is no more.
pub(crate) fn counter() -> Coroutine<(), Option<Event>, Totals> {
    Coroutine::new(|y| {
        let mut totals = Totals::default();
        let mut next = y.yield_(())?;
        while let Some(Event::File { extension, text }) = next {
            next = file(y, &mut totals, extension, &text)?;
        }
        Ok(totals)
    })
}

/// Counts one file and returns the first event that belongs to no file, or to the next.
///
/// "In which file are we?" needs no variable that outlives a call: the answer is that this function runs.
fn file(
    y: &Yielder<(), Option<Event>>,
    totals: &mut Totals,
    extension: String,
    text: &str,
) -> Result<Option<Event>, Thrown> {
    let row = totals.rows.entry(extension).or_default();
    row.files += 1;
    row.lines += text.lines().count() as u64;
    loop {
        let token = match y.yield_(())? {
            Some(Event::Token(token)) => token,
            other => return Ok(other),
        };
        row.add(&token);
        if token.kind == Kind::Word {
            count_word(&mut totals.words, &text[token.start..token.end]);
        }
    }
}

/// A word is copied the first time it is seen, not each time.
fn count_word(words: &mut HashMap<String, u64>, word: &str) {
    match words.get_mut(word) {
        Some(count) => *count += 1,
        None => {
            words.insert(word.to_string(), 1);
        }
    }
}

impl Row {
    fn add(&mut self, token: &Token) {
        self.deepest = self.deepest.max(token.depth);
        match (token.kind, token.place) {
            (Kind::Word, Place::Code) => self.code_words += 1,
            (Kind::Word, Place::Comment) => self.comment_words += 1,
            (Kind::Word, Place::Text) => self.text_words += 1,
            (Kind::Number, _) => self.numbers += 1,
            (Kind::Open | Kind::Close | Kind::TooDeep | Kind::Mark, _) => {}
        }
    }

    /// This row and another one, taken together.
    pub(crate) fn and(self, other: &Row) -> Row {
        Row {
            files: self.files + other.files,
            lines: self.lines + other.lines,
            code_words: self.code_words + other.code_words,
            comment_words: self.comment_words + other.comment_words,
            text_words: self.text_words + other.text_words,
            numbers: self.numbers + other.numbers,
            deepest: self.deepest.max(other.deepest),
        }
    }
}
