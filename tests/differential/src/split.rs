//! Cuts a psql script into its statements, as psql itself would, and puts a mark before each.

/// A line of the marked script that tells which statement follows.
pub const MARK: &str = "@@";
/// What follows the number where the statement is the check that the session still works.
pub const PROBE: &str = "alive";

/// Where the cutting is, between two characters.
enum Inside {
    Sql,
    /// A quoted string or identifier; whether a backslash escapes.
    Quoted(char, bool),
    Dollar(String),
    LineComment,
    BlockComment,
}

/// The statements of a script, comments included, each with its `;` or as one line with a psql command.
pub fn statements(script: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current = String::new();
    let mut inside = Inside::Sql;
    let mut depth = 0usize;
    let mut rest = script;
    while let Some(next) = rest.chars().next() {
        let mut taken = next.len_utf8();
        match &inside {
            Inside::Sql => match next {
                '\'' => inside = Inside::Quoted('\'', current.ends_with(['e', 'E'])),
                '"' => inside = Inside::Quoted('"', false),
                '$' => {
                    if let Some(tag) = dollar_tag(rest, &current) {
                        taken = tag.len();
                        inside = Inside::Dollar(tag);
                    }
                }
                '-' if rest.starts_with("--") => inside = Inside::LineComment,
                '/' if rest.starts_with("/*") => inside = Inside::BlockComment,
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                // A psql command, alone or at the end of a query, takes the rest of its line.
                '\\' => taken = rest.find('\n').map_or(rest.len(), |end| end + 1),
                _ => {}
            },
            Inside::Quoted(_, true) if next == '\\' => {
                taken += rest.chars().nth(1).map_or(0, char::len_utf8)
            }
            Inside::Quoted(quote, _) if next == *quote => inside = Inside::Sql,
            Inside::Dollar(tag) if rest.starts_with(tag.as_str()) => {
                taken = tag.len();
                inside = Inside::Sql;
            }
            Inside::LineComment if next == '\n' => inside = Inside::Sql,
            Inside::BlockComment if rest.starts_with("*/") => {
                taken = 2;
                inside = Inside::Sql;
            }
            _ => {}
        }
        let (piece, after) = rest.split_at(taken);
        current.push_str(piece);
        rest = after;
        let ends = matches!(inside, Inside::Sql) && (next == '\\' || (next == ';' && depth == 0));
        if ends {
            found.push(std::mem::take(&mut current).trim().to_owned());
            depth = 0;
        }
    }
    let left = current.trim();
    if left.lines().any(|line| !line.starts_with("--")) {
        found.push(left.to_owned());
    }
    found
}

/// The opening `$tag$`, unless the dollar belongs to an identifier or a parameter.
fn dollar_tag(rest: &str, before: &str) -> Option<String> {
    if before.ends_with(|last: char| last.is_alphanumeric() || last == '_') {
        return None;
    }
    let end = rest.get(1..)?.find('$')? + 1;
    let tag = rest.get(1..end)?;
    let fits = !tag.starts_with(|first: char| first.is_ascii_digit())
        && tag
            .chars()
            .all(|part| part.is_alphanumeric() || part == '_');
    fits.then(|| format!("${tag}$"))
}

/// The script with a mark before each statement, and after each that fails a call which shows that the session lives.
pub fn marked(script: &str) -> String {
    let mut out = String::new();
    for (number, statement) in statements(script).iter().enumerate() {
        out.push_str(&format!("\\echo {MARK} {number}\n{statement}\n"));
        if !statement.starts_with('\\') {
            out.push_str(&format!(
                "\\if :ERROR\n\\echo {MARK} {number} {PROBE}\nselect d_probe.alive();\n\\endif\n"
            ));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::statements;

    fn check(script: &str, expected: &[&str]) {
        assert_eq!(statements(script), expected, "{script}");
    }

    #[test]
    fn cuts_where_psql_cuts() {
        check("select 1; select 2;", &["select 1;", "select 2;"]);
        check(
            "select ';', \";\", E'\\';', $$;$$, $a$;$$;$a$;",
            &["select ';', \";\", E'\\';', $$;$$, $a$;$$;$a$;"],
        );
        check("-- a;\nselect /* ; */ 1;", &["-- a;\nselect /* ; */ 1;"]);
        check(
            "\\set a b;\nselect 1 as a \\gset\nselect (1;2);",
            &["\\set a b;", "select 1 as a \\gset", "select (1;2);"],
        );
        check("select $1 || '$' || a$b$;", &["select $1 || '$' || a$b$;"]);
        check("-- only a comment\n", &[]);
    }
}
