//! What can go wrong with a connection string, in libpq's words. Callers pass values through `mask` first.

use std::fmt;

use crate::room::NoRoom;

/// Why a connection string cannot be used. Its text is fit for any log: it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnInfoError {
    message: String,
}

impl ConnInfoError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }

    pub(super) fn missing_equals(name: &str) -> Self {
        Self::new(format!(
            "missing \"=\" after \"{name}\" in connection info string"
        ))
    }

    pub(super) fn unterminated_quote() -> Self {
        Self::new("unterminated quoted string in connection info string")
    }

    pub(super) fn unknown_option(name: &str) -> Self {
        Self::new(format!("invalid connection option \"{name}\""))
    }

    pub(super) fn invalid_integer(keyword: &str, value: &str) -> Self {
        Self::new(format!(
            "invalid integer value \"{value}\" for connection option \"{keyword}\""
        ))
    }

    pub(super) fn invalid_value(keyword: &str, value: &str) -> Self {
        Self::new(format!("invalid {keyword} value: \"{value}\""))
    }

    pub(super) fn unsupported_option(keyword: &str) -> Self {
        Self::new(format!("connection option \"{keyword}\" is not supported"))
    }

    pub(super) fn unsupported_value(keyword: &str, value: &str) -> Self {
        Self::new(format!("{keyword} value \"{value}\" is not supported"))
    }
}

impl fmt::Display for ConnInfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConnInfoError {}

impl From<NoRoom> for ConnInfoError {
    fn from(error: NoRoom) -> Self {
        Self::new(error.to_string())
    }
}

/// Something that libpq would print and then go on, such as a password file that others can read. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(String);

impl Warning {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
