//! Writing values so that a parser reads them back.

/// `value` as it must stand after `keyword=` in a connection string.
pub fn quote_value(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@,+".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('\'');
    for c in value.chars() {
        if matches!(c, '\'' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_where_needed() {
        let check = |value: &str, expected: &str| assert_eq!(quote_value(value), expected);
        check("", "''");
        check("plain", "plain");
        check("/var/run/postgresql", "/var/run/postgresql");
        check("a b", "'a b'");
        check("it's", r"'it\'s'");
        check(r"back\slash", r"'back\\slash'");
        check("a=b", "'a=b'");
        check("ä", "'ä'");
    }
}
