//! A tokenizer: plain recursive descent, made an iterator by nothing but a yielder.
//!
//! It knows as much of Rust's grammar as a census needs: brackets nest, comments nest, strings have escapes.
//! All that remembers where it is, is the stack of the functions below.

use std::rc::Rc;

use switchback::{Builder, Generator, Thrown, Yielder};

/// Brackets and comments nested deeper than this are counted, but no longer followed.
///
/// A recursive function on a stack of fixed size must bound its recursion, here as on a thread: the text
/// decides how deep it goes, and the text may be hostile.
pub(crate) const DEEPEST: usize = 200;

/// Room for `DEEPEST` levels in a debug build.
const STACK: usize = 1024 * 1024;

/// In what surroundings a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Code,
    Comment,
    Text,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    Number,
    Open,
    Close,
    /// An opening that is too deep to be followed.
    TooDeep,
    Mark,
}

/// A piece of the text, by its place in bytes: cheap to hand over, and the text is borrowed by nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    pub(crate) depth: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The tokens of a text, one at a time.
pub(crate) fn tokens(text: Rc<str>) -> Result<Generator<Token>, String> {
    let builder = Builder::new().name("tokens").stack_size(STACK);
    let tokenizing = builder.create(move |y| code(&mut Cursor { text, at: 0 }, y, 0));
    tokenizing.map_err(|error| error.to_string())
}

/// Code up to the bracket that closes it, or up to the end of the text.
fn code(cursor: &mut Cursor, y: &Yielder<Token>, depth: usize) -> Result<(), Thrown> {
    let mut not_followed = 0usize;
    while let Some(next) = cursor.peek() {
        match next {
            '(' | '[' | '{' if depth < DEEPEST => {
                cursor.one(y, Kind::Open, depth + 1)?;
                code(cursor, y, depth + 1)?;
            }
            '(' | '[' | '{' => {
                cursor.one(y, Kind::TooDeep, depth + 1)?;
                not_followed += 1;
            }
            ')' | ']' | '}' => {
                cursor.one(y, Kind::Close, depth)?;
                match not_followed.checked_sub(1) {
                    Some(fewer) => not_followed = fewer,
                    // At the outermost level it closes nothing. Texts have such brackets, too :)
                    None if depth == 0 => {}
                    None => return Ok(()),
                }
            }
            '"' => string(cursor, y, depth)?,
            '\'' if cursor.skip_char_literal() => {}
            '/' if cursor.eat("//") => line_comment(cursor, y, depth)?,
            '/' if cursor.eat("/*") => block_comment(cursor, y, depth)?,
            _ => plain(cursor, y, Place::Code, depth)?,
        }
    }
    Ok(())
}

/// A string, escapes skipped, up to its closing quote or the end of the text.
fn string(cursor: &mut Cursor, y: &Yielder<Token>, depth: usize) -> Result<(), Thrown> {
    cursor.bump();
    while let Some(next) = cursor.peek() {
        match next {
            '"' => {
                cursor.bump();
                return Ok(());
            }
            '\\' => {
                cursor.bump();
                cursor.bump();
            }
            _ => plain(cursor, y, Place::Text, depth)?,
        }
    }
    Ok(())
}

fn line_comment(cursor: &mut Cursor, y: &Yielder<Token>, depth: usize) -> Result<(), Thrown> {
    while cursor.peek().is_some_and(|next| next != '\n') {
        plain(cursor, y, Place::Comment, depth)?;
    }
    Ok(())
}

/// A comment after its opening `/*`. As in Rust, such comments nest.
fn block_comment(cursor: &mut Cursor, y: &Yielder<Token>, depth: usize) -> Result<(), Thrown> {
    while cursor.peek().is_some() {
        if cursor.eat("*/") {
            return Ok(());
        }
        if !cursor.starts_with("/*") {
            plain(cursor, y, Place::Comment, depth)?;
        } else if depth < DEEPEST {
            cursor.eat("/*");
            block_comment(cursor, y, depth + 1)?;
        } else {
            cursor.one(y, Kind::TooDeep, depth + 1)?;
        }
    }
    Ok(())
}

/// A word, a number, a mark, or white space, which is skipped.
fn plain(cursor: &mut Cursor, y: &Yielder<Token>, place: Place, depth: usize) -> Result<(), Thrown> {
    let start = cursor.at;
    let kind = match cursor.bump() {
        Some(first) if first.is_alphabetic() || first == '_' => {
            cursor.skip_while(is_word);
            Kind::Word
        }
        Some(first) if first.is_ascii_digit() => {
            cursor.skip_number();
            Kind::Number
        }
        Some(first) if !first.is_whitespace() => Kind::Mark,
        _ => return Ok(()),
    };
    y.yield_(Token { kind, place, depth, start, end: cursor.at })
}

fn is_word(next: char) -> bool {
    next.is_alphanumeric() || next == '_'
}

/// A text, and how far it has been read.
struct Cursor {
    text: Rc<str>,
    at: usize,
}

impl Cursor {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn starts_with(&self, what: &str) -> bool {
        self.rest().starts_with(what)
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn eat(&mut self, what: &str) -> bool {
        let found = self.starts_with(what);
        if found {
            self.at += what.len();
        }
        found
    }

    fn skip_while(&mut self, wanted: fn(char) -> bool) {
        while self.peek().is_some_and(wanted) {
            self.bump();
        }
    }

    /// The rest of a number. A point belongs to it when a digit follows: in `1..5` none does.
    fn skip_number(&mut self) {
        self.skip_while(is_word);
        let mut ahead = self.rest().chars();
        if ahead.next() == Some('.') && ahead.next().is_some_and(|digit| digit.is_ascii_digit()) {
            self.bump();
            self.skip_while(is_word);
        }
    }

    /// Skips `'x'` and `'\x'`, so that a quoted quote opens no string; leaves lifetimes and apostrophes alone.
    fn skip_char_literal(&mut self) -> bool {
        let mut ahead = self.rest().chars().skip(1);
        let (first, second, third) = (ahead.next(), ahead.next(), ahead.next());
        let characters = match (first, second, third) {
            (Some('\\'), Some(_), Some('\'')) => 4,
            (Some(_), Some('\''), _) => 3,
            _ => return false,
        };
        for _ in 0..characters {
            self.bump();
        }
        true
    }

    /// Yields the next character as a token by itself.
    fn one(&mut self, y: &Yielder<Token>, kind: Kind, depth: usize) -> Result<(), Thrown> {
        let start = self.at;
        self.bump();
        y.yield_(Token { kind, place: Place::Code, depth, start, end: self.at })
    }
}
