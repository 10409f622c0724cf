//! Compares what the two handlers said, statement by statement.

use crate::allowed::{Entry, explain};
use crate::split::{MARK, PROBE};
use std::collections::BTreeMap;

/// What was found in all files so far.
#[derive(Default)]
pub struct Findings {
    pub compared: usize,
    pub equal: usize,
    pub allowed: usize,
    /// Statements that fail on our side.
    pub failing: usize,
    /// Failing statements after which ours answered the next call.
    pub alive: usize,
    /// What is wrong, ready to be shown.
    pub unexplained: Vec<String>,
}

/// A statement's number, and whether it is the check after it.
type Place = (usize, bool);
type Answers = BTreeMap<Place, Vec<String>>;

impl Findings {
    /// Compares one file's outputs.
    pub fn add(
        &mut self,
        file: &str,
        statements: &[String],
        c: &[u8],
        ours: &[u8],
        entries: &[Entry],
    ) {
        let (c, ours) = (answers(c), answers(ours));
        for (number, statement) in statements.iter().enumerate() {
            self.compared += 1;
            let found = self.alive(file, number, &ours);
            let judged = [false, true]
                .map(|probe| judge(file, statement, (number, probe), &c, &ours, entries));
            let mut used = Vec::new();
            let mut unexplained: Vec<String> = found.into_iter().collect();
            for judgement in judged {
                match judgement {
                    Ok(entries) => used.extend(entries),
                    Err(difference) => unexplained.push(difference),
                }
            }
            if !unexplained.is_empty() {
                self.unexplained.push(format!(
                    "{file}, statement {number}:\n{statement}\n{}",
                    unexplained.join("\n")
                ));
            } else if used.is_empty() {
                self.equal += 1;
            } else {
                self.allowed += 1;
                used.iter()
                    .for_each(|entry| entry.uses.set(entry.uses.get() + 1));
            }
        }
    }

    /// The call after a failing statement must work on our side, but in a transaction that the failure has ended.
    fn alive(&mut self, file: &str, number: usize, ours: &Answers) -> Option<String> {
        let probe = ours.get(&(number, true))?;
        self.failing += 1;
        let works = probe
            .iter()
            .any(|line| line == "42" || line.starts_with("ERROR:  25P02:"));
        if works {
            self.alive += 1;
            return None;
        }
        Some(format!(
            "{file}: after this our session is not usable:\n{}",
            probe.join("\n")
        ))
    }
}

/// The entries that explain the differences of one statement, or the first difference that nothing explains.
fn judge<'a>(
    file: &str,
    statement: &str,
    place: Place,
    c: &Answers,
    ours: &Answers,
    entries: &'a [Entry],
) -> Result<Vec<&'a Entry>, String> {
    // Where only one side failed, that is the difference, and not that only it was asked whether it lives.
    if place.1 && !(c.contains_key(&place) && ours.contains_key(&place)) {
        return Ok(Vec::new());
    }
    let missing = Vec::new();
    let c = c.get(&place).unwrap_or(&missing);
    let ours = ours.get(&place).unwrap_or(&missing);
    let mut used = Vec::new();
    for (only_c, only_ours) in differences(c, ours) {
        match explain(entries, file, statement, &only_c, &only_ours) {
            Some(found) => used.extend(found),
            None => {
                let lines = |sign: &str, lines: &[String]| {
                    lines
                        .iter()
                        .map(|line| format!("{sign}{line}\n"))
                        .collect::<String>()
                };
                return Err(format!(
                    "{}{}",
                    lines("  C:    ", &only_c),
                    lines("  ours: ", &only_ours)
                ));
            }
        }
    }
    Ok(used)
}

/// The output cut at the marks.
fn answers(output: &[u8]) -> Answers {
    let mut answers = Answers::new();
    let mut place = None;
    for line in output.split(|byte| *byte == b'\n') {
        let line = readable(line);
        if let Some(found) = mark(&line) {
            answers.insert(found, Vec::new());
            place = Some(found);
        } else if line.starts_with("LOCATION:  ") {
            // The source files of two programs.
        } else if let Some(lines) = place.and_then(|place| answers.get_mut(&place)) {
            lines.push(line);
        }
    }
    // The newline before a mark ends the line before it; at the end of the output there is one empty line more.
    if let Some(last) = place.and_then(|place| answers.get_mut(&place)) {
        last.pop();
    }
    answers
}

fn mark(line: &str) -> Option<Place> {
    let mut words = line.strip_prefix(MARK)?.strip_prefix(' ')?.split(' ');
    let number = words.next()?.parse().ok()?;
    match words.next() {
        None => Some((number, false)),
        Some(word) => (word == PROBE).then_some((number, true)),
    }
}

