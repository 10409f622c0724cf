//! What checks the options of wrappers, servers and user mappings.
#![forbid(unsafe_code)]

use crate::cluster::definition::{self, CONNECTION_STRING, report};
use crate::error::{Error, Report, sqlstate};
use crate::pg::fcinfo::CallInfo;
use crate::pg::report::{Level, emit};
use crate::pg::{encoding, foreign, role};
use pgrx::pg_sys::{self, Datum};
use plproxy_core::conninfo;
use plproxy_core::options::{Kind, connection_strings, is_password_required, validate as check};

/// `plproxy_fdw_validator(text[], oid) → bool`.
pub(crate) fn validate(info: &mut CallInfo) -> Result<Datum, Error> {
    let options = foreign::options_of_array(info.arg(0))?;
    let _room = definition::room_of(&options)?;
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
    if !role::is_superuser(role::current())? {
        check_rights(kind, &options)?;
    }
    if kind == Kind::Server {
        warn_of_unusable(&options)?;
    }
    Ok(Datum::from(true))
}

/// Refuses what only superusers may set: else servers would give away what is open to the operating system's user of this one.
/// What was set before its owner lost that right is seen by calls. The words are those of postgres_fdw.
fn check_rights(kind: Kind, options: &foreign::Options) -> Result<(), Error> {
    let superuser_only = |what: &str, hint: &str| {
        let mut report = Report::new(
            sqlstate::INSUFFICIENT_PRIVILEGE,
            format!("{what} is superuser-only"),
        );
        report.hint = Some(hint.to_owned());
        Err(report.into())
    };
    match kind {
        Kind::UserMapping if !is_password_required(options) => superuser_only(
            "password_required=false",
            "User mappings with the password_required option set to false may only be created or \
             modified by the superuser.",
        ),
        Kind::Server => {
            // What is too long cannot be used.
            let params = connection_strings(options)
                .filter(|(_, connstr)| connstr.len() <= CONNECTION_STRING.most)
                .filter_map(|(_, connstr)| encoding::to_unicode(connstr).ok())
                .filter_map(|connstr| conninfo::parse(&connstr).ok());
            match params.filter_map(|params| params.names_file()).next() {
                Some(keyword) => superuser_only(
                    &format!("connection option \"{keyword}\""),
                    "Servers whose connection strings name files of the server or a service may only be \
                     created or modified by the superuser.",
                ),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Connection strings that no call can use get no more than a warning: old configurations must restore.
fn warn_of_unusable(options: &foreign::Options) -> Result<(), Error> {
    for (name, connstr) in connection_strings(options) {
        let problem = if connstr.len() > CONNECTION_STRING.most {
            Some(CONNECTION_STRING.to_string())
        } else {
            conninfo::parse(&encoding::to_unicode(connstr)?)
                .err()
                .map(|error| error.to_string())
        };
        if let Some(problem) = problem {
            let message = format!("Pl/Proxy: option \"{name}\": {problem}");
            emit(Level::Warning, &Report::new(*b"01000", message))?;
        }
    }
    Ok(())
}
