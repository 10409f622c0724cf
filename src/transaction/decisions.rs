//! Decisions to commit what is prepared on partitions.
//!
//! The decision is the commit of the local transaction whose number the names carry; it is in PostgreSQL's commit log, where no
//! grant reaches. The table has a row for each name, written by the same transaction: the list of what is not known to be
//! finished, and the decision itself for a server that took over another's history, or when the log does not go back as far.
//! A row counts only if the transaction in its name wrote it, or, if it is of version 3.0.0, the one that made the table.
#![forbid(unsafe_code)]

use super::gid::Gid;
use super::site::Site;
use crate::error::{Error, FunctionLabel, Report, outdated, sqlstate};
use crate::pg::expr::Arg;
use crate::pg::heap::{OwnTable, Place, StoredRow, Unfit};
use crate::pg::spi::{self, Plan};
use crate::pg::xact;
use core::ffi::CStr;
use pgrx::pg_sys::{self, Datum, Oid};

const EXTENSION: &CStr = c"plproxy";
const SCHEMA: &CStr = c"plproxy_internal";
const TABLE: &CStr = c"prepared_transactions";
const COLUMNS: [Oid; 7] = [
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
    pg_sys::INT4OID,
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
    pg_sys::XID8OID,
    pg_sys::TIMESTAMPTZOID,
];

/// The table, as its owner made it.
pub(crate) struct Decisions(OwnTable);

/// A row of it.
pub(crate) struct Decision {
    pub(crate) gid: String,
    pub(crate) cluster: String,
    pub(crate) partition: usize,
    pub(crate) address: String,
    /// What the partition's server said of itself; empty in a row of version 3.0.0.
    pub(crate) server: String,
    /// The number of the partition's transaction there.
    pub(crate) transaction: u64,
    writer: u32,
    place: Place,
}

impl Decision {
    /// Whether the transaction that the name tells of has written it.
    pub(crate) fn is_of(&self, gid: &Gid) -> bool {
        self.gid == gid.text() && self.writer == gid.transaction as u32
    }

    /// Whether it was carried over from version 3.0.0, by the update of the extension that made the table.
    pub(crate) fn is_carried_over(&self, made_by: Option<u32>) -> bool {
        self.server.is_empty() && Some(self.writer) == made_by
    }

    /// Whether it is about the partition that is at that place; in another cluster partitions have other numbers.
    pub(crate) fn is_about(&self, site: &Site, same_number: bool, made_by: Option<u32>) -> bool {
        let is_old = self.is_carried_over(made_by);
        self.address == site.address && (is_old || self.server == site.server())
            || same_number && (is_old || site.succeeds(&self.server))
    }
}

impl Decisions {
    /// `label`: of the function that was called for it.
    pub(crate) fn open(label: Option<&FunctionLabel>) -> Result<Self, Error> {
        match OwnTable::open(EXTENSION, SCHEMA, TABLE, &COLUMNS)? {
            Ok(table) => Ok(Self(table)),
            Err(Unfit::Absent) => Err(outdated()),
            Err(Unfit::Altered) => {
                let what =
                    "table plproxy_internal.prepared_transactions is not as the extension made it";
                let state = sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE;
                let hint = "It must be a permanent table with the columns that it had, and have no \
                            indexes.";
                let error = match label {
                    Some(label) => label.error_with(state, what),
                    None => Report::new(state, what).into(),
                };
                Err(error.hinted(hint))
            }
        }
    }

    /// Writes that a transaction is to be committed on a partition if this one commits.
    pub(crate) fn add(
        &self,
        gid: &Gid,
        cluster: &str,
        site: &Site,
        transaction: u64,
    ) -> Result<(), Error> {
        let partition = i32::try_from(gid.partition).unwrap_or(i32::MAX);
        let before = xact::last_record();
        self.0.insert(&[
            spi::text_datum(&gid.text())?,
            spi::text_datum(cluster)?,
            Datum::from(partition),
            spi::text_datum(&site.address)?,
            spi::text_datum(&site.server())?,
            Datum::from(transaction),
            Datum::from(xact::started_at()),
        ])?;
        if xact::last_record() == before {
            // With wal_level = minimal, in the transaction that made the table.
            let what = "a decision that is not in the write-ahead log would not survive a crash; \
                        the transaction that creates the extension cannot make one";
            return Err(Report::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, what).into());
        }
        Ok(())
    }

    /// All rows, by the latest state.
    pub(crate) fn rows(&self) -> Result<Vec<Decision>, Error> {
        let rows = self.0.rows()?.into_iter().map(decision);
        rows.filter_map(Result::transpose).collect()
    }

    /// Whether there is a row for that name by now.
    pub(crate) fn has(&self, gid: &Gid) -> Result<bool, Error> {
        Ok(self.rows()?.iter().any(|decision| decision.is_of(gid)))
    }

    /// The transaction that made the table. The rows of `pg_attribute` for the columns that every table has tell: those are
    /// written with the table, and nothing that happens to it or to the extension writes them anew.
    pub(crate) fn made_by(&self) -> Result<Option<u32>, Error> {
        const WRITER: &str = "select a.xmin::pg_catalog.text from pg_catalog.pg_attribute a \
             where a.attrelid operator(pg_catalog.=) $1 and a.attname operator(pg_catalog.=) 'ctid'";
        let table = [Arg::Whole(Some(Datum::from(self.0.oid())))];
        let mut writer = None;
        Plan::prepare(WRITER, &[pg_sys::OIDOID])?.run(&table, |row| {
            writer = row.value(1)?.map(spi::text).transpose()?;
            Ok(())
        })?;
        Ok(writer.and_then(|writer| writer.parse().ok()))
    }

    /// Forgets a transaction of which nothing is left to be done.
    pub(crate) fn remove(&self, decision: &Decision) -> Result<(), Error> {
        self.0.delete(decision.place)
    }
}

/// Reads a row; `None` if it has a NULL, which only somebody else writes.
fn decision(row: StoredRow) -> Result<Option<Decision>, Error> {
    let StoredRow {
        values,
        writer,
        place,
    } = row;
    let [
        Some(gid),
        Some(cluster),
        Some(partition),
        Some(address),
        Some(server),
        Some(transaction),
        Some(_),
    ] = values[..]
    else {
        return Ok(None);
    };
    Ok(Some(Decision {
        gid: spi::text(gid)?,
        cluster: spi::text(cluster)?,
        partition: usize::try_from(partition.value() as i32).unwrap_or(usize::MAX),
        address: spi::text(address)?,
        server: spi::text(server)?,
        transaction: transaction.value() as u64,
        writer,
        place,
    }))
}