/// A line as text: bytes that are no UTF-8 stay distinct.
fn readable(line: &[u8]) -> String {
    match str::from_utf8(line) {
        Ok(line) => line.to_owned(),
        Err(_) => line.escape_ascii().to_string(),
    }
}

/// The stretches in which two outputs differ: the lines that only the first has, and those that only the second has.
fn differences(c: &[String], ours: &[String]) -> Vec<(Vec<String>, Vec<String>)> {
    // What both have at the beginning and at the end needs no table.
    let lead = c.iter().zip(ours).take_while(|(a, b)| a == b).count();
    let (c, ours) = (
        c.get(lead..).unwrap_or_default(),
        ours.get(lead..).unwrap_or_default(),
    );
    let tail = c
        .iter()
        .rev()
        .zip(ours.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (c, ours) = (
        c.get(..c.len() - tail).unwrap_or_default(),
        ours.get(..ours.len() - tail).unwrap_or_default(),
    );

    // The longest common subsequence of the rest.
    let width = ours.len() + 1;
    let mut longest = vec![0usize; (c.len() + 1) * width];
    let at =
        |table: &[usize], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or_default();
    for (i, a) in c.iter().enumerate().rev() {
        for (j, b) in ours.iter().enumerate().rev() {
            let value = if a == b {
                at(&longest, i + 1, j + 1) + 1
            } else {
                at(&longest, i + 1, j).max(at(&longest, i, j + 1))
            };
            if let Some(slot) = longest.get_mut(i * width + j) {
                *slot = value;
            }
        }
    }
    let mut found = Vec::new();
    let mut hunk = (Vec::new(), Vec::new());
    let (mut i, mut j) = (0, 0);
    loop {
        match (c.get(i), ours.get(j)) {
            (Some(a), Some(b)) if a == b => {
                found.push(std::mem::take(&mut hunk));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), b) if b.is_none() || at(&longest, i + 1, j) >= at(&longest, i, j + 1) => {
                hunk.0.push(a.clone());
                i += 1;
            }
            (_, Some(b)) => {
                hunk.1.push(b.clone());
                j += 1;
            }
            (_, None) => break,
        }
    }
    found.push(hunk);
    found.retain(|(only_c, only_ours)| !only_c.is_empty() || !only_ours.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::{Findings, differences};
    use crate::allowed::parse;

    #[test]
    fn stretches() {
        fn check(c: &str, ours: &str, expected: &[(&str, &str)]) {
            let lines = |text: &str| {
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            let found = differences(&lines(c), &lines(ours));
            let expected: Vec<_> = expected
                .iter()
                .map(|(c, ours)| (lines(c), lines(ours)))
                .collect();
            assert_eq!(found, expected, "{c} / {ours}");
        }
        check("a b c", "a b c", &[]);
        check("a b c", "a x c", &[("b", "x")]);
        check("n a b", "a b", &[("n", "")]);
        check("a b c d", "a x c y d", &[("b", "x"), ("", "y")]);
        check("", "a", &[("", "a")]);
    }

    #[test]
    fn counts() {
        let entries = parse("id: a\nc: old\nours: new\nwhy: w\n").unwrap_or_default();
        let check = |c: &str, ours: &str, expected: [usize; 5]| {
            let mut findings = Findings::default();
            findings.add(
                "f",
                &["select 1;".to_owned()],
                c.as_bytes(),
                ours.as_bytes(),
                &entries,
            );
            let found = [
                findings.equal,
                findings.allowed,
                findings.unexplained.len(),
                findings.failing,
                findings.alive,
            ];
            assert_eq!(found, expected, "{c} / {ours}");
        };
        check("@@ 0\na\n", "@@ 0\na\n", [1, 0, 0, 0, 0]);
        check("@@ 0\na\n", "@@ 0\nb\n", [0, 0, 1, 0, 0]);
        check("@@ 0\nold\n", "@@ 0\nnew\n", [0, 1, 0, 0, 0]);
        check(
            "@@ 0\nERROR:  1\n@@ 0 alive\n42\n",
            "@@ 0\nERROR:  1\n@@ 0 alive\n42\n",
            [1, 0, 0, 1, 1],
        );
        check(
            "@@ 0\nERROR:  1\n@@ 0 alive\nx\n",
            "@@ 0\nERROR:  1\n@@ 0 alive\nx\n",
            [0, 0, 1, 1, 0],
        );
        check(
            "@@ 0\nERROR:  1\nLOCATION:  a.c:1\n@@ 0 alive\n42\n",
            "@@ 0\nERROR:  1\nLOCATION:  b.rs:2\n@@ 0 alive\n42\n",
            [1, 0, 0, 1, 1],
        );
        check("@@ 0\na\n", "", [0, 0, 1, 0, 0]);
    }
}
