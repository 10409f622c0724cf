//! Quoting of identifiers and literals for SQL text, by PostgreSQL's rules.

use std::borrow::Cow;

/// Every keyword of PostgreSQL 13 to 19 that is not unreserved, in byte order: the ones `quote_ident()` quotes.
/// The remote server may be newer than the local one, so one list serves all.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "between",
    "bigint", "binary", "bit", "boolean", "both", "case", "cast", "char", "character", "check", "coalesce",
    "collate", "collation", "column", "concurrently", "constraint", "create", "cross", "current_catalog",
    "current_date", "current_role", "current_schema", "current_time", "current_timestamp", "current_user",
    "dec", "decimal", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "exists",
    "extract", "false", "fetch", "float", "for", "foreign", "freeze", "from", "full", "grant", "greatest",
    "group", "grouping", "having", "ilike", "in", "initially", "inner", "inout", "int", "integer", "intersect",
    "interval", "into", "is", "isnull", "join", "json", "json_array", "json_arrayagg", "json_exists",
    "json_object", "json_objectagg", "json_query", "json_scalar", "json_serialize", "json_table", "json_value",
    "lateral", "leading", "least", "left", "like", "limit", "localtime", "localtimestamp", "merge_action",
    "national", "natural", "nchar", "none", "normalize", "not", "notnull", "null", "nullif", "numeric",
    "offset", "on", "only", "or", "order", "out", "outer", "overlaps", "overlay", "placing", "position",
    "precision", "primary", "real", "references", "returning", "right", "row", "select", "session_user",
    "setof", "similar", "smallint", "some", "substring", "symmetric", "system_user", "table", "tablesample",
    "then", "time", "timestamp", "to", "trailing", "treat", "trim", "true", "union", "unique", "user", "using",
    "values", "varchar", "variadic", "verbose", "when", "where", "window", "with", "xmlattributes", "xmlconcat",
    "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize",
    "xmltable",
];

/// `name` as it must stand in SQL: as it is where that is safe, else in double quotes.
pub fn quote_ident(name: &str) -> Cow<'_, str> {
    if is_plain(name) && KEYWORDS.binary_search(&name).is_err() {
        return Cow::Borrowed(name);
    }
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for c in name.chars() {
        if c == '"' {
            quoted.push('"');
        }
        quoted.push(c);
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

/// Only lower-case ASCII letters, digits and underscores, no digit first: what the server would fold to itself.
fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// `text` as a string literal that reads the same whatever `standard_conforming_strings` says.
pub fn quote_literal(text: &str) -> String {
    let escape = text.contains('\\');
    let mut quoted = String::with_capacity(text.len() + 3);
    quoted.push_str(if escape { "E'" } else { "'" });
    for c in text.chars() {
        if c == '\'' || c == '\\' {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

/// The names of a list, as settings have them: separated by commas, with quotes around what is not to be folded to lower case. `None`
/// if it is no such list.
pub fn split_list(list: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = list.trim();
    while !rest.is_empty() {
        let mut name = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            loop {
                let (text, after) = rest.split_once('"')?;
                name.push_str(text);
                rest = after;
                let Some(after) = rest.strip_prefix('"') else {
                    break;
                };
                name.push('"');
                rest = after;
            }
            rest = rest.trim_start();
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (text, after) = rest.split_at(end);
            name = text.trim_end().to_ascii_lowercase();
            rest = after;
            if name.contains(|c: char| c == '"' || c.is_whitespace()) {
                return None;
            }
        }
        if name.is_empty() {
            return None;
        }
        names.push(name);
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start();
            if rest.is_empty() {
                return None;
            }
        } else if !rest.is_empty() {
            return None;
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted() {
        assert!(KEYWORDS.is_sorted());
        assert!(KEYWORDS.len() > 150);
    }

    #[test]
    fn lists() {
        let split = |list| split_list(list).map(|names| names.join("|"));
        for (list, expected) in [
            ("", Some("")),
            ("app", Some("app")),
            (" App , other", Some("app|other")),
            ("\"My, \"\"App\"\"\" ,b", Some("My, \"App\"|b")),
            ("a,", None),
            ("a,,b", None),
            (",a", None),
            ("a b", None),
            ("\"a", None),
            ("\"\"", None),
            ("\"a\" b", None),
            ("a\"b\"", None),
        ] {
            assert_eq!(split(list).as_deref(), expected, "{list}");
        }
    }

    #[test]
    fn identifiers() {
        for (name, expected) in [
            ("a", "a"),
            ("_a1", "_a1"),
            ("A", "\"A\""),
            ("1a", "\"1a\""),
            ("a b", "\"a b\""),
            ("a$", "\"a$\""),
            ("a\"b", "\"a\"\"b\""),
            ("é", "\"é\""),
            ("", "\"\""),
            ("select", "\"select\""),
            ("numeric", "\"numeric\""),
            ("varchar", "\"varchar\""),
            ("left", "\"left\""),
            ("json_table", "\"json_table\""),
            ("system_user", "\"system_user\""),
            ("name", "name"),
            ("text", "text"),
            ("int4", "int4"),
        ] {
            assert_eq!(quote_ident(name), expected, "{name}");
        }
    }

    #[test]
    fn literals() {
        for (text, expected) in [
            ("", "''"),
            ("a", "'a'"),
            ("it's", "'it''s'"),
            ("a\\b", "E'a\\\\b'"),
            ("\\'", "E'\\\\'''"),
            ("é\n", "'é\n'"),
        ] {
            assert_eq!(quote_literal(text), expected, "{text}");
        }
    }
}
