//! The raw content of a connection string: keywords and values in the order written.

use std::fmt;

use super::keywords::{KEYWORDS, Keyword};
use super::mask::HIDDEN;

/// Keywords and values as written, in order; where one is given twice, the later wins. No defaults yet.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params {
    entries: Vec<(String, String)>,
    /// The string is likely to be a mangled one, with a piece of the password in a wrong place: show no value at all.
    pub(super) suspicious: bool,
    /// It surely is one, by what stands behind host and port: these are pieces of the password, too, and so may the database
    /// be.
    pub(super) mangled: bool,
    /// It is a URI, whose parts may fall where they do not belong.
    pub(super) uri: bool,
    /// There is an `@` among the hosts, which was not encoded: they are not shown, and the database behind them is.
    pub(super) doubtful_hosts: bool,
}

impl Params {
    /// The value of `keyword`, if given.
    pub fn get(&self, keyword: &str) -> Option<&str> {
        self.iter()
            .rfind(|(name, _)| *name == keyword)
            .map(|(_, value)| value)
    }

    /// Adds a value, which wins over an earlier one. That the keyword exists is checked by `resolve`.
    pub fn set(&mut self, keyword: &str, value: impl Into<String>) {
        let value = value.into();
        // Still understood by libpq, though never listed.
        let (keyword, value) = match keyword {
            "requiressl" if value.starts_with('1') => ("sslmode", "require".to_owned()),
            "requiressl" => ("sslmode", "prefer".to_owned()),
            _ => (keyword, value),
        };
        self.entries.push((keyword.to_owned(), value));
    }

    /// The name of the database as a message may show it, or else that of the user.
    pub fn label<'a>(&'a self, user: &'a str) -> &'a str {
        label(self.get("dbname").unwrap_or(user), self.mangled)
    }

    /// A keyword that is given and names a file of this machine, if there is one.
    pub fn names_file(&self) -> Option<&'static str> {
        let named = |keyword: &&Keyword| match self.get(keyword.name) {
            None | Some("") => false,
            // The system's authorities are no file of anybody's choosing.
            Some(value) => (keyword.name, value) != ("sslrootcert", "system"),
        };
        let mut files = KEYWORDS.iter().filter(|keyword| keyword.file);
        files.find(named).map(|keyword| keyword.name)
    }

    /// All that was given, in order, with what a later one overrides.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A database's name as a message may show it. A password that was not encoded makes a URI's parts fall where they do not
/// belong, so what is no plain name is not shown.
pub(super) fn label(dbname: &str, mangled: bool) -> &str {
    if mangled || dbname.contains(['@', ':', '/', '=']) {
        HIDDEN
    } else {
        dbname
    }
}

/// Shows the keywords only: a value can be a secret under any name.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    #[test]
    fn files_are_seen() {
        let check = |connstr: &str, expected: Option<&str>| {
            let params = parse(connstr).unwrap();
            assert_eq!(params.names_file(), expected, "{connstr}");
        };
        check("host=/tmp dbname=d user=u password=p", None);
        check("host=h passfile=/p", Some("passfile"));
        check("host=h passfile=/p passfile=''", None);
        check("passfile='' passfile=/p", Some("passfile"));
        check("service=s", Some("service"));
        check("sslrootcert=system", None);
        check("sslrootcert=/r", Some("sslrootcert"));
        check("sslcert=system", Some("sslcert"));
        check("sslkey=k", Some("sslkey"));
        check("sslcrl=l", Some("sslcrl"));
        check("sslcrldir=d", Some("sslcrldir"));
        check("sslkeylogfile=k", Some("sslkeylogfile"));
        check("postgresql://u@h/d?sslkey=%2Fk", Some("sslkey"));
    }

    /// A keyword of libpq that sounds like a file is one here.
    #[test]
    fn what_sounds_like_a_file_is_one() {
        for keyword in KEYWORDS {
            let file = ["file", "cert", "crl", "service"]
                .iter()
                .any(|word| keyword.name.contains(word) && keyword.name != "sslcertmode");
            assert_eq!(
                keyword.file,
                file || keyword.name == "sslkey",
                "{}",
                keyword.name
            );
        }
    }
}
