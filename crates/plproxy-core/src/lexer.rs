//! The two ways in which a body is cut into tokens: the language's own, and the SQL inside it.
//!
//! Works on bytes, in one pass: every byte is looked at a fixed number of times, whatever the input.

use crate::ast::newlines;

/// The language's keywords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// `CONNECT`
    Connect,
    /// `CLUSTER`
    Cluster,
    /// `RUN`
    Run,
    /// `ON`
    On,
    /// `ALL`
    All,
    /// `ANY`
    Any,
    /// `SPLIT`
    Split,
    /// `TARGET`
    Target,
    /// `SELECT`: what follows is SQL.
    Select,
}

const KEYWORDS: [(&str, Keyword); 9] = [
    ("connect", Keyword::Connect),
    ("cluster", Keyword::Cluster),
    ("run", Keyword::Run),
    ("on", Keyword::On),
    ("all", Keyword::All),
    ("any", Keyword::Any),
    ("split", Keyword::Split),
    ("target", Keyword::Target),
    ("select", Keyword::Select),
];

impl Keyword {
    fn find(word: &str) -> Option<Self> {
        let mut keywords = KEYWORDS.iter();
        let (_, keyword) = keywords.find(|(text, _)| word.eq_ignore_ascii_case(text))?;
        Some(*keyword)
    }

    /// The keyword that stands in the place of a function's name.
    pub fn of_call(call: &str) -> Option<Self> {
        Self::find(call.strip_suffix('(')?.trim_end())
    }
}

