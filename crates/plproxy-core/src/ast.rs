//! A body as a tree, as it was written: argument references are still names here.
//!
//! `Display` prints a tree as a body that parses to the same tree, each statement on its own line of the source.

use std::fmt::{self, Write};

/// A whole body: its statements in the order of writing, at most one of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The statements.
    pub statements: Vec<Statement>,
}

/// One statement and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The line of its first keyword, counted from 1.
    pub line: u32,
    /// What it says.
    pub kind: StatementKind,
}

/// The statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementKind {
    /// `CONNECT …;`
    Connect(Connect),
    /// `CLUSTER …;`
    Cluster(Cluster),
    /// `RUN ON …;`
    Run(RunOn),
    /// `SPLIT …;`
    Split(Split),
    /// `TARGET name;`, the name as written, dots and all.
    Target(String),
    /// `SELECT …;`, the keyword being part of the text.
    Select(Sql),
    /// `EXECUTE … USING …;`
    Execute(Execute),
}

/// Where a `CONNECT` takes its connection string from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connect {
    /// A string.
    Text(String),
    /// `$n`, an argument's name, or another identifier, which is then an SQL expression.
    Reference(String),
    /// A function call.
    Call(Sql),
}

/// Where a `CLUSTER` takes its name from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cluster {
    /// A string.
    Text(String),
    /// A function call.
    Call(Sql),
}

/// What a `RUN ON` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOn {
    /// Every partition.
    All,
    /// Every partition, those that fail being left out.
    AllSkipFailed,
    /// A random partition.
    Any,
    /// The partition of this number; one that does not fit stands as the greatest, which no cluster has.
    Number(i32),
    /// `$n`, an argument's name, or another identifier, which is then an SQL expression.
    Reference(String),
    /// A function call.
    Call(Sql),
}

/// Which arguments are split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split {
    /// Every array argument.
    All,
    /// These, as written.
    Arguments(Vec<String>),
}

/// An `EXECUTE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execute {
    /// What gives the remote statement's text.
    pub query: QueryText,
    /// The arguments that are sent along, as written.
    pub using: Vec<String>,
}

/// Where an `EXECUTE` takes the text from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryText {
    /// `$n`, an argument's name, or a dotted name, which is then an SQL expression.
    Reference(String),
    /// A function call.
    Call(Sql),
}

/// SQL text with the places marked that may refer to an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql {
    /// The pieces in order; never two of `Text`, nor two of `Gap`, side by side.
    pub parts: Vec<Part>,
}

impl StatementKind {
    /// The SQL that it consists of.
    pub fn sql(&self) -> Option<&Sql> {
        match self {
            Self::Connect(Connect::Call(sql))
            | Self::Cluster(Cluster::Call(sql))
            | Self::Run(RunOn::Call(sql))
            | Self::Select(sql) => Some(sql),
            Self::Execute(execute) => match &execute.query {
                QueryText::Call(sql) => Some(sql),
                QueryText::Reference(_) => None,
            },
            Self::Connect(_) | Self::Cluster(_) | Self::Run(_) => None,
            Self::Split(_) | Self::Target(_) => None,
        }
    }
}

impl Sql {
    /// A word in the middle that looks as if it began the next statement: if the SQL is wrong, a `;` may be missing before
    /// it. `is_argument` tells names that are arguments.
    pub fn next_statement(&self, is_argument: impl Fn(&str) -> bool) -> Option<&str> {
        let parts = || {
            self.parts
                .iter()
                .filter(|part| !matches!(part, Part::Gap(_)))
        };
        let mut before = "";
        let mut depth = 0;
        for (part, next) in parts().zip(parts().skip(1)) {
            if let Part::Text(text) = part {
                depth += parentheses(text);
            }
            if let Part::Name(word) = part
                && depth == 0
                && !is_argument(word)
                && begins_statement(before, word, next)
            {
                return Some(word);
            }
            before = part.text();
        }
        None
    }
}

/// How many parentheses a piece of SQL opens, less those that it closes. Quotes of its strings are all in it.
fn parentheses(text: &str) -> i64 {
    let mut quoted = false;
    text.chars().fold(0, |depth, c| {
        quoted ^= c == '\'';
        match c {
            '(' if !quoted => depth + 1,
            ')' if !quoted => depth - 1,
            _ => depth,
        }
    })
}

