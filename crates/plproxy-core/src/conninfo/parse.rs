//! A connection string in either form: keywords and values, or a URI.

use super::error::ConnInfoError;
use super::params::Params;
use super::{key_value, uri};

/// Reads a connection string in either form. Only the form is checked, and that all keywords exist.
pub fn parse(connstr: &str) -> Result<Params, ConnInfoError> {
    if connstr.contains('\0') {
        return Err(ConnInfoError::new(
            "connection info string contains a zero byte",
        ));
    }
    match uri::strip_scheme(connstr) {
        Some(rest) => uri::parse(connstr, rest),
        None => key_value::parse(connstr),
    }
}
