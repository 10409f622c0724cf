//! The keyword/value form: `host=a port=5432 password='it\'s'`.

use super::error::ConnInfoError;
use super::keywords::Keyword;
use super::mask::{self, HIDDEN};
use super::params::Params;

/// What C's `isspace` takes for white space.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

/// Reads the keyword/value form.
pub(super) fn parse(connstr: &str) -> Result<Params, ConnInfoError> {
    let mut params = Params::default();
    let mut after_secret = false;
    let mut rest = connstr.trim_start_matches(is_space);
    while !rest.is_empty() {
        let end = rest.find(|c| c == '=' || is_space(c)).unwrap_or(rest.len());
        let (name, tail) = rest.split_at(end);
        let Some(tail) = tail.trim_start_matches(is_space).strip_prefix('=') else {
            return Err(ConnInfoError::missing_equals(mask::name(
                name,
                after_secret,
            )));
        };
        let (value, tail) = value(tail.trim_start_matches(is_space))?;
        if name != "requiressl" && Keyword::find(name).is_none() {
            return Err(ConnInfoError::unknown_option(mask::name(
                name,
                after_secret,
            )));
        }
        after_secret |= Keyword::find(name).is_some_and(|keyword| keyword.secret);
        // A quote in the wrong place, and there was one in what it took for a value.
        after_secret |= mask::shown(&value) == HIDDEN;
        params.set(name, value);
        rest = tail.trim_start_matches(is_space);
    }
    Ok(params)
}

/// One value and what follows it. A backslash takes the next character as it is, in quotes or not, and one at the very
/// end stands for nothing.
fn value(text: &str) -> Result<(String, &str), ConnInfoError> {
    let quoted = text.strip_prefix('\'');
    let mut chars = quoted.unwrap_or(text).chars();
    let mut value = String::new();
    loop {
        let rest = chars.as_str();
        match chars.next() {
            None if quoted.is_some() => return Err(ConnInfoError::unterminated_quote()),
            None => return Ok((value, rest)),
            // No white space is needed after it: the next keyword may follow at once.
            Some('\'') if quoted.is_some() => return Ok((value, chars.as_str())),
            Some(c) if quoted.is_none() && is_space(c) => return Ok((value, rest)),
            Some('\\') => value.extend(chars.next()),
            Some(c) => value.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(connstr: &str, expected: Result<&[(&str, &str)], &str>) {
        let result = parse(connstr);
        let found = match &result {
            Ok(params) => Ok(params.iter().collect::<Vec<_>>()),
            Err(error) => Err(error.to_string()),
        };
        assert_eq!(
            found,
            expected.map(<[_]>::to_vec).map_err(str::to_owned),
            "{connstr}"
        );
    }

    #[test]
    fn values_are_read() {
        check("", Ok(&[]));
        check(" \t\n", Ok(&[]));
        check("host=a port=1", Ok(&[("host", "a"), ("port", "1")]));
        check(
            " host = a\n\tport\x0b=\x0c1\r",
            Ok(&[("host", "a"), ("port", "1")]),
        );
        check("host=a host=b", Ok(&[("host", "a"), ("host", "b")]));
        check("dbname=", Ok(&[("dbname", "")]));
        check("dbname= user=x", Ok(&[("dbname", "user=x")]));
        check("dbname=''", Ok(&[("dbname", "")]));
        check(
            "dbname='a b'port=1",
            Ok(&[("dbname", "a b"), ("port", "1")]),
        );
        check(
            r"dbname='it\'s' user=a\ b\\",
            Ok(&[("dbname", "it's"), ("user", r"a b\")]),
        );
        check(r"dbname=a\", Ok(&[("dbname", "a")]));
        check("dbname=it's", Ok(&[("dbname", "it's")]));
        check("dbname=a=b", Ok(&[("dbname", "a=b")]));
        check("dbname=ä\u{a0}b", Ok(&[("dbname", "ä\u{a0}b")]));
        check("requiressl=1", Ok(&[("sslmode", "require")]));
        check("requiressl=0", Ok(&[("sslmode", "prefer")]));
    }

    #[test]
    fn errors_are_libpqs() {
        check(
            "host",
            Err("missing \"=\" after \"host\" in connection info string"),
        );
        check(
            "host a=b",
            Err("missing \"=\" after \"host\" in connection info string"),
        );
        check(
            "host= a b",
            Err("missing \"=\" after \"b\" in connection info string"),
        );
        check(
            "host='a",
            Err("unterminated quoted string in connection info string"),
        );
        check(
            r"host='a\'",
            Err("unterminated quoted string in connection info string"),
        );
        check(
            r"host='a\",
            Err("unterminated quoted string in connection info string"),
        );
        check("hosst=a", Err("invalid connection option \"hosst\""));
        check("Host=a", Err("invalid connection option \"Host\""));
        check("=a", Err("invalid connection option \"\""));
        check(
            "hosst='a",
            Err("unterminated quoted string in connection info string"),
        );
    }

    #[test]
    fn what_may_be_a_password_is_masked() {
        check(
            "password=my secret",
            Err("missing \"=\" after \"***\" in connection info string"),
        );
        check(
            "password=my secret=1",
            Err("invalid connection option \"***\""),
        );
        check(
            "postgre://u:p@h/d",
            Err("missing \"=\" after \"***\" in connection info string"),
        );
    }
}
