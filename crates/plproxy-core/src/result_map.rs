//! Which column of a remote result becomes which column of ours, where a body's `SELECT` decides both.
//!
//! To be asked only when a row has arrived: a result without rows may have any columns.

use crate::ident::quote_ident;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// Why a remote result does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapError {
    /// Fewer columns than ours.
    TooFew,
    /// More columns than ours.
    TooMany,
    /// No column of this name.
    Missing(String),
    /// Not one column, for a function that returns one value or none.
    NotSingle,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew => f.write_str("Got too few fields from remote end"),
            Self::TooMany => f.write_str("Got too many fields from remote end"),
            Self::Missing(name) => write!(f, "Field {name} does not exists in result"),
            Self::NotSingle => f.write_str("single field function but got record"),
        }
    }
}

impl std::error::Error for MapError {}

/// For each of our columns the index of the remote column: the one at the same place if the names agree, else the
/// first of that name. Names agree only if they are the same, in case too. Remote names are bytes, as a server may send
/// some that are no text here.
pub fn map<L: AsRef<str>, R: AsRef<[u8]>>(
    local: &[L],
    remote: &[R],
) -> Result<Vec<usize>, MapError> {
    if remote.len() < local.len() {
        return Err(MapError::TooFew);
    }
    if remote.len() > local.len() {
        return Err(MapError::TooMany);
    }
    // Made when a name is not at its place.
    let mut places: Option<HashMap<&[u8], usize>> = None;
    local
        .iter()
        .zip(remote)
        .enumerate()
        .map(|(i, (ours, theirs))| {
            let ours = ours.as_ref();
            if theirs.as_ref() == ours.as_bytes() {
                return Ok(i);
            }
            let places = places.get_or_insert_with(|| {
                let names = remote.iter().enumerate();
                // The last one that is put in stays.
                names.rev().map(|(i, name)| (name.as_ref(), i)).collect()
            });
            let place = places.get(ours.as_bytes()).copied();
            place.ok_or_else(|| MapError::Missing(ours.to_owned()))
        })
        .collect()
}

/// Names are shown up to so many.
const SHOWN: usize = 50;

/// Both sides' columns, for the detail of a message; `None`: the function returns one value, or none.
pub fn describe<L: AsRef<str>, R: AsRef<[u8]>>(local: Option<&[L]>, remote: &[R]) -> String {
    let columns = |names: Vec<String>| {
        let count = names.len();
        let mut list = names.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
        if count > SHOWN {
            list.push_str(", …");
        }
        match count {
            0 => "no columns".to_owned(),
            1 => format!("1 column ({list})"),
            _ => format!("{count} columns ({list})"),
        }
    };
    let remote = remote.iter().map(|name| {
        let name = String::from_utf8_lossy(name.as_ref());
        quote_ident(&name).into_owned()
    });
    let remote = columns(remote.collect());
    let local = match local {
        Some(local) => {
            let names = local.iter().map(|name| quote_ident(name.as_ref()));
            columns(names.map(Cow::into_owned).collect())
        }
        None => "one value".to_owned(),
    };
    format!("The remote query returns {remote}, the function {local}.")
}

/// A function that returns one value, or `void`, takes one column of whatever name.
pub fn single(remote_columns: usize) -> Result<(), MapError> {
    if remote_columns == 1 {
        Ok(())
    } else {
        Err(MapError::NotSingle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn columns_are_found_by_place_and_by_name() {
        let missing = |name: &str| Err(MapError::Missing(name.to_owned()));
        for (local, remote, expected) in [
            ("a b c", "a b c", Ok(vec![0, 1, 2])),
            ("a b c", "c b a", Ok(vec![2, 1, 0])),
            ("a b c", "b c a", Ok(vec![2, 0, 1])),
            ("A a", "a A", Ok(vec![1, 0])),
            ("a", "a", Ok(vec![0])),
            ("", "", Ok(vec![])),
            ("a b", "a", Err(MapError::TooFew)),
            ("a b", "x", Err(MapError::TooFew)),
            ("a b", "a b c", Err(MapError::TooMany)),
            ("a b", "a d", missing("b")),
            ("a b", "a a", missing("b")),
            ("a b", "A b", missing("a")),
        ] {
            let local: Vec<&str> = local.split_whitespace().collect();
            let remote: Vec<&str> = remote.split_whitespace().collect();
            assert_eq!(map(&local, &remote), expected, "{local:?} {remote:?}");
        }
    }

    #[test]
    fn both_sides_are_described() {
        let none: Option<&[&str]> = None;
        for (found, expected) in [
            (
                describe(Some(&["a", "B"]), &["a", "b c", "x"]),
                "The remote query returns 3 columns (a, \"b c\", x), the function 2 columns (a, \"B\").",
            ),
            (
                describe(Some(&["a"]), &[""; 0]),
                "The remote query returns no columns, the function 1 column (a).",
            ),
            (
                describe(none, &[&b"\xff"[..], b"?column?"]),
                "The remote query returns 2 columns (\"\u{fffd}\", \"?column?\"), the function one value.",
            ),
        ] {
            assert_eq!(found, expected);
        }
        let many: Vec<String> = (0..1600).map(|i| format!("c{i}")).collect();
        let found = describe(none, &many);
        assert!(
            found.contains("1600 columns (c0, c1, ") && found.contains("c49, …)"),
            "{found}"
        );
    }

    /// A name that counts how often it was looked at.
    struct Counted<'a>(String, &'a Cell<usize>);

    impl AsRef<[u8]> for Counted<'_> {
        fn as_ref(&self) -> &[u8] {
            self.1.set(self.1.get() + 1);
            self.0.as_bytes()
        }
    }

    #[test]
    fn each_name_is_looked_at_twice_at_most() {
        let looked_at = Cell::new(0);
        let names: Vec<String> = (0..1600).map(|i| format!("c{i}")).collect();
        let counted = |name: &String| Counted(name.clone(), &looked_at);
        let remote: Vec<Counted<'_>> = names.iter().rev().map(counted).collect();
        let found = map(&names, &remote);
        assert!(found.is_ok_and(|places| places.iter().copied().eq((0..1600).rev())));
        assert!(looked_at.get() <= 2 * names.len(), "{}", looked_at.get());
    }

    #[test]
    fn messages() {
        for (error, expected) in [
            (
                map(&["a"], &[""; 0]).err(),
                "Got too few fields from remote end",
            ),
            (
                map(&[""; 0], &["a"]).err(),
                "Got too many fields from remote end",
            ),
            (
                map(&["a"], &["b"]).err(),
                "Field a does not exists in result",
            ),
            (single(0).err(), "single field function but got record"),
            (single(2).err(), "single field function but got record"),
        ] {
            assert_eq!(error.map(|e| e.to_string()).as_deref(), Some(expected));
        }
        assert_eq!(single(1), Ok(()));
    }
}
