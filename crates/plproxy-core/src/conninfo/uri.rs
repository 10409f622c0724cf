//! The URI form: `postgresql://user:password@host:port,host2/dbname?keyword=value`.
//!
//! Read by libpq's rules, not RFC 3986's: where they differ, strings in use depend on the former.

use super::error::ConnInfoError;
use super::key_value::is_space;
use super::keywords::{Keyword, Values};
use super::mask::{self, HIDDEN};
use super::params::Params;

/// What follows the scheme, if `connstr` is a URI.
pub(super) fn strip_scheme(connstr: &str) -> Option<&str> {
    connstr
        .strip_prefix("postgresql://")
        .or_else(|| connstr.strip_prefix("postgres://"))
}

/// Reads a URI. `rest` is what [`strip_scheme`] gave.
pub(super) fn parse(uri: &str, rest: &str) -> Result<Params, ConnInfoError> {
    let mut reader = Reader {
        uri,
        params: Params::default(),
        after_secret: false,
    };
    reader.params.uri = true;
    let rest = reader.credentials(rest)?;
    // An `@` further on, or a port that is no number, means a password that was not encoded and so was cut in pieces.
    reader.params.suspicious = rest.contains('@');
    let rest = reader.hosts(rest)?;
    let query = match rest.strip_prefix('/') {
        Some(rest) => {
            let (dbname, query) = cut(rest, &['?']);
            reader.params.mangled |= dbname.contains('@');
            reader.store("dbname", dbname)?;
            query
        }
        None => rest,
    };
    if let Some(query) = query.strip_prefix('?') {
        reader.query(query)?;
    }
    Ok(reader.params)
}

/// Splits before the first of `marks`, which stays in front of the second part.
fn cut<'a>(text: &'a str, marks: &[char]) -> (&'a str, &'a str) {
    text.split_at(text.find(marks).unwrap_or(text.len()))
}

struct Reader<'a> {
    uri: &'a str,
    params: Params,
    /// A password has been read: what follows may be a piece of it.
    after_secret: bool,
}

impl Reader<'_> {
    /// Takes `user:password@`, if there is an `@` before the first slash, and gives what follows.
    fn credentials<'t>(&mut self, text: &'t str) -> Result<&'t str, ConnInfoError> {
        let (front, tail) = cut(text, &['@', '/']);
        let Some(rest) = tail.strip_prefix('@') else {
            return Ok(text);
        };
        let (user, password) = match front.split_once(':') {
            Some((user, password)) => (user, password),
            None => (front, ""),
        };
        self.store("user", user)?;
        self.after_secret = !password.is_empty();
        self.store("password", password)?;
        Ok(rest)
    }

    /// Takes the list of hosts and ports.
    fn hosts<'t>(&mut self, mut text: &'t str) -> Result<&'t str, ConnInfoError> {
        let mut hosts = String::new();
        let mut ports = String::new();
        loop {
            let (host, mut rest) = match text.strip_prefix('[') {
                Some(inner) => self.bracketed(inner)?,
                None => cut(text, &[':', '/', '?', ',']),
            };
            hosts.push_str(host);
            if let Some(after) = rest.strip_prefix(':') {
                let (port, after) = cut(after, &['/', '?', ',']);
                ports.push_str(port);
                rest = after;
            }
            match rest.strip_prefix(',') {
                Some(next) => text = next,
                None => {
                    text = rest;
                    break;
                }
            }
            hosts.push(',');
            ports.push(',');
        }
        self.params.suspicious |= !ports.bytes().all(|b| b.is_ascii_digit() || b == b',');
        self.params.doubtful_hosts = hosts.contains('@');
        self.store("host", &hosts)?;
        self.store("port", &ports)?;
        Ok(text)
    }

    /// An address in brackets; the opening one is gone already.
    fn bracketed<'t>(&self, inner: &'t str) -> Result<(&'t str, &'t str), ConnInfoError> {
        let shown = || mask::uri(self.uri);
        let Some((host, rest)) = inner.split_once(']') else {
            return Err(ConnInfoError::new(format!(
                "end of string reached when looking for matching \"]\" in IPv6 host address in URI: \"{}\"",
                shown()
            )));
        };
        if host.is_empty() {
            return Err(ConnInfoError::new(format!(
                "IPv6 host address may not be empty in URI: \"{}\"",
                shown()
            )));
        }
        match rest.chars().next() {
            Some(c) if !matches!(c, ':' | '/' | '?' | ',') => Err(ConnInfoError::new(format!(
                "unexpected character \"{}\" at position {} in URI (expected \":\" or \"/\"): \"{}\"",
                if self.params.suspicious {
                    HIDDEN.to_owned()
                } else {
                    c.to_string()
                },
                self.uri.len() - rest.len() + 1,
                shown()
            ))),
            _ => Ok((host, rest)),
        }
    }

    /// Takes `keyword=value&…` to the end.
    fn query(&mut self, query: &str) -> Result<(), ConnInfoError> {
        let mut rest = query;
        while !rest.is_empty() {
            let (pair, next) = rest.split_once('&').unwrap_or((rest, ""));
            self.parameter(pair)?;
            rest = next;
        }
        Ok(())
    }

    fn parameter(&mut self, pair: &str) -> Result<(), ConnInfoError> {
        let Some((raw_name, raw_value)) = pair.split_once('=') else {
            return Err(ConnInfoError::new(format!(
                "missing key/value separator \"=\" in URI query parameter: \"{}\"",
                self.name(pair)
            )));
        };
        if raw_value.contains('=') {
            return Err(ConnInfoError::new(format!(
                "extra key/value separator \"=\" in URI query parameter: \"{}\"",
                self.name(raw_name)
            )));
        }
        let name = decode(raw_name, |text| self.name(text))?;
        let keyword = Keyword::find(&name);
        // Set before the value is decoded, as that can fail.
        self.after_secret |= keyword.is_some_and(|keyword| keyword.secret);
        let known = keyword.is_some() || name == "requiressl" || name == "ssl";
        let value = decode(
            raw_value,
            |text| if known { self.value(text) } else { HIDDEN },
        )?;
        // Nothing but names and secrets has one: where it stands there was a password before it.
        let number = |keyword: &Keyword| {
            ["port", "hostaddr", "dbname"].contains(&keyword.name) || keyword.values != Values::Free
        };
        self.params.mangled |= raw_value.contains('@') && keyword.is_some_and(number);
        match (name.as_str(), value.as_str()) {
            ("ssl", "true") => self.params.set("sslmode", "require"),
            (name, _) if keyword.is_some() || name == "requiressl" => self.params.set(name, value),
            (name, _) => {
                return Err(ConnInfoError::new(format!(
                    "invalid URI query parameter: \"{}\"",
                    self.name(name)
                )));
            }
        }
        Ok(())
    }

    /// Keeps a part that is not empty.
    fn store(&mut self, name: &str, raw: &str) -> Result<(), ConnInfoError> {
        if !raw.is_empty() {
            let value = decode(raw, |text| self.value(text))?;
            self.params.set(name, value);
        }
        Ok(())
    }

    fn name<'t>(&self, text: &'t str) -> &'t str {
        mask::name(text, self.after_secret || self.params.suspicious)
    }

    fn value<'t>(&self, text: &'t str) -> &'t str {
        if self.after_secret || self.params.suspicious {
            HIDDEN
        } else {
            mask::value(text, &[])
        }
    }
}