/// A token of the language itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'a> {
    /// A keyword, and how it was written.
    Keyword(Keyword, &'a str),
    /// An identifier, dotted or not, as written.
    Name(&'a str),
    /// An identifier with the parenthesis that opens its arguments: what follows is SQL.
    Call(&'a str),
    /// Decimal digits.
    Number(&'a str),
    /// `$` and digits.
    Param(&'a str),
    /// A string, its doubled quotes undone.
    Text(String),
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// The end of the body.
    End,
    /// A string without an end, and the line on which it begins.
    Unterminated(u32),
    /// Anything that has no place in the language.
    Unknown,
}

/// A token of the SQL inside a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlToken<'a> {
    /// Passed on as it is.
    Text(&'a str),
    /// White space or a comment, and what becomes of it.
    Gap(&'static str),
    /// An identifier that stands alone, so that it may be an argument.
    Name(&'a str),
    /// The first part of a dotted identifier, quoted or not.
    Qualifier(&'a str),
    /// `$` and digits.
    Param(&'a str),
    /// `;`
    Semicolon,
    /// It cannot be read on.
    Broken(Broken),
}

/// Why SQL cannot be read on; what has no end, with the line on which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The end of the body.
    End,
    /// A character that SQL does not have.
    Character,
    /// A comment without an end.
    Comment(u32),
    /// A string without an end.
    String(u32),
    /// A quoted identifier without an end.
    Identifier(u32),
    /// A dollar-quoted string without an end.
    Dollar(u32),
}

/// A position in a body.
#[derive(Debug)]
pub struct Lexer<'a> {
    source: &'a str,
    pos: usize,
    line: u32,
    /// The last SQL token but gaps was a `.`: the next identifier is part of a dotted one.
    after_dot: bool,
    /// The last SQL token but gaps was a string literal: a line end may continue it.
    after_string: bool,
    /// The line on which a comment begins that reaches to the end of the body.
    open_comment: Option<u32>,
}

impl<'a> Lexer<'a> {
    /// At the start of a body.
    pub fn new(source: &'a str) -> Self {
        Self {
            source,
            pos: 0,
            line: 1,
            after_dot: false,
            after_string: false,
            open_comment: None,
        }
    }

    /// Where the next token begins, in bytes.
    pub fn position(&self) -> usize {
        self.pos
    }

    /// The line on which the last token ended.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The line on which a comment begins that has no end, if the language's last token was the end for that reason.
    pub fn open_comment(&self) -> Option<u32> {
        self.open_comment
    }

    /// What stands where the last token could not be read: a quoted identifier, a word, or a character.
    pub fn unknown(&self) -> &'a str {
        let start = self.pos;
        let end = match self.byte(start) {
            Some(b'"') => self.quoted_end(start, b'"').unwrap_or(start + 1),
            Some(b) if starts_word(b) => self.word_end(start),
            _ => start + 1,
        };
        self.source.get(start..end).unwrap_or_default()
    }

    /// The next token of the language.
    pub fn token(&mut self) -> Token<'a> {
        loop {
            let start = self.pos;
            self.take(self.space_end(start));
            match self.comment_end(self.pos) {
                Some(Ok(end)) => {
                    self.take(end);
                }
                // An unterminated comment reaches to the end, and that is no mistake of its own.
                Some(Err(())) => {
                    self.open_comment = Some(self.line);
                    self.take(self.source.len());
                }
                None => break,
            }
        }
        let start = self.pos;
        let Some(first) = self.byte(start) else {
            return Token::End;
        };
        match first {
            b',' => self.single(Token::Comma),
            b';' => self.single(Token::Semicolon),
            b'\'' => match self.quoted_end(start, b'\'') {
                Some(end) => {
                    let raw = self.take(end);
                    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
                    Token::Text(inner.replace("''", "'"))
                }
                None => {
                    // Noticed at the last quote, be it the first half of a doubled one.
                    let line = self.line;
                    self.take(self.source.rfind('\'').unwrap_or(start));
                    Token::Unterminated(line)
                }
            },
            b'0'..=b'9' => Token::Number(self.take(self.digits_end(start))),
            b'$' => {
                let end = self.digits_end(start + 1);
                if end == start + 1 {
                    return Token::Unknown;
                }
                Token::Param(self.take(end))
            }
            b if starts_word(b) => self.word(start),
            _ => Token::Unknown,
        }
    }

    fn single(&mut self, token: Token<'a>) -> Token<'a> {
        self.take(self.pos + 1);
        token
    }

    /// A keyword, an identifier or the beginning of a call: whichever of them is longest.
    fn word(&mut self, start: usize) -> Token<'a> {
        let end = self.word_end(start);
        let word = self.source.get(start..end).unwrap_or_default();
        let keyword = Keyword::find(word);
        if keyword == Some(Keyword::Select) {
            // `select .a` is a dotted identifier, and never the beginning of a query.
            let dotted = self.name_end(end);
            if dotted > end {
                return Token::Name(self.take(dotted));
            }
            if self.dot_and_word(end) {
                return Token::Unknown;
            }
            self.after_dot = false;
            self.after_string = false;
            return Token::Keyword(Keyword::Select, self.take(end));
        }
        let name_end = self.name_end(end);
        let open = self.space_end(name_end);
        if self.byte(open) == Some(b'(') {
            self.after_dot = false;
            self.after_string = false;
            return Token::Call(self.take(open + 1));
        }
        let name = self.take(name_end);
        match keyword {
            Some(keyword) if name_end == end => Token::Keyword(keyword, name),
            _ => Token::Name(name),
        }
    }

    /// The next token of the SQL that a `SELECT` or a call has opened.
    pub fn sql(&mut self) -> SqlToken<'a> {
        let start = self.pos;
        let Some(first) = self.byte(start) else {
            return SqlToken::Broken(Broken::End);
        };
        if is_space(first) {
            return self.white(start);
        }
        if let Some(comment) = self.comment_end(start) {
            let Ok(end) = comment else {
                return self.broken_to_end(Broken::Comment(self.line));
            };
            self.take(end);
            // The line end behind a `--` is white space that becomes a gap of its own.
            return SqlToken::Gap(if first == b'-' { "" } else { " " });
        }
        let (after_dot, string) = (self.after_dot, first == b'\'');
        self.after_dot = first == b'.';
        self.after_string = string;
        match first {
            b';' => {
                self.take(start + 1);
                SqlToken::Semicolon
            }
            b'\'' => self.text_or_broken(self.quoted_end(start, first), Broken::String),
            b'"' => match self.quoted_end(start, first) {
                Some(end) if !after_dot && self.before_dot(end) => {
                    SqlToken::Qualifier(self.take(end))
                }
                end => self.text_or_broken(end, Broken::Identifier),
            },
            b'$' => self.dollar(start),
            b'0'..=b'9' => SqlToken::Text(self.take(self.digits_end(start))),
            b'\\' | b'`' | 0..=0x1f | 0x7f => SqlToken::Broken(Broken::Character),
            b if starts_word(b) => self.sql_word(start, after_dot),
            _ => SqlToken::Text(self.take(start + 1)),
        }
    }

    /// A run of white space becomes one blank, or the line end that lets two string literals be one.
    fn white(&mut self, start: usize) -> SqlToken<'a> {
        let run = self.take(self.space_end(start));
        let continued =
            self.after_string && run.contains('\n') && self.byte(self.pos) == Some(b'\'');
        SqlToken::Gap(if continued { "\n" } else { " " })
    }

    /// An identifier, or a prefix of a string literal. Beside a dot, or at the end of a number such as `1e5`, it is no argument
    /// by itself.
    fn sql_word(&mut self, start: usize, after_dot: bool) -> SqlToken<'a> {
        let end = self.word_end(start);
        if end == start + 1 && self.byte(end) == Some(b'\'') {
            match self.byte(start) {
                Some(b'e' | b'E') => {
                    self.after_string = true;
                    return self.text_or_broken(self.escaped_end(end), Broken::String);
                }
                Some(b'b' | b'B' | b'x' | b'X' | b'n' | b'N') => {
                    return SqlToken::Text(self.take(end));
                }
                _ => {}
            }
        }
        let before_dot = self.before_dot(end);
        let in_number = start.checked_sub(1).and_then(|at| self.byte(at));
        let in_number = in_number.is_some_and(|b| b.is_ascii_digit());
        let word = self.take(end);
        if after_dot || in_number {
            SqlToken::Text(word)
        } else if before_dot {
            SqlToken::Qualifier(word)
        } else {
            SqlToken::Name(word)
        }
    }

    /// Whether a dot follows, comments or not.
    fn before_dot(&self, end: usize) -> bool {
        self.byte(self.gap_end(end)) == Some(b'.')
    }

    /// `$n` or a dollar-quoted string.
    fn dollar(&mut self, start: usize) -> SqlToken<'a> {
        let end = self.digits_end(start + 1);
        if end > start + 1 {
            return SqlToken::Param(self.take(end));
        }
        let end = self.word_end(start + 1);
        if self.byte(end) != Some(b'$') {
            return SqlToken::Broken(Broken::Character);
        }
        let tag = self.source.get(start..end + 1).unwrap_or_default();
        let inner = self.source.get(end + 1..).unwrap_or_default();
        let end = inner.find(tag).map(|at| end + 1 + at + tag.len());
        self.text_or_broken(end, Broken::Dollar)
    }

    fn text_or_broken(&mut self, end: Option<usize>, broken: fn(u32) -> Broken) -> SqlToken<'a> {
        match end {
            Some(end) => SqlToken::Text(self.take(end)),
            None => self.broken_to_end(broken(self.line)),
        }
    }

    /// Something unterminated is noticed at the end.
    fn broken_to_end(&mut self, broken: Broken) -> SqlToken<'a> {
        self.take(self.source.len());
        SqlToken::Broken(broken)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.source.as_bytes().get(at).copied()
    }

    /// Moves to `end` and gives what lies between. Every caller stops at an ASCII byte or at the end of an
    /// identifier, so the cut is between characters.
    fn take(&mut self, end: usize) -> &'a str {
        let text = self.source.get(self.pos..end).unwrap_or_default();
        self.line = self.line.saturating_add(newlines(text));
        self.pos = end;
        text
    }

    fn skip_while(&self, from: usize, test: impl Fn(u8) -> bool) -> usize {
        let mut end = from;
        while self.byte(end).is_some_and(&test) {
            end += 1;
        }
        end
    }

    fn space_end(&self, from: usize) -> usize {
        self.skip_while(from, is_space)
    }

    fn digits_end(&self, from: usize) -> usize {
        self.skip_while(from, |b| b.is_ascii_digit())
    }

    fn word_rest(&self, from: usize) -> usize {
        self.skip_while(from, |b| starts_word(b) || b.is_ascii_digit())
    }

    /// The end of the identifier part at `from`; `from` itself where none begins.
    fn word_end(&self, from: usize) -> usize {
        if self.byte(from).is_some_and(starts_word) {
            self.word_rest(from)
        } else {
            from
        }
    }

    /// The end of a dotted identifier whose first part ends at `end`.
    fn name_end(&self, mut end: usize) -> usize {
        loop {
            let dot = self.space_end(end);
            if self.byte(dot) != Some(b'.') {
                return end;
            }
            let part = self.space_end(dot + 1);
            let part_end = self.word_end(part);
            if part_end == part {
                return end;
            }
            end = part_end;
        }
    }

    /// Whether a dot and an identifier follow `from`, comments or not.
    fn dot_and_word(&self, from: usize) -> bool {
        let dot = self.gap_end(from);
        self.byte(dot) == Some(b'.') && self.byte(self.gap_end(dot + 1)).is_some_and(starts_word)
    }

    /// The end of the white space and comments at `from`.
    fn gap_end(&self, from: usize) -> usize {
        let mut end = from;
        loop {
            end = self.space_end(end);
            match self.comment_end(end) {
                Some(Ok(next)) => end = next,
                Some(Err(())) => return self.source.len(),
                None => return end,
            }
        }
    }

    /// The end of the comment at `from`, if one begins there, or that it has none. Comments do not nest.
    fn comment_end(&self, from: usize) -> Option<Result<usize, ()>> {
        match (self.byte(from)?, self.byte(from + 1)?) {
            (b'-', b'-') => Some(Ok(self.skip_while(from, |b| b != b'\n'))),
            (b'/', b'*') => {
                let inner = self.source.get(from + 2..).unwrap_or_default();
                Some(inner.find("*/").map(|at| from + 2 + at + 2).ok_or(()))
            }
            _ => None,
        }
    }

    /// The end of the text in `quote`s at `from`, in which a doubled quote stands for one.
    fn quoted_end(&self, from: usize, quote: u8) -> Option<usize> {
        let mut at = from + 1;
        loop {
            at = self.skip_while(at, |b| b != quote);
            self.byte(at)?;
            if self.byte(at + 1) != Some(quote) {
                return Some(at + 1);
            }
            at += 2;
        }
    }

    /// The end of the string at `from` in which a backslash escapes the next character.
    fn escaped_end(&self, from: usize) -> Option<usize> {
        let mut at = from + 1;
        loop {
            match (self.byte(at)?, self.byte(at + 1)) {
                (b'\\', _) | (b'\'', Some(b'\'')) => at += 2,
                (b'\'', _) => return Some(at + 1),
                _ => at += 1,
            }
        }
    }
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

/// Letters, the underscore, and every character beyond ASCII.
fn starts_word(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_' || b >= 0x80
}
