//! From the text of a setting to its value, and the check of every setting against the table of keywords.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::ConnInfoError;
use super::key_value::is_space;
use super::keywords::{KEYWORDS, Keyword, State, Values};
use super::mask::{self, HIDDEN};
use super::require_auth::{AuthMethod, RequireAuth};

/// One value per keyword: written, from the service file, from the environment or the default.
#[derive(Default)]
pub(super) struct Settings {
    values: BTreeMap<&'static str, String>,
    /// Show no value in any message.
    pub(super) suspicious: bool,
    /// See [`Params`](super::params::Params).
    pub(super) mangled: bool,
    pub(super) uri: bool,
    pub(super) doubtful_hosts: bool,
}

impl Settings {
    /// Sets or replaces a value.
    pub(super) fn put(&mut self, name: &'static str, value: impl Into<String>) {
        self.values.insert(name, value.into());
    }

    /// Whether a value is there, be it an empty one.
    pub(super) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The value; an empty one counts as given.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The value, if it is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|value| !value.is_empty())
    }

    /// The same, as a value of its own.
    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// `value`, or as much of it as may stand in a message.
    pub(super) fn show<'a>(&self, value: &'a str) -> &'a str {
        let secrets: Vec<&str> = KEYWORDS
            .iter()
            .filter(|keyword| keyword.secret)
            .filter_map(|keyword| self.get(keyword.name))
            .collect();
        if self.suspicious {
            HIDDEN
        } else {
            mask::value(value, &secrets)
        }
    }

    /// A whole number, by `strtol`'s rules: white space around and a sign are fine.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i32>, ConnInfoError> {
        self.given(name)
            .map(|value| self.parse_integer(name, value))
            .transpose()
    }

    /// The same for a piece of a value.
    pub(super) fn parse_integer(&self, name: &str, value: &str) -> Result<i32, ConnInfoError> {
        value
            .trim_matches(is_space)
            .parse()
            .map_err(|_| ConnInfoError::invalid_integer(name, self.show(value)))
    }

    /// A whole number above zero; others leave the system's setting.
    pub(super) fn positive(&self, name: &str) -> Result<Option<u32>, ConnInfoError> {
        Ok(self
            .integer(name)?
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| *number > 0))
    }

    /// The same in seconds.
    pub(super) fn seconds(&self, name: &str) -> Result<Option<Duration>, ConnInfoError> {
        Ok(self
            .positive(name)?
            .map(|seconds| Duration::from_secs(seconds.into())))
    }

    /// Looks every value up in the table of keywords.
    pub(super) fn check(&self) -> Result<(), ConnInfoError> {
        KEYWORDS
            .iter()
            .try_for_each(|keyword| match self.given(keyword.name) {
                Some(value) => self.check_one(keyword, value),
                None => Ok(()),
            })
    }

    fn check_one(&self, keyword: &Keyword, value: &str) -> Result<(), ConnInfoError> {
        let valid = match keyword.values {
            Values::Free | Values::Integer => true,
            Values::OneOf(values) => values.contains(&value),
            Values::OneOfAnyCase(values) => {
                values.iter().any(|known| known.eq_ignore_ascii_case(value))
            }
        };
        if !valid {
            return Err(ConnInfoError::invalid_value(keyword.name, self.show(value)));
        }
        match keyword.state {
            State::Refused(tolerated)
                if !tolerated
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(value)) =>
            {
                if matches!(keyword.values, Values::Free) {
                    return Err(ConnInfoError::unsupported_option(keyword.name));
                }
                Err(ConnInfoError::unsupported_value(keyword.name, value))
            }
            _ => Ok(()),
        }
    }

    /// `require_auth`: a list of methods, or of methods with `!` before each.
    pub(super) fn require_auth(&self) -> Result<RequireAuth, ConnInfoError> {
        let Some(list) = self.get("require_auth") else {
            return Ok(RequireAuth::Any);
        };
        let mut methods = Vec::new();
        let mut negative = None;
        for item in list.split(',') {
            let (name, negated) = match item.strip_prefix('!') {
                Some(name) => (name, true),
                None => (item, false),
            };
            if *negative.get_or_insert(negated) != negated {
                return Err(ConnInfoError::new(if negated {
                    format!(
                        "negative require_auth method \"{}\" cannot be mixed with non-negative methods",
                        self.show(item)
                    )
                } else {
                    format!(
                        "require_auth method \"{}\" cannot be mixed with negative methods",
                        self.show(item)
                    )
                }));
            }
            let method = AuthMethod::named(name)
                .ok_or_else(|| ConnInfoError::invalid_value("require_auth", self.show(name)))?;
            if methods.contains(&method) {
                return Err(ConnInfoError::new(format!(
                    "require_auth method \"{}\" is specified more than once",
                    self.show(item)
                )));
            }
            methods.push(method);
        }
        Ok(match negative {
            Some(true) => RequireAuth::NoneOf(methods),
            _ => RequireAuth::OneOf(methods),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn require_auth_lists() {
        use AuthMethod::{Gss, Md5, None as NoAuth, Password, ScramSha256};
        let check = |value: &str, expected: Result<RequireAuth, &str>| {
            let mut settings = Settings::default();
            settings.put("require_auth", value);
            let found = settings.require_auth().map_err(|error| error.to_string());
            if let Ok(list) = &found {
                assert_eq!(list.to_string(), value);
            }
            assert_eq!(found, expected.map_err(str::to_owned), "{value}");
        };
        check("", Ok(RequireAuth::Any));
        check("scram-sha-256", Ok(RequireAuth::OneOf(vec![ScramSha256])));
        check("none,gss", Ok(RequireAuth::OneOf(vec![NoAuth, Gss])));
        check(
            "!password,!md5",
            Ok(RequireAuth::NoneOf(vec![Password, Md5])),
        );
        check("x", Err("invalid require_auth value: \"x\""));
        check("md5,", Err("invalid require_auth value: \"\""));
        check("!!md5", Err("invalid require_auth value: \"!md5\""));
        check(
            "md5,md5",
            Err("require_auth method \"md5\" is specified more than once"),
        );
        check(
            "!md5,!md5",
            Err("require_auth method \"!md5\" is specified more than once"),
        );
        check(
            "!md5,gss",
            Err("require_auth method \"gss\" cannot be mixed with negative methods"),
        );
        check(
            "gss,!md5",
            Err("negative require_auth method \"!md5\" cannot be mixed with non-negative methods"),
        );
    }

    #[test]
    fn require_auth_decides() {
        let check =
            |rule: RequireAuth, expected: bool| assert_eq!(rule.allows(AuthMethod::Md5), expected);
        check(RequireAuth::Any, true);
        check(RequireAuth::OneOf(vec![AuthMethod::Md5]), true);
        check(RequireAuth::OneOf(vec![AuthMethod::Gss]), false);
        check(RequireAuth::NoneOf(vec![AuthMethod::Md5]), false);
        check(RequireAuth::NoneOf(vec![AuthMethod::Gss]), true);
    }
}
