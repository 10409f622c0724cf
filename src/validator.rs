//! What `CREATE FUNCTION … LANGUAGE plproxy` runs.
#![forbid(unsafe_code)]

use crate::error::Error;
use crate::function::catalog::Declared;
use crate::pg::fcinfo::CallInfo;
use crate::pg::proc;
use pgrx::pg_sys::{Datum, Oid};

/// `plproxy_validator(oid) → void`.
pub(crate) fn validate(info: &mut CallInfo) -> Result<Datum, Error> {
    let function = info
        .arg(0)
        .map_or(Oid::INVALID, |value| Oid::from(value.value() as u32));
    if proc::check_validator_access(info.function_oid(), function)? {
        Declared::validate(function)?;
    }
    Ok(Datum::null())
}
