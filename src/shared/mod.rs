//! Connections that the sessions of this server take in turns: option `shared_connections`.
#![forbid(unsafe_code)]

pub(crate) mod keeper;

use crate::error::{Error, Report, sqlstate};
use crate::gucs;
use crate::pg::{encoding, shared_connections};
use crate::remote::remote;
use pgrx::pg_sys::Oid;
use plproxy_core::shared::Keys;
use plproxy_remote::{Channel, Encoding, SharedOptions, Sharing};

/// How the calls of a cluster share connections, if that is to be: `most` to a partition, by one remote user. `role`: whose user
/// mapping counts.
pub(crate) fn options(most: u32, role: Oid) -> Result<Option<SharedOptions>, Error> {
    if most == 0 {
        return Ok(None);
    }
    join()?;
    Ok(Some(SharedOptions {
        most,
        lease_timeout: gucs::lease_timeout(),
        role: role.to_u32(),
    }))
}

/// This process's part in sharing.
pub(crate) fn join() -> Result<Sharing, Error> {
    let remote = remote()?;
    if let Some(sharing) = remote.sharing() {
        return Ok(sharing);
    }
    let (Some(table), Some(channel)) = (shared_connections::table(), Channel::get()) else {
        let mut report = Report::new(
            sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE,
            "shared_connections needs plproxy in shared_preload_libraries",
        );
        report.hint = Some(
            "Set shared_preload_libraries = 'plproxy', and plproxy.max_shared_connections above 0, and restart the server."
                .to_owned(),
        );
        return Err(report.into());
    };
    let Some(owner) = shared_connections::enter(&table)? else {
        return Err(Report::new(
            sqlstate::TOO_MANY_CONNECTIONS,
            "too many processes share connections",
        )
        .into());
    };
    let sharing = Sharing {
        table,
        channel,
        owner,
    };
    remote.share(sharing);
    Ok(sharing)
}

/// What the connections of an endpoint are told apart by; `apart`: all that two must have in common, but for the password.
pub(crate) fn keys(connstr: &str, user: &str, apart: &[&[u8]], password: &str) -> Option<Keys> {
    let table = shared_connections::table()?;
    let encoding: Encoding = encoding::database();
    let name = format!("{encoding:?}");
    let mut all = apart.to_vec();
    all.push(name.as_bytes());
    Some(
        table
            .secret()
            .keys(connstr, user, &all, password.as_bytes()),
    )
}
