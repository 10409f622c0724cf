//! What was counted of calls, as rows.
#![forbid(unsafe_code)]

use super::Admin;
use super::output::{Output, Value};
use crate::error::Error;
use crate::pg::fcinfo::CallInfo;
use crate::pg::shmem::Memory;
use crate::pg::xact::{database, database_exists};
use crate::stats::{self, NO_NUMBER};
use pgrx::pg_sys::{Datum, Oid};
use plproxy_core::stats::Counts;
use std::time::{Duration, UNIX_EPOCH};

/// Nanoseconds in a millisecond.
const MILLISECOND: f64 = 1_000_000.0;

/// `plproxy_stat_partitions() → setof record`: a row for each partition that calls of this database went to.
pub(crate) fn partitions(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let mut output = Output::new(admin.info)?;
    if let Some(memory) = stats::current() {
        for found in memory.partitions_of(database())? {
            let is_numbered = found.number != NO_NUMBER;
            let mut row = vec![
                Value::text(is_numbered.then_some(found.cluster)),
                number(is_numbered, found.number),
                Value::Text(found.host),
                number(found.port > 0, found.port),
                Value::Text(found.dbname),
            ];
            row.extend(values(&found.counts, &memory));
            output.row(row)?;
        }
    }
    Ok(output.give(admin.info))
}

/// `plproxy_stat_functions() → setof record`: a row for each proxy function of this database that was called.
pub(crate) fn functions(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let mut output = Output::new(admin.info)?;
    if let Some(memory) = stats::current() {
        for found in memory.functions_of(database())? {
            let mut row = vec![Value::Oid(Oid::from(found.number))];
            row.extend(values(&found.counts, &memory));
            output.row(row)?;
        }
    }
    Ok(output.give(admin.info))
}

/// `plproxy_stat_info() → record`: whose statistics these are, and whether there is room for all.
pub(crate) fn info(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let mut output = Output::new(admin.info)?;
    if let Some(memory) = stats::current() {
        let (partitions, functions) = memory.used();
        output.row([
            scope(&memory),
            Value::int4(memory.partitions.len()),
            Value::int4(partitions),
            Value::int4(functions),
            int8(memory.untracked()),
        ])?;
    }
    Ok(output.give(admin.info))
}

/// `plproxy_stat_transactions() → record`: how transactions over several partitions have ended.
pub(crate) fn transactions(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let mut output = Output::new(admin.info)?;
    if let Some(memory) = stats::current() {
        output.row(memory.header.ends().map(int8))?;
    }
    Ok(output.give(admin.info))
}

/// `plproxy_stat_reset() → void`: forgets what was counted for this database.
pub(crate) fn reset(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    stats::reset(database(), database_exists)?;
    Ok(admin.info.return_null())
}

/// The columns that partitions and functions have in common.
fn values(counts: &Counts, memory: &Memory) -> [Value; 17] {
    let ms = |nanoseconds: f64| Value::Float8(nanoseconds / MILLISECOND);
    let quantile = |part| {
        let took = counts.histogram.quantile(part, counts.least, counts.most);
        took.map_or(Value::Null, ms)
    };
    [
        int8(counts.calls),
        int8(counts.rows),
        int8(counts.errors),
        int8(counts.connects),
        int8(counts.connect_failures),
        int8(counts.cancels),
        ms(counts.total as f64),
        ms(counts.least as f64),
        ms(counts.most as f64),
        ms(counts.mean),
        ms(counts.deviation()),
        Value::Time(UNIX_EPOCH + Duration::from_micros(counts.since)),
        scope(memory),
        quantile(0.5),
        quantile(0.95),
        quantile(0.99),
        Value::Int8s(counts.histogram.0.map(int8_of).to_vec()),
    ]
}

fn scope(memory: &Memory) -> Value {
    let whose = if memory.is_shared {
        "all sessions"
    } else {
        "this session"
    };
    Value::Text(whose.to_owned())
}

/// A number, where there is one.
fn number(is_there: bool, number: u32) -> Value {
    if is_there {
        Value::int4(number)
    } else {
        Value::Null
    }
}

fn int8(number: u64) -> Value {
    Value::Int8(int8_of(number))
}

fn int8_of(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
