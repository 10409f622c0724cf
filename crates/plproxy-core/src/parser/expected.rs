//! The detail of a syntax error: what was expected, and what stands there instead.

use crate::lexer::{Broken, Keyword, Lexer, Token};

/// Tokens are shown up to so many characters.
const SHOWN: usize = 40;

/// A word that is a keyword at the beginning of a statement only, and an identifier everywhere else.
pub(super) const EXECUTE: &str = "execute";
/// What may begin a statement.
pub(super) const STATEMENT: &str = "CONNECT, CLUSTER, RUN ON, SPLIT, TARGET, SELECT or EXECUTE";

/// Says what was expected in the place of `token`, the last one of `lexer`. After the connection string of a CONNECT only
/// keywords are shown: what follows may be a piece of a password with a quote in it.
pub(super) fn detail(expected: &str, token: &Token<'_>, lexer: &Lexer<'_>, secret: bool) -> String {
    let word = match token {
        Token::End => return at_the_end(expected, lexer),
        Token::Unterminated(line) => return unterminated("quoted string", *line),
        Token::Keyword(_, word) => word,
        Token::Call(call) if names_statement(call, expected) => {
            let word = call.trim_end_matches('(').trim_end();
            return format!("A parenthesis cannot follow \"{word}\".");
        }
        _ if secret => return format!("Expected {}.", expected.trim_end_matches(',')),
        Token::Text(_) => return format!("Expected {expected} before a string."),
        Token::Name(word) | Token::Call(word) | Token::Number(word) | Token::Param(word) => word,
        Token::Comma => ",",
        Token::Semicolon => ";",
        Token::Unknown => lexer.unknown(),
    };
    format!("Expected {expected} before \"{}\".", shown(word))
}

/// The same where SQL cannot be read on.
pub(super) fn broken(what: Broken, lexer: &Lexer<'_>, secret: bool) -> String {
    let kind = match what {
        Broken::End => return at_the_end("\";\"", lexer),
        Broken::Character if secret => return "Expected \";\".".to_owned(),
        Broken::Character => {
            let found = shown(lexer.unknown());
            return format!("The character \"{found}\" cannot stand here.");
        }
        Broken::Comment(line) => return unterminated("comment", line),
        Broken::String(line) => ("quoted string", line),
        Broken::Identifier(line) => ("quoted identifier", line),
        Broken::Dollar(line) => ("dollar-quoted string", line),
    };
    unterminated(kind.0, kind.1)
}

/// Whether a keyword stands in the place of a called function's name.
fn names_statement(call: &str, expected: &str) -> bool {
    let name = call.trim_end_matches('(').trim_end();
    Keyword::of_call(call).is_some() || expected == STATEMENT && name.eq_ignore_ascii_case(EXECUTE)
}

fn at_the_end(expected: &str, lexer: &Lexer<'_>) -> String {
    match lexer.open_comment() {
        Some(line) => unterminated("comment", line),
        None => format!("Expected {expected} at the end of the body."),
    }
}

fn unterminated(what: &str, line: u32) -> String {
    format!("The {what} that begins at line {line} has no end.")
}

/// A token as a message shows it.
fn shown(token: &str) -> String {
    let mut text = String::new();
    for (i, c) in token.chars().enumerate() {
        if i == SHOWN {
            text.push('…');
            break;
        }
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests;
