//! The differences that are meant: entries of the file `allowed`, and the matching of a found difference against them.
//!
//! An entry is a paragraph of `key: value` lines:
//!
//! ```text
//! id: nested-call             what it is called in reports
//! row: a call from inside …   the line of the README's table of differences that it shows, if any
//! where: 18-*                 the files in which it may be seen; default: any
//! statement: *by_place*       the statements; default: any
//! c: ERROR: …                 lines that only the C handler gives, in order
//! ours: 1                     lines that only ours gives, in order
//! why: …                      the reason
//! ```
//! In patterns `*` stands for any text within a line, `{a}` for a text that is the same wherever it stands. A difference is explained only as a whole: each of its lines is a
//! line of an entry.

use std::cell::Cell;

/// One entry of the file.
#[derive(Default)]
pub struct Entry {
    pub id: String,
    pub row: Option<String>,
    pub line: usize,
    places: String,
    statement: Option<String>,
    c: Vec<String>,
    ours: Vec<String>,
    why: bool,
    /// How often it was needed.
    pub uses: Cell<usize>,
}

/// Reads the file; tells what is wrong with it.
pub fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    let mut current = Entry::default();
    for (number, line) in text.lines().chain([""]).enumerate() {
        if line.is_empty() {
            if !current.id.is_empty() {
                entries.push(finished(std::mem::take(&mut current))?);
            }
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let number = number + 1;
        let (key, value) = line
            .split_once(':')
            .ok_or(format!("allowed, line {number}: no key"))?;
        // One blank after the colon; more belong to the pattern.
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match key {
            "id" => (current.id, current.line) = (value, number),
            "row" => current.row = Some(value),
            "where" => current.places = value,
            "statement" => current.statement = Some(value),
            "c" => current.c.push(value),
            "ours" => current.ours.push(value),
            "why" => current.why = true,
            _ => return Err(format!("allowed, line {number}: unknown key {key}")),
        }
    }
    Ok(entries)
}

fn finished(entry: Entry) -> Result<Entry, String> {
    let lacks = if !entry.why {
        "no reason"
    } else if entry.c.is_empty() && entry.ours.is_empty() {
        "no difference"
    } else if entry
        .c
        .iter()
        .chain(&entry.ours)
        .any(|pattern| pattern == "*")
    {
        "a pattern that fits every line"
    } else {
        return Ok(entry);
    };
    Err(format!(
        "allowed, line {}: {} has {lacks}",
        entry.line, entry.id
    ))
}

impl Entry {
    /// Whether it is for files of this kind alone.
    pub fn is_for(&self, name: &str) -> bool {
        self.places.starts_with(name)
    }

    fn applies(&self, file: &str, statement: &str) -> bool {
        (self.places.is_empty() || fits(&self.places, file))
            && self
                .statement
                .as_ref()
                .is_none_or(|pattern| fits(pattern, statement))
    }

    /// Whether the entry's lines stand at the beginning of the difference.
    fn begins(&self, c: &[String], ours: &[String]) -> bool {
        let leads = |patterns: &[String], lines: &[String], bindings: Bindings| {
            if patterns.len() > lines.len() {
                return None;
            }
            patterns
                .iter()
                .zip(lines)
                .try_fold(bindings, |bindings, (pattern, line)| {
                    bound(pattern, line, &bindings)
                })
        };
        leads(&self.c, c, Bindings::new())
            .and_then(|bindings| leads(&self.ours, ours, bindings))
            .is_some()
    }
}

/// The entries that together explain one difference, if there are such.
pub fn explain<'a>(
    entries: &'a [Entry],
    file: &str,
    statement: &str,
    c: &[String],
    ours: &[String],
) -> Option<Vec<&'a Entry>> {
    if c.is_empty() && ours.is_empty() {
        return Some(Vec::new());
    }
    entries
        .iter()
        .filter(|entry| entry.applies(file, statement) && entry.begins(c, ours))
        .find_map(|entry| {
            let mut others = explain(
                entries,
                file,
                statement,
                c.get(entry.c.len()..)?,
                ours.get(entry.ours.len()..)?,
            )?;
            others.push(entry);
            Some(others)
        })
}

/// What `{a}`, `{b}` … stood for.
type Bindings = Vec<(char, String)>;

/// Whether a pattern fits a whole line: `*` stands for any text, `{a}` for a text that is the same wherever it stands in
/// the entry.
pub fn fits(pattern: &str, text: &str) -> bool {
    bound(pattern, text, &Bindings::new()).is_some()
}

/// The same with what earlier lines have bound; adds what this line binds.
fn bound(pattern: &str, text: &str, bindings: &Bindings) -> Option<Bindings> {
    let mut chars = pattern.chars();
    let Some(first) = chars.next() else {
        return text.is_empty().then(|| bindings.clone());
    };
    let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    if first == '*' {
        return ends.find_map(|end| bound(chars.as_str(), text.get(end..)?, bindings));
    }
    if let Some((name, after)) = variable(pattern) {
        if let Some((_, value)) = bindings.iter().find(|(known, _)| *known == name) {
            return bound(after, text.strip_prefix(value.as_str())?, bindings);
        }
        return ends.find_map(|end| {
            let mut bindings = bindings.clone();
            bindings.push((name, text.get(..end)?.to_owned()));
            bound(after, text.get(end..)?, &bindings)
        });
    }
    bound(chars.as_str(), text.strip_prefix(first)?, bindings)
}

/// A variable at the pattern's beginning, and what follows it.
fn variable(pattern: &str) -> Option<(char, &str)> {
    let rest = pattern.strip_prefix('{')?;
    let name = rest.chars().next().filter(char::is_ascii_lowercase)?;
    Some((name, rest.get(1..)?.strip_prefix('}')?))
}

#[cfg(test)]
mod tests {
    use super::{explain, fits, parse};

    #[test]
    fn patterns() {
        fn check(pattern: &str, text: &str, expected: bool) {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
        check("abc", "abc", true);
        check("abc", "abcd", false);
        check("a*c", "ac", true);
        check("a*c", "abbc", true);
        check("a*b*c", "a c", false);
        check("*b*", "abc", true);
        check("ab*ba", "aba", false);
        check("{a} {a}", "x x", true);
        check("{a} {a}", "x y", false);
        check("{a}{b}c", "xc", true);
        check("{1}", "{1}", true);
    }

    #[test]
    fn a_difference_is_explained_as_a_whole() {
        let entries = parse("id: a\nc: x*\nwhy: w\n\nid: b\nwhere: 1*\nc: y\nours: z\nwhy: w\n")
            .unwrap_or_default();
        let check = |file: &str, c: &[&str], ours: &[&str], expected: Option<&[&str]>| {
            let lines = |of: &[&str]| of.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
            let found = explain(&entries, file, "", &lines(c), &lines(ours)).map(|found| {
                found
                    .iter()
                    .map(|entry| entry.id.as_str())
                    .collect::<Vec<_>>()
            });
            assert_eq!(found.as_deref(), expected, "{c:?} {ours:?}");
        };
        check("1", &["x1"], &[], Some(&["a"]));
        check("1", &["x1", "y"], &["z"], Some(&["b", "a"]));
        check("1", &["x1", "y"], &[], None);
        check("1", &["x1"], &["z"], None);
        check("2", &["y"], &["z"], None);
    }

    #[test]
    fn entries_that_say_too_little_are_refused() {
        assert!(parse("id: a\nc: x\n").is_err());
        assert!(parse("id: a\nc: *\nwhy: w\n").is_err());
        assert!(parse("id: a\nwhy: w\n").is_err());
        assert!(parse("id: a\nelse: w\n").is_err());
    }
}