/// Whether a word between two others could begin a statement of the language, and could not well stand there in SQL.
fn begins_statement(before: &str, word: &str, next: &Part) -> bool {
    let one_of = |word: &str, words: &[&str]| words.iter().any(|w| w.eq_ignore_ascii_case(word));
    let is_word = |c: char| c.is_alphabetic() || matches!(c, '_' | '\'' | '$');
    if one_of(word, &["run"]) {
        return one_of(next.text(), &["on"]);
    }
    if one_of(word, &["select"]) {
        return !before.ends_with('(') && !one_of(before, &["union", "all", "except", "intersect"]);
    }
    one_of(word, &["connect", "cluster", "split", "target", "execute"])
        && next.text().starts_with(is_word)
        && !one_of(
            next.text(),
            &["as", "from", "is", "in", "and", "or", "then", "asc", "desc"],
        )
}

/// A piece of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Passed on as it is.
    Text(String),
    /// What remains of white space and comments: a character for each run of white space and each `/* */`.
    Gap(String),
    /// An identifier that is an argument if one has this name.
    Name(String),
    /// The first part of a dotted identifier as written, with its quotes.
    Qualifier(String),
    /// `$n` as written.
    Param(String),
}

impl Part {
    /// How it is written.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Gap(text) | Self::Param(text) => text,
            Self::Name(text) | Self::Qualifier(text) => text,
        }
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = 1;
        for (i, statement) in self.statements.iter().enumerate() {
            if i > 0 {
                f.write_char(' ')?;
            }
            while line < statement.line {
                f.write_char('\n')?;
                line += 1;
            }
            let text = statement.kind.to_string();
            line = line.saturating_add(newlines(&text));
            f.write_str(&text)?;
        }
        Ok(())
    }
}

/// The number of line ends in a text.
pub(crate) fn newlines(text: &str) -> u32 {
    let count = text.bytes().filter(|b| *b == b'\n').count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl fmt::Display for StatementKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(Connect::Text(text)) => write!(f, "CONNECT {};", Quoted(text)),
            Self::Connect(Connect::Reference(name)) => write!(f, "CONNECT {name};"),
            Self::Connect(Connect::Call(sql)) => write!(f, "CONNECT {sql};"),
            Self::Cluster(Cluster::Text(text)) => write!(f, "CLUSTER {};", Quoted(text)),
            Self::Cluster(Cluster::Call(sql)) => write!(f, "CLUSTER {sql};"),
            Self::Run(RunOn::All) => f.write_str("RUN ON ALL;"),
            Self::Run(RunOn::AllSkipFailed) => f.write_str("RUN ON ALL SKIP FAILED;"),
            Self::Run(RunOn::Any) => f.write_str("RUN ON ANY;"),
            Self::Run(RunOn::Number(number)) => write!(f, "RUN ON {number};"),
            Self::Run(RunOn::Reference(name)) => write!(f, "RUN ON {name};"),
            Self::Run(RunOn::Call(sql)) => write!(f, "RUN ON {sql};"),
            Self::Split(Split::All) => f.write_str("SPLIT ALL;"),
            Self::Split(Split::Arguments(names)) => write!(f, "SPLIT {};", names.join(", ")),
            Self::Target(name) => write!(f, "TARGET {name};"),
            Self::Select(sql) => write!(f, "{sql};"),
            Self::Execute(Execute { query, using }) => {
                match query {
                    QueryText::Reference(name) => write!(f, "EXECUTE {name}")?,
                    QueryText::Call(sql) => write!(f, "EXECUTE {sql}")?,
                }
                if !using.is_empty() {
                    write!(f, " USING {}", using.join(", "))?;
                }
                f.write_char(';')
            }
        }
    }
}

/// A string as the language quotes it: no escape but the doubled quote.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.replace('\'', "''"))
    }
}

impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Gap(gap) => {
                    // Two characters of white space side by side would be read as one run.
                    let length = gap.chars().count();
                    for (i, c) in gap.chars().enumerate() {
                        if (length - i) % 2 == 1 {
                            f.write_char(c)?;
                        } else {
                            f.write_str("/**/")?;
                        }
                    }
                }
                part => f.write_str(part.text())?,
            }
        }
        Ok(())
    }
}
