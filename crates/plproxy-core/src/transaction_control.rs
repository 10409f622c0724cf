//! Whether a statement controls a transaction, told by the words that it begins with.
//!
//! What a statement is depends on who reads it: on the version of its grammar, and inside of it on settings such as
//! `standard_conforming_strings`. What stands before its first word does not: white space and comments are the same in every
//! version and under every setting, and a keyword is never written in another way than by its letters. So of a text in which a server
//! reads one statement, whatever server that is, these words tell.

/// What begins, ends or otherwise controls a transaction, and nothing else, in any version of PostgreSQL.
const WORDS: [&str; 8] = [
    "abort",
    "begin",
    "commit",
    "end",
    "release",
    "rollback",
    "savepoint",
    "start",
];

/// Whether the statement that a server may read in `text` controls a transaction. Empty statements before it do not count.
pub fn controls_transaction(text: &str) -> bool {
    let (first, rest) = word(text);
    // PREPARE begins two statements.
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(first))
        || first.eq_ignore_ascii_case("prepare") && word(rest).0.eq_ignore_ascii_case("transaction")
}

/// The first word, empty if something else comes first, and what stands behind it.
fn word(text: &str) -> (&str, &str) {
    let text = skip(text);
    let is_of_word =
        |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '$') || !char.is_ascii();
    let end = text.find(|char| !is_of_word(char)).unwrap_or(text.len());
    text.split_at(end)
}

/// What is behind white space, comments and semicolons.
fn skip(mut text: &str) -> &str {
    loop {
        // The vertical tab is white space from 16 on, and an error before.
        let rest = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c', ';']);
        text = if let Some(comment) = rest.strip_prefix("--") {
            comment.trim_start_matches(|char| !matches!(char, '\n' | '\r'))
        } else if rest.starts_with("/*") {
            behind_comment(rest)
        } else {
            return rest;
        };
    }
}

/// What is behind a comment of this form, which may hold others; nothing if it does not end.
fn behind_comment(text: &str) -> &str {
    let mut depth = 0_usize;
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix("/*") {
            (depth, rest) = (depth + 1, inner);
        } else if let Some(outer) = rest.strip_prefix("*/") {
            (depth, rest) = (depth - 1, outer);
            if depth == 0 {
                return rest;
            }
        } else {
            let mut chars = rest.chars();
            let _ = chars.next();
            rest = chars.as_str();
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::controls_transaction;

    #[test]
    fn statements_that_control_transactions_are_known() {
        for text in [
            "commit",
            "COMMIT AND CHAIN",
            " \t\r\n\x0c Begin",
            ";;\n; end",
            "-- a comment\rabort",
            "--\n--\n/* /* nested */ -- */ rollback to savepoint s",
            "/**/savepoint s",
            "release s",
            "start/**/transaction",
            "prepare transaction 'x'",
            "prepare--\n/*-*/TRANSACTION 'x'",
            "commit;",
            "commit prepared 'x'",
            "rollback\u{b} prepared 'x'",
        ] {
            assert!(controls_transaction(text), "{text:?}");
        }
    }

    #[test]
    fn others_are_left_alone() {
        for text in [
            "",
            ";",
            "-- commit",
            "/* commit",
            "/* /* */ commit */",
            "select 'x'; commit",
            "commits",
            "commit_",
            "\"commit\"",
            "'commit'",
            "commit\u{e4}",
            "(select 1)",
            "prepare transactions as select 1",
            "prepare s as select 1",
            "prepare",
            "set transaction read only",
            "\u{a0}commit",
        ] {
            assert!(!controls_transaction(text), "{text:?}");
        }
    }
}
