//! What of a connection string may be shown in a message.
//!
//! libpq quotes the offending piece. A piece can be part of a password, when someone forgot to quote or to encode it,
//! so it is shown only where that cannot be, and as `***` otherwise.

use super::keywords::KEYWORDS;

/// Stands for whatever must not be seen.
pub(super) const HIDDEN: &str = "***";

/// A value that is in use, such as the name of a file or a user, as a message may show it: not where a quote in the wrong
/// place had it swallow what follows, with a password among that.
pub fn shown(text: &str) -> &str {
    let swallows = |keyword: &str| {
        let rests = text.split(keyword).skip(1);
        rests
            .into_iter()
            .any(|rest| rest.trim_start().starts_with(['=', ':']))
    };
    let hidden = text.contains("://")
        || KEYWORDS
            .iter()
            .any(|keyword| keyword.secret && swallows(keyword.name));
    if hidden { HIDDEN } else { text }
}

/// Whether a text looks like a host's name or address. What does not may be a piece of a password that a URI's parser has taken
/// for one.
pub(super) fn is_host(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_alphanumeric() || ".-_:%".contains(c))
}

/// A name found where a keyword should be. After a password, a stray word may be the rest of it, unless it is all but a
/// keyword; and what does not look like a keyword may be anything, such as a URI with a misspelt scheme.
pub(super) fn name(text: &str, after_secret: bool) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let harmless = if after_secret {
        text.len() >= 4 && KEYWORDS.iter().any(|keyword| one_slip(text, keyword.name))
    } else {
        text.len() <= 63 && text.chars().all(plain)
    };
    if harmless { text } else { HIDDEN }
}

/// Whether two words are the same but for one slip: a letter too many or too few, another letter, two letters swapped.
/// Capitals count as no slip.
fn one_slip(a: &str, b: &str) -> bool {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let (Some((x, rest_a)), Some((y, rest_b))) = (a.split_first(), b.split_first())
        && x == y
    {
        (a, b) = (rest_a, rest_b);
    }
    while let (Some((x, rest_a)), Some((y, rest_b))) = (a.split_last(), b.split_last())
        && x == y
    {
        (a, b) = (rest_a, rest_b);
    }
    match (a, b) {
        ([] | [_], [] | [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

/// A value that is not what its keyword wants. One that looks like a piece of a connection string, or in which one of
/// `secrets` appears, is not shown.
pub(super) fn value<'a>(text: &'a str, secrets: &[&str]) -> &'a str {
    let tell_tale = text.contains(['=', '@']) || text.len() > 255;
    let leaks = secrets
        .iter()
        .any(|secret| !secret.is_empty() && text.contains(secret));
    if tell_tale || leaks { HIDDEN } else { text }
}

/// A whole URI, without the user, the password, the query, and all behind what no host and no database has in it: that may be
/// pairs of the other form.
pub(super) fn uri(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None => return HIDDEN.to_owned(),
    };
    // The last `@`: an unencoded one in the password ends the user part too early for the parser.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((_, rest)) => ("***@", rest),
        None => ("", rest),
    };
    let end = rest.find(|c: char| "?&=".contains(c) || c.is_whitespace());
    match end.and_then(|end| rest.split_at_checked(end)) {
        Some((rest, query)) if query.starts_with('?') => {
            format!("{scheme}://{user}{rest}?{HIDDEN}")
        }
        Some((rest, _)) => format!("{scheme}://{user}{rest}{HIDDEN}"),
        None => format!("{scheme}://{user}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check =
            |text, after_secret, expected: &str| assert_eq!(name(text, after_secret), expected);
        check("hosst", false, "hosst");
        check("", false, "");
        check("hosst", true, "hosst");
        check("Host", true, "Host");
        check("sslmdoe", true, "sslmdoe");
        check("passwordd", true, "passwordd");
        check("sslmode2x", true, HIDDEN);
        check("hunter2", true, HIDDEN);
        check("x", true, HIDDEN);
        check("", true, HIDDEN);
        check("postgre://u:p@h/d?sslmode", false, HIDDEN);
        check("password:x", false, HIDDEN);
    }

    #[test]
    fn what_swallows_a_password_is_hidden() {
        let check = |text, expected: &str| assert_eq!(shown(text), expected);
        check("joe", "joe");
        check("me@server", "me@server");
        check("a=b", "a=b");
        check("password", "password");
        check("/etc/passwords/x", "/etc/passwords/x");
        check("joe password=x", HIDDEN);
        check("/x\tpassword = x", HIDDEN);
        check("password:x", HIDDEN);
        check("joe sslpassword=x", HIDDEN);
        check("password password=x", HIDDEN);
        check("postgresql://u:x@h", HIDDEN);
    }

    #[test]
    fn values() {
        let check =
            |text, secrets: &[&str], expected: &str| assert_eq!(value(text, secrets), expected);
        check("54x", &[], "54x");
        check("54x", &[""], "54x");
        check("54 password=x", &[], HIDDEN);
        check("me@x", &[], HIDDEN);
        check("54hunter2", &["hunter2"], HIDDEN);
    }

    #[test]
    fn uris() {
        let check = |text, expected: &str| assert_eq!(uri(text), expected);
        check("postgresql://[::1", "postgresql://[::1");
        check("postgresql://u:p@[::1", "postgresql://***@[::1");
        check("postgresql://u:p@q@[::1", "postgresql://***@[::1");
        check("postgresql://[]/d?password=x", "postgresql://[]/d?***");
        check("postgresql://[::1 password=x", "postgresql://[::1***");
        check("postgresql://[::1&password=x", "postgresql://[::1***");
        check("postgresql://[a password=x?b", "postgresql://[a***");
    }
}
