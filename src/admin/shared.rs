//! The connections that the sessions of this server share: which there are, who has them, who waits, and the end of them.
#![forbid(unsafe_code)]

use super::Admin;
use super::output::{Output, Value};
use crate::error::Error;
use crate::pg::fcinfo::CallInfo;
use crate::pg::{role, shared_connections};
use pgrx::pg_sys::{Datum, Oid};
use plproxy_remote::SharedConnection;
use std::time::{Duration, UNIX_EPOCH};

/// `pg_read_all_stats`, whose privileges show what is other users'; `pg_monitor` has them.
const READ_ALL_STATS: u32 = 3375;

/// `plproxy_shared_connections() → setof record`: a row for each connection, and for each session that waits for one.
pub(crate) fn get(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let mut output = Output::new(admin.info)?;
    let caller = role::current();
    let sees_all = role::has_privileges_of(caller, Oid::from(READ_ALL_STATS))?;
    let all = shared_connections::table().map(|table| plproxy_remote::shared_connections(&table));
    for connection in all.into_iter().flatten() {
        let SharedConnection {
            role,
            state,
            place,
            holder,
            since,
            connected_at,
            uses,
            prepared_statements,
        } = connection;
        let of = Oid::from(role);
        if !sees_all && of != caller {
            continue;
        }
        let place = place.as_ref();
        let made = state != "connecting" && state != "waiting";
        let count = |number: u64| Value::Int8(i64::try_from(number).unwrap_or(i64::MAX));
        let time = |micros: u64| Value::Time(UNIX_EPOCH + Duration::from_micros(micros));
        output.row([
            Value::text(place.map(|place| place.host.clone())),
            place
                .and_then(|place| place.port)
                .map_or(Value::Null, Value::int4),
            Value::text(place.map(|place| place.dbname.clone())),
            Value::text(place.map(|place| place.user.clone())),
            Value::text(role::find_name(of)?),
            Value::Text(state.to_owned()),
            place
                .filter(|_| made)
                .map_or(Value::Null, |place| Value::Int4(place.process_id)),
            if holder == 0 {
                Value::Null
            } else {
                Value::int4(holder)
            },
            time(since),
            if made {
                time(connected_at)
            } else {
                Value::Null
            },
            if made { count(uses) } else { Value::Null },
            if made {
                Value::int4(prepared_statements)
            } else {
                Value::Null
            },
            Value::text(place.filter(|_| made).and_then(|place| place.tls.clone())),
        ])?;
    }
    Ok(output.give(admin.info))
}
