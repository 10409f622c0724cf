//! What checks the options of wrappers, servers and user mappings.
#![forbid(unsafe_code)]

use crate::error::{Error, Report, state};
use crate::pg::fcinfo::CallInfo;
use crate::pg::foreign;
use crate::pg::report::{Level, emit};
use pgrx::pg_sys::{self, Datum};
use plproxy_core::conninfo;
use plproxy_core::options::{Kind, OptionError, connection_strings, validate as check};

/// `plproxy_fdw_validator(text[], oid) → bool`.
pub(crate) fn validate(info: &mut CallInfo) -> Result<Datum, Error> {
    let options = foreign::options_of_array(info.arg(0))?;
    let catalog = info.arg(1).map_or(0, |value| value.value() as u32);
    let kind = match catalog {
        0 => {
            let mut report = Report::new(
                *b"01000",
                "Pl/Proxy: foreign data wrapper validator disabled",
            );
            report.hint =
                Some("validator is usable starting from PostgreSQL version 8.4.3".to_owned());
            emit(Level::Notice, &report)?;
            return Ok(Datum::from(false));
        }
        oid if oid == pg_sys::ForeignDataWrapperRelationId.to_u32() => Kind::Wrapper,
        oid if oid == pg_sys::ForeignServerRelationId.to_u32() => Kind::Server,
        oid if oid == pg_sys::UserMappingRelationId.to_u32() => Kind::UserMapping,
        _ => Kind::Other,
    };
    check(kind, &options).map_err(report)?;
    if kind == Kind::Server {
        warn_of_unusable(&options)?;
    }
    Ok(Datum::from(true))
}

/// Connection strings that no call can use get no more than a warning: old configurations must restore.
fn warn_of_unusable(options: &foreign::Options) -> Result<(), Error> {
    for (name, connstr) in connection_strings(options) {
        if let Err(error) = conninfo::parse(connstr) {
            let message = format!("Pl/Proxy: option \"{name}\": {error}");
            emit(Level::Warning, &Report::new(*b"01000", message))?;
        }
    }
    Ok(())
}

/// An option's error as PostgreSQL shows it.
pub(crate) fn report(error: OptionError) -> Report {
    let mut report = Report::new(state(error.sqlstate), error.message);
    report.hint = error.hint;
    report
}
