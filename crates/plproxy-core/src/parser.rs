//! From a body to its tree. Recursion-free: the grammar has no nesting.
//!
//! Mistakes are reported in the order of the source, so what can be known at a place is checked there; the
//! signature's part of that is the caller's, through [`parse_with`].

use crate::ast::{
    Body, Cluster, Connect, Execute, Part, QueryText, RunOn, Split, Sql, Statement, StatementKind,
};
pub use crate::error::CompileError;
use crate::lexer::{Broken, Keyword, Lexer, SqlToken, Token};

/// A place that names an argument and is wrong if there is no such argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mention<'a> {
    /// `$n` outside `SPLIT`.
    Param(&'a str),
    /// An argument in a `SPLIT`'s list.
    Split(&'a str),
    /// `SPLIT ALL`.
    SplitAll,
    /// What an `EXECUTE` takes its text from.
    Execute(&'a str),
    /// An argument in the list of an `EXECUTE`.
    Using(&'a str),
}

/// A word that is a keyword of an `EXECUTE` only, so that it is an identifier everywhere else.
const USING: &str = "using";

/// Parses a body without knowing the function's arguments.
pub fn parse(body: &str) -> Result<Body, CompileError> {
    parse_with(body, &mut |_, _| Ok(()))
}

/// Parses a body; `check` is asked at every mention of an argument, with its line.
pub fn parse_with(
    body: &str,
    check: &mut dyn FnMut(Mention<'_>, u32) -> Result<(), CompileError>,
) -> Result<Body, CompileError> {
    let mut parser = Parser {
        lexer: Lexer::new(body),
        check,
        statements: Vec::new(),
        secret: false,
    };
    while parser.statement()? {}
    parser.whole()?;
    Ok(Body {
        statements: parser.statements,
    })
}

struct Parser<'a, 'c> {
    lexer: Lexer<'a>,
    check: &'c mut dyn FnMut(Mention<'_>, u32) -> Result<(), CompileError>,
    statements: Vec<Statement>,
    /// A connection string was read.
    secret: bool,
}

impl<'a> Parser<'a, '_> {
    /// One statement; `false` at the end of the body.
    fn statement(&mut self) -> Result<bool, CompileError> {
        let (keyword, written) = match self.lexer.token() {
            Token::Keyword(keyword, written) => (keyword, written),
            Token::Name(word) if word.eq_ignore_ascii_case(expected::EXECUTE) => {
                let line = self.lexer.line();
                let kind = StatementKind::Execute(self.execute()?);
                return self.add(line, kind);
            }
            Token::End => return Ok(false),
            other => return Err(self.expected(expected::STATEMENT, &other)),
        };
        let line = self.lexer.line();
        let kind = match keyword {
            Keyword::Connect => StatementKind::Connect(self.connect()?),
            Keyword::Cluster => StatementKind::Cluster(self.cluster()?),
            Keyword::Run => StatementKind::Run(self.run()?),
            Keyword::Split => StatementKind::Split(self.split()?),
            Keyword::Target => match self.lexer.token() {
                // Whether it names a function is for the partition to say, so `$1` passes too.
                Token::Name(name) | Token::Param(name) => {
                    self.semicolon()?;
                    StatementKind::Target(name.to_owned())
                }
                other => {
                    let what = "the name of a function, without quotes and parentheses,";
                    return Err(self.expected(what, &other));
                }
            },
            Keyword::Select => {
                // The text of a second SELECT is not read at all.
                self.only("SELECT", |kind| matches!(kind, StatementKind::Select(_)))?;
                StatementKind::Select(self.sql(written)?)
            }
            Keyword::On | Keyword::All | Keyword::Any => {
                let token = Token::Keyword(keyword, written);
                return Err(self.expected(expected::STATEMENT, &token));
            }
        };
        self.add(line, kind)
    }

    /// Adds a statement, which must be the first of its kind.
    fn add(&mut self, line: u32, kind: StatementKind) -> Result<bool, CompileError> {
        let same = std::mem::discriminant(&kind);
        self.only(name(&kind), |other| std::mem::discriminant(other) == same)?;
        self.statements.push(Statement { line, kind });
        Ok(true)
    }

    fn connect(&mut self) -> Result<Connect, CompileError> {
        let source = match self.lexer.token() {
            Token::Text(text) => {
                self.secret = true;
                Connect::Text(text)
            }
            Token::Param(param) => {
                self.mention(Mention::Param(param))?;
                Connect::Reference(param.to_owned())
            }
            Token::Name(name) => Connect::Reference(name.to_owned()),
            Token::Call(call) => return Ok(Connect::Call(self.sql(call)?)),
            other => {
                let what = "a string, an argument or a function call";
                return Err(self.expected(what, &other));
            }
        };
        self.semicolon()?;
        Ok(source)
    }

    fn cluster(&mut self) -> Result<Cluster, CompileError> {
        match self.lexer.token() {
            Token::Text(text) => {
                self.semicolon()?;
                Ok(Cluster::Text(text))
            }
            Token::Call(call) => Ok(Cluster::Call(self.sql(call)?)),
            other => {
                let what = "a name in single quotes or a function call";
                Err(self.expected(what, &other))
            }
        }
    }

    fn run(&mut self) -> Result<RunOn, CompileError> {
        match self.lexer.token() {
            Token::Keyword(Keyword::On, _) => {}
            other => return Err(self.expected("ON", &other)),
        }
        let on = match self.lexer.token() {
            Token::Keyword(Keyword::All, _) => return self.all(),
            Token::Keyword(Keyword::Any, _) => RunOn::Any,
            Token::Number(digits) => RunOn::Number(digits.parse().unwrap_or(i32::MAX)),
            Token::Param(param) => {
                self.mention(Mention::Param(param))?;
                RunOn::Reference(param.to_owned())
            }
            Token::Name(name) => RunOn::Reference(name.to_owned()),
            Token::Call(call) => return Ok(RunOn::Call(self.sql(call)?)),
            other => {
                let what = "ALL, ANY, a number, an argument or a function call";
                return Err(self.expected(what, &other));
            }
        };
        self.semicolon()?;
        Ok(on)
    }

    /// What follows `RUN ON ALL`. Its words are none of the language's keywords: elsewhere they may name anything.
    fn all(&mut self) -> Result<RunOn, CompileError> {
        match self.lexer.token() {
            Token::Semicolon => return Ok(RunOn::All),
            Token::Name(word) if word.eq_ignore_ascii_case("skip") => {}
            other => return Err(self.expected("\";\"", &other)),
        }
        match self.lexer.token() {
            Token::Name(word) if word.eq_ignore_ascii_case("failed") => {}
            other => return Err(self.expected("FAILED", &other)),
        }
        self.semicolon()?;
        Ok(RunOn::AllSkipFailed)
    }

    fn split(&mut self) -> Result<Split, CompileError> {
        let mut names = Vec::new();
        loop {
            match self.lexer.token() {
                Token::Keyword(Keyword::All, _) if names.is_empty() => {
                    self.semicolon()?;
                    self.mention(Mention::SplitAll)?;
                    return Ok(Split::All);
                }
                Token::Name(name) | Token::Param(name) => {
                    self.mention(Mention::Split(name))?;
                    names.push(name.to_owned());
                }
                other if names.is_empty() => {
                    return Err(self.expected("ALL or an argument", &other));
                }
                other => return Err(self.expected("an argument", &other)),
            }
            match self.lexer.token() {
                Token::Comma => {}
                Token::Semicolon => return Ok(Split::Arguments(names)),
                other => return Err(self.expected("\",\" or \";\"", &other)),
            }
        }
    }

    fn execute(&mut self) -> Result<Execute, CompileError> {
        let name = match self.lexer.token() {
            Token::Name(name) | Token::Param(name) => name,
            Token::Call(call) => {
                let (sql, using) = self.sql_until(call, Some(USING))?;
                return Ok(Execute {
                    query: QueryText::Call(sql),
                    using: if using { self.using()? } else { Vec::new() },
                });
            }
            other => {
                let what = "an argument or a function call";
                return Err(self.expected(what, &other));
            }
        };
        self.mention(Mention::Execute(name))?;
        let query = QueryText::Reference(name.to_owned());
        let using = match self.lexer.token() {
            Token::Semicolon => Vec::new(),
            Token::Name(word) if word.eq_ignore_ascii_case(USING) => self.using()?,
            other => return Err(self.expected("USING or \";\"", &other)),
        };
        Ok(Execute { query, using })
    }

    /// The arguments of an `EXECUTE`, to its semicolon.
    fn using(&mut self) -> Result<Vec<String>, CompileError> {
        let mut names = Vec::new();
        loop {
            match self.lexer.token() {
                Token::Name(name) | Token::Param(name) => {
                    self.mention(Mention::Using(name))?;
                    names.push(name.to_owned());
                }
                other => return Err(self.expected("an argument", &other)),
            }
            match self.lexer.token() {
                Token::Comma => {}
                Token::Semicolon => return Ok(names),
                other => return Err(self.expected("\",\" or \";\"", &other)),
            }
        }
    }

    /// The SQL up to its semicolon, which must not follow at once.
    fn sql(&mut self, opening: &str) -> Result<Sql, CompileError> {
        self.sql_until(opening, None).map(|(sql, _)| sql)
    }

    /// The same, or up to a word outside of all parentheses; whether it was that.
    fn sql_until(
        &mut self,
        opening: &str,
        word: Option<&str>,
    ) -> Result<(Sql, bool), CompileError> {
        let mut parts = vec![Part::Text(opening.to_owned())];
        let mut empty = true;
        let mut open: usize = 1;
        loop {
            match self.lexer.sql() {
                SqlToken::Semicolon if !empty => return Ok((Sql { parts }, false)),
                SqlToken::Semicolon => return Err(self.expected("SQL", &Token::Semicolon)),
                SqlToken::Name(name)
                    if open == 0 && word.is_some_and(|word| word.eq_ignore_ascii_case(name)) =>
                {
                    parts.pop_if(|part| matches!(part, Part::Gap(_)));
                    return Ok((Sql { parts }, true));
                }
                SqlToken::Broken(what) => return Err(self.broken(what)),
                SqlToken::Text(text) => {
                    match text {
                        "(" | "[" => open = open.saturating_add(1),
                        ")" | "]" => open = open.saturating_sub(1),
                        _ => {}
                    }
                    match parts.last_mut() {
                        Some(Part::Text(last)) => last.push_str(text),
                        _ => parts.push(Part::Text(text.to_owned())),
                    }
                }
                SqlToken::Gap("") => {}
                SqlToken::Gap(gap) => match parts.last_mut() {
                    Some(Part::Gap(last)) => last.push_str(gap),
                    _ => parts.push(Part::Gap(gap.to_owned())),
                },
                SqlToken::Name(name) => parts.push(Part::Name(name.to_owned())),
                SqlToken::Qualifier(name) => parts.push(Part::Qualifier(name.to_owned())),
                SqlToken::Param(param) => {
                    self.mention(Mention::Param(param))?;
                    parts.push(Part::Param(param.to_owned()));
                }
            }
            empty = false;
        }
    }

    fn mention(&mut self, mention: Mention<'_>) -> Result<(), CompileError> {
        (self.check)(mention, self.lexer.line())
    }

    fn semicolon(&mut self) -> Result<(), CompileError> {
        match self.lexer.token() {
            Token::Semicolon => Ok(()),
            other => Err(self.expected("\";\"", &other)),
        }
    }

    fn has(&self, test: impl Fn(&StatementKind) -> bool) -> bool {
        self.statements
            .iter()
            .any(|statement| test(&statement.kind))
    }

    fn only(&self, name: &str, same: impl Fn(&StatementKind) -> bool) -> Result<(), CompileError> {
        if self.has(same) {
            return Err(self.error(&format!("Only one {name} statement allowed")));
        }
        Ok(())
    }

    /// What only the whole body shows; told with the line of its end.
    fn whole(&self) -> Result<(), CompileError> {
        let cluster = self.has(|kind| matches!(kind, StatementKind::Cluster(_)));
        let run = self.has(|kind| matches!(kind, StatementKind::Run(_)));
        if self.has(|kind| matches!(kind, StatementKind::Connect(_))) {
            if cluster || run {
                return Err(self.error("CONNECT cannot be used with CLUSTER/RUN"));
            }
        } else if !cluster {
            let error = self.error("CLUSTER statement missing");
            return Err(match self.swallowed() {
                Some(detail) => error.with_detail(detail),
                None => error,
            });
        }
        if self.has(|kind| matches!(kind, StatementKind::Target(_)))
            && self.has(|kind| matches!(kind, StatementKind::Select(_)))
        {
            return Err(self.error("TARGET cannot be used with SELECT"));
        }
        if self.has(|kind| matches!(kind, StatementKind::Execute(_)))
            && self.has(|kind| matches!(kind, StatementKind::Target(_) | StatementKind::Select(_)))
        {
            return Err(self.error("EXECUTE cannot be used with TARGET/SELECT"));
        }
        Ok(())
    }

    /// Says where SQL may have taken in the statement that is missing.
    fn swallowed(&self) -> Option<String> {
        self.statements.iter().find_map(|statement| {
            let word = statement.kind.sql()?.next_statement(|_| false)?;
            let (what, line) = (name(&statement.kind), statement.line);
            Some(format!(
                "A \";\" may be missing before \"{word}\" in the {what} statement that begins at line {line}."
            ))
        })
    }

    /// `token` is not what was expected.
    fn expected(&self, what: &str, token: &Token<'_>) -> CompileError {
        let detail = expected::detail(what, token, &self.lexer, self.secret);
        self.error("syntax error").with_detail(detail)
    }

    fn broken(&self, what: Broken) -> CompileError {
        let detail = expected::broken(what, &self.lexer, self.secret);
        self.error("syntax error").with_detail(detail)
    }

    fn error(&self, message: &str) -> CompileError {
        CompileError::at(self.lexer.line(), message)
    }
}

/// A statement's name in messages.
fn name(kind: &StatementKind) -> &'static str {
    match kind {
        StatementKind::Connect(_) => "CONNECT",
        StatementKind::Cluster(_) => "CLUSTER",
        StatementKind::Run(_) => "RUN",
        StatementKind::Split(_) => "SPLIT",
        StatementKind::Target(_) => "TARGET",
        StatementKind::Select(_) => "SELECT",
        StatementKind::Execute(_) => "EXECUTE",
    }
}

mod expected;
#[cfg(test)]
mod tests;
