//! Options as PostgreSQL has them, and what is wrong with them.

use std::fmt;

/// An option with its value, if it has one.
pub type Options = [(String, Option<String>)];

/// A mistake in options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionError {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
    /// The SQLSTATE to raise it with.
    pub sqlstate: &'static str,
    /// The message stands behind the prefix that names the calling function.
    pub in_function: bool,
}

impl OptionError {
    pub(super) fn plain(message: String) -> Self {
        Self {
            message,
            hint: None,
            sqlstate: "XX000",
            in_function: false,
        }
    }

    pub(super) fn in_function(message: impl Into<String>) -> Self {
        Self {
            in_function: true,
            ..Self::plain(message.into())
        }
    }

    pub(super) fn syntax(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            sqlstate: "42601",
            ..Self::plain(message.into())
        }
    }

    pub(super) fn without_value(key: &str) -> Self {
        Self::plain(format!("Pl/Proxy: option \"{key}\" requires a value"))
    }
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for OptionError {}
