//! The table of decisions to commit what is prepared on partitions.
#![forbid(unsafe_code)]

use super::Admin;
use crate::error::{Error, sqlstate};
use crate::pg::expr::Arg;
use crate::pg::role::Acting;
use crate::pg::spi::{self, Plan};
use pgrx::pg_sys::{self, Datum, Oid};
use plproxy_remote::ConnectionInfo;

/// The table of decisions. Users have no right on it, so what is done there is done as its owner.
pub(super) struct Decisions {
    table: String,
    owner: Oid,
}

impl Decisions {
    pub(super) fn open(admin: &Admin<'_>) -> Result<Self, Error> {
        const OWNER: &str = "select c.relowner from pg_catalog.pg_class c \
             where c.oid operator(pg_catalog.=) pg_catalog.to_regclass($1)";
        let table = format!("{}.plproxy_prepared_transactions", admin.schema);
        let arg = [Arg::Whole(Some(spi::text_datum(&table)?))];
        let mut owner = None;
        Plan::prepare(OWNER, &[pg_sys::TEXTOID])?.run(&arg, |row| {
            owner = row.value(1)?.map(|value| Oid::from(value.value() as u32));
            Ok(())
        })?;
        let owner = owner.ok_or_else(|| {
            let what = format_args!("table {table} does not exist");
            admin.label.error_with(sqlstate::UNDEFINED_OBJECT, what)
        })?;
        Ok(Self { table, owner })
    }

    pub(super) fn add(
        &self,
        gid: &str,
        cluster: &str,
        partition: usize,
        at: &ConnectionInfo,
    ) -> Result<(), Error> {
        let _owner = Acting::as_role(self.owner);
        let sql = format!(
            "insert into {} (gid, cluster, partition, host, port, dbname) \
             values ($1, $2, $3, $4, $5, $6)",
            self.table
        );
        let (text, int) = (pg_sys::TEXTOID, pg_sys::INT4OID);
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        let args = [
            Some(spi::text_datum(gid)?),
            Some(spi::text_datum(cluster)?),
            Some(Datum::from(partition)),
            Some(spi::text_datum(&at.host)?),
            Some(Datum::from(i32::from(at.port))),
            Some(spi::text_datum(&at.dbname)?),
        ]
        .map(Arg::Whole);
        Plan::prepare(&sql, &[text, text, int, text, int, text])?.run_writing(&args, |_| Ok(()))?;
        Ok(())
    }

    /// The names of transactions that were decided to be committed on that database, by the latest state.
    pub(super) fn at(&self, at: &ConnectionInfo) -> Result<Vec<String>, Error> {
        let _owner = Acting::as_role(self.owner);
        let sql = format!(
            "select gid from {} where host operator(pg_catalog.=) $1 \
             and port operator(pg_catalog.=) $2 and dbname operator(pg_catalog.=) $3",
            self.table
        );
        let args = [
            Some(spi::text_datum(&at.host)?),
            Some(Datum::from(i32::from(at.port))),
            Some(spi::text_datum(&at.dbname)?),
        ]
        .map(Arg::Whole);
        let types = [pg_sys::TEXTOID, pg_sys::INT4OID, pg_sys::TEXTOID];
        let mut gids = Vec::new();
        Plan::prepare(&sql, &types)?.run_writing(&args, |row| {
            gids.extend(row.value(1)?.map(spi::text).transpose()?);
            Ok(())
        })?;
        Ok(gids)
    }

    /// Whether a transaction was decided to be committed, by the latest state.
    pub(super) fn has(&self, gid: &str) -> Result<bool, Error> {
        let sql = format!(
            "select from {} where gid operator(pg_catalog.=) $1",
            self.table
        );
        self.with_gid(&sql, gid).map(|rows| rows > 0)
    }

    /// Forgets a transaction that is committed where it was prepared.
    pub(super) fn remove(&self, gid: &str) -> Result<(), Error> {
        let sql = format!(
            "delete from {} where gid operator(pg_catalog.=) $1",
            self.table
        );
        self.with_gid(&sql, gid).map(drop)
    }

    fn with_gid(&self, sql: &str, gid: &str) -> Result<usize, Error> {
        let _owner = Acting::as_role(self.owner);
        let args = [Arg::Whole(Some(spi::text_datum(gid)?))];
        Plan::prepare(sql, &[pg_sys::TEXTOID])?.run_writing(&args, |_| Ok(()))
    }
}