/// Undoes percent-encoding. `show` says how much of the text a message may have. Spaces around are dropped and spaces
/// within refused, as since PostgreSQL 18.
fn decode<'t>(raw: &'t str, show: impl Fn(&'t str) -> &'t str) -> Result<String, ConnInfoError> {
    let text = raw.trim_start_matches(' ');
    let end = text.find(is_space).unwrap_or(text.len());
    let (text, tail) = text.split_at(end);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
        match (digit(), digit()) {
            (Some(0), Some(0)) => {
                return Err(ConnInfoError::new(format!(
                    "forbidden value %00 in percent-encoded value: \"{}\"",
                    show(raw)
                )));
            }
            // Two hexadecimal digits fill a byte and no more.
            (Some(high), Some(low)) => bytes.push((high << 4 | low) as u8),
            _ => {
                return Err(ConnInfoError::new(format!(
                    "invalid percent-encoded token: \"{}\"",
                    show(raw)
                )));
            }
        }
    }
    if !tail.trim_start_matches(' ').is_empty() {
        return Err(ConnInfoError::new(format!(
            "unexpected spaces found in \"{}\", use percent-encoded spaces (%20) instead",
            show(raw)
        )));
    }
    String::from_utf8(bytes).map_err(|_| {
        ConnInfoError::new(format!(
            "percent-encoded value is not UTF-8: \"{}\"",
            show(raw)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, expected: Result<&str, &str>) {
        let rest = strip_scheme(uri).unwrap();
        let found = parse(uri, rest)
            .map_err(|error| error.to_string())
            .map(|params| {
                params
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect::<Vec<_>>()
                    .join(" ")
            });
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{uri}");
    }

    #[test]
    fn schemes() {
        assert_eq!(strip_scheme("postgres://x"), Some("x"));
        assert_eq!(strip_scheme("postgresql://x"), Some("x"));
        assert_eq!(strip_scheme("Postgresql://x"), None);
        assert_eq!(strip_scheme(" postgresql://x"), None);
    }

    #[test]
    fn parts_are_found() {
        check("postgresql://", Ok(""));
        check("postgres://h", Ok("host=h"));
        check(
            "postgresql://u:p@h:1/d",
            Ok("user=u password=p host=h port=1 dbname=d"),
        );
        check("postgresql://u@", Ok("user=u"));
        check("postgresql://:p@h", Ok("password=p host=h"));
        check("postgresql://u:p:q@h", Ok("user=u password=p:q host=h"));
        check("postgresql:///d", Ok("dbname=d"));
        check("postgresql:///d/e", Ok("dbname=d/e"));
        check("postgresql://h/", Ok("host=h"));
        check("postgresql://a:1,b:2/d", Ok("host=a,b port=1,2 dbname=d"));
        check("postgresql://a,b", Ok("host=a,b port=,"));
        check(
            "postgresql://[::1]:5433,[fe80::2]/",
            Ok("host=::1,fe80::2 port=5433,"),
        );
        check("postgresql:///d?host=/tmp", Ok("dbname=d host=/tmp"));
        check("postgresql://%2Ftmp/d", Ok("host=/tmp dbname=d"));
        check("postgresql://h?user=u", Ok("host=h user=u"));
        check("postgresql://h?user=a@b", Ok("user=h?user=a host=b"));
        check(
            "postgresql://u%3a:p%40%2f@h",
            Ok("user=u: password=p@/ host=h"),
        );
        check("postgresql:///?ssl=true", Ok("sslmode=require"));
        check("postgresql:///?requiressl=1", Ok("sslmode=require"));
        check("postgresql:///?%68ost=h&port=1&", Ok("host=h port=1"));
        check("postgresql:///?application_name=", Ok("application_name="));
        check("postgresql:///d%20e", Ok("dbname=d e"));
        check("postgresql:/// d ?port= 1 ", Ok("dbname=d port=1"));
        check("postgresql:///%C3%A4ä", Ok("dbname=ää"));
    }

    #[test]
    fn errors_are_libpqs() {
        let end =
            "end of string reached when looking for matching \"]\" in IPv6 host address in URI: ";
        check(
            "postgresql://[::1",
            Err(&format!("{end}\"postgresql://[::1\"")),
        );
        check(
            "postgresql://[]",
            Err("IPv6 host address may not be empty in URI: \"postgresql://[]\""),
        );
        check(
            "postgresql://[::1]x",
            Err(
                "unexpected character \"x\" at position 19 in URI (expected \":\" or \"/\"): \"postgresql://[::1]x\"",
            ),
        );
        check(
            "postgresql:///?a",
            Err("missing key/value separator \"=\" in URI query parameter: \"a\""),
        );
        check(
            "postgresql:///?&",
            Err("missing key/value separator \"=\" in URI query parameter: \"\""),
        );
        check(
            "postgresql:///?a=b=c",
            Err("extra key/value separator \"=\" in URI query parameter: \"a\""),
        );
        check(
            "postgresql:///?a=b",
            Err("invalid URI query parameter: \"a\""),
        );
        check(
            "postgresql:///?ssl=false",
            Err("invalid URI query parameter: \"ssl\""),
        );
        check(
            "postgresql:///d%",
            Err("invalid percent-encoded token: \"d%\""),
        );
        check(
            "postgresql:///d%2",
            Err("invalid percent-encoded token: \"d%2\""),
        );
        check(
            "postgresql:///d%xx",
            Err("invalid percent-encoded token: \"d%xx\""),
        );
        check(
            "postgresql:///d%00",
            Err("forbidden value %00 in percent-encoded value: \"d%00\""),
        );
        check(
            "postgresql:///%ff",
            Err("percent-encoded value is not UTF-8: \"%ff\""),
        );
        check(
            "postgresql:///d e",
            Err("unexpected spaces found in \"d e\", use percent-encoded spaces (%20) instead"),
        );
    }

    #[test]
    fn what_may_be_a_password_is_masked() {
        check(
            "postgresql://u:p%zz@h/d",
            Err("invalid percent-encoded token: \"***\""),
        );
        check(
            "postgresql://u:p@q%zz",
            Err("invalid percent-encoded token: \"***\""),
        );
        check(
            "postgresql://u:p/q%zz@h",
            Err("invalid percent-encoded token: \"***\""),
        );
        check(
            "postgresql://u:p@[]",
            Err("IPv6 host address may not be empty in URI: \"postgresql://***@[]\""),
        );
        check(
            "postgresql://[::1]x/@",
            Err(
                "unexpected character \"***\" at position 19 in URI (expected \":\" or \"/\"): \"postgresql://***@\"",
            ),
        );
        check(
            "postgresql:///?password=%zz",
            Err("invalid percent-encoded token: \"***\""),
        );
        check(
            "postgresql:///?passwd=p%zz",
            Err("invalid percent-encoded token: \"***\""),
        );
        check(
            "postgresql:///?password=p&q=r",
            Err("invalid URI query parameter: \"***\""),
        );
        check(
            "postgresql:///?password=p&q",
            Err("missing key/value separator \"=\" in URI query parameter: \"***\""),
        );
    }
}
