//! This session's connections: which there are, and the end of those at rest.
#![forbid(unsafe_code)]

use super::Admin;
use super::output::{Output, Value};
use crate::cluster;
use crate::error::Error;
use crate::pg::fcinfo::CallInfo;
use crate::pg::{role, shared_connections};
use crate::remote::remote;
use crate::shared;
use core::sync::atomic::Ordering::Relaxed;
use pgrx::pg_sys::Datum;

/// `plproxy_get_connections() → setof record`: a row for each connection and each partition that it serves.
pub(crate) fn get(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let mut output = Output::new(admin.info)?;
    let mut opened = cluster::opened();
    opened.sort_by(|a, b| (&a.cluster, a.partition).cmp(&(&b.cluster, b.partition)));
    let mut connections = remote()?.connections();
    connections.sort_by_key(|connection| (connection.endpoint, connection.connected_at));
    // What no cluster needs any more, and will be closed before long, comes last.
    let known = |number| {
        let mut opened = opened.iter();
        opened.any(|opened| opened.endpoint.id() == number)
    };
    let served = opened.iter().flat_map(|opened| {
        let mine = |c: &&plproxy_remote::ConnectionInfo| c.endpoint == opened.endpoint.id();
        let connections = connections.iter().filter(mine);
        connections.map(move |connection| (connection, Some(opened)))
    });
    let left = connections
        .iter()
        .filter(|connection| !known(connection.endpoint))
        .map(|connection| (connection, None));
    for (connection, opened) in served.chain(left) {
        // A body's own connection string is no cluster; it may hold a password.
        let cluster = opened.and_then(|opened| opened.cluster.clone());
        let partition = opened.filter(|opened| opened.cluster.is_some());
        let user = match opened {
            Some(opened) => role::find_name(opened.role)?,
            None => None,
        };
        output.row([
            Value::text(cluster),
            partition.map_or(Value::Null, |opened| Value::int4(opened.partition)),
            Value::Text(connection.shown.host.clone()),
            connection.shown.port.map_or(Value::Null, Value::int4),
            Value::Text(connection.shown.dbname.clone()),
            Value::Text(connection.shown.user.clone()),
            Value::text(user),
            Value::Text(connection.server_version.clone()),
            Value::Time(connection.connected_at),
            Value::Time(connection.last_used_at),
            Value::Int8(i64::try_from(connection.calls).unwrap_or(i64::MAX)),
            Value::int4(connection.prepared_statements),
            Value::text(connection.tls.clone()),
            Value::Bool(connection.in_transaction),
        ])?;
    }
    Ok(output.give(admin.info))
}

/// `plproxy_disconnect(cluster text [, all_sessions boolean]) → boolean`. With `all_sessions` the calling user's connections that
/// sessions share, too.
pub(crate) fn disconnect(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let name = admin.cluster_name()?;
    let all_sessions = admin.all_sessions(1)?;
    let remote = remote()?;
    let before = remote.connections().len();
    let mut is_known = false;
    let mut were_shared = false;
    if all_sessions {
        // Also of those that this session has not opened.
        let cluster = cluster::named(&admin.label, &name)?;
        if cluster.config.shared_connections > 0 {
            shared::join()?;
            for partition in admin.partitions(&cluster)? {
                if let Ok(endpoint) = &partition.endpoint {
                    were_shared |= remote.retire_endpoint(endpoint);
                }
            }
        }
    }
    for opened in cluster::opened() {
        if opened.cluster.as_deref() == Some(&name) {
            is_known = true;
            remote.close_endpoint(&opened.endpoint);
        }
    }
    if !is_known {
        cluster::named(&admin.label, &name)?;
    }
    Ok(Datum::from(
        were_shared || remote.connections().len() < before,
    ))
}

/// `plproxy_disconnect_all([all_sessions boolean]) → boolean`. With `all_sessions` the connections that sessions share, too: a
/// superuser's call closes all of them, others' those of the calling user.
pub(crate) fn disconnect_all(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let remote = remote()?;
    let before = remote.connections().len();
    remote.close_all();
    let mut were_shared = false;
    if admin.all_sessions(0)?
        && let Some(table) = shared_connections::table()
    {
        let caller = role::current();
        let all = role::is_superuser(caller)?;
        were_shared = table.retire(|slot| all || slot.role.load(Relaxed) == caller.to_u32());
    }
    Ok(Datum::from(
        were_shared || remote.connections().len() < before,
    ))
}

impl Admin<'_> {
    /// The argument `all_sessions`, which may be left away.
    fn all_sessions(&self, number: usize) -> Result<bool, Error> {
        if self.info.nargs() <= number {
            return Ok(false);
        }
        self.flag(number, "all_sessions")
    }
}
