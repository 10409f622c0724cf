//! The table of keywords in docs/connections.md is the table that the code goes by.

use std::path::Path;

use plproxy_core::conninfo::{KEYWORDS, State};

/// What stands between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_keyword_is_documented() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/connections.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let names = |row: &Vec<&str>| quoted(row[0]).concat();
    let documented: Vec<String> = rows.iter().map(names).collect();
    let known: Vec<&str> = KEYWORDS.iter().map(|keyword| keyword.name).collect();
    assert_eq!(documented, known, "the keywords, in libpq's order");

    for (keyword, row) in KEYWORDS.iter().zip(&rows) {
        let name = keyword.name;
        assert_eq!(row.len(), 5, "{name}");
        let state = match keyword.state {
            State::Honoured => "honoured",
            State::Ignored => "no effect",
            State::Refused(_) => "refused",
        };
        assert_eq!(row[1], state, "{name}");
        let defaults = quoted(row[2]);
        let variables: Vec<&str> = defaults
            .iter()
            .copied()
            .filter(|text| text.starts_with("PG"))
            .collect();
        assert_eq!(variables, Vec::from_iter(keyword.env), "{name}: variable");
        if let Some(default) = keyword.default.filter(|text| !text.is_empty()) {
            assert!(defaults.contains(&default), "{name}: default");
        }
        assert!(!row[3].is_empty() && !quoted(row[4]).is_empty(), "{name}");
    }
}
