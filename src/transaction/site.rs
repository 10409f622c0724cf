//! A partition's database: where it is reached, and what its server says of itself.
#![forbid(unsafe_code)]

use plproxy_core::conninfo::quote_value;
use plproxy_remote::ConnectionInfo;

/// What every role may ask, and what poolers hand on.
pub(crate) const QUESTION: &str = "\
select pg_catalog.concat_ws(' ', c.system_identifier, d.oid, \
    case when pg_catalog.pg_is_in_recovery() then '-' \
        else pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) end, \
    (pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()) \
        operator(pg_catalog.*) 1000000)::pg_catalog.int8, \
    pg_catalog.current_setting('max_prepared_transactions')) \
from pg_catalog.pg_control_system() c, pg_catalog.pg_database d \
where d.datname operator(pg_catalog.=) pg_catalog.current_database()";

/// A database, as its server tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    /// The whole address that reaches it, as in a connection string.
    pub(crate) address: String,
    system: String,
    database: String,
    /// None on a standby.
    timeline: Option<String>,
    started: String,
    can_prepare: bool,
}

impl Site {
    /// Reads the answer to the question.
    pub(crate) fn read(answer: &str, at: &ConnectionInfo) -> Option<Self> {
        let parts: Vec<&str> = answer.split(' ').collect();
        let [system, database, timeline, started, most] = parts[..] else {
            return None;
        };
        Some(Self {
            address: address(at),
            system: system.to_owned(),
            database: database.to_owned(),
            timeline: (timeline != "-").then(|| timeline.to_owned()),
            started: started.to_owned(),
            can_prepare: most != "0",
        })
    }

    pub(crate) fn is_standby(&self) -> bool {
        self.timeline.is_none()
    }

    pub(crate) fn can_prepare(&self) -> bool {
        self.can_prepare
    }

    /// Whether two connections lead to one database. A copy of a server has the same numbers, but was not started at the same
    /// microsecond.
    pub(crate) fn is_same_database(&self, other: &Self) -> bool {
        (&self.system, &self.database, &self.started)
            == (&other.system, &other.database, &other.started)
    }

    /// What is kept of it with a decision.
    pub(crate) fn server(&self) -> String {
        let timeline = self.timeline.as_deref().unwrap_or_default();
        format!("{}/{}/{timeline}", self.system, self.database)
    }

    /// Whether what was kept may be of this database at another time: a standby of its server that was promoted has another
    /// timeline.
    pub(crate) fn succeeds(&self, server: &str) -> bool {
        server
            .strip_prefix(&format!("{}/{}/", self.system, self.database))
            .is_some()
    }
}

/// The whole address of a connection, without who it is for.
fn address(at: &ConnectionInfo) -> String {
    let hostaddr = at
        .hostaddr
        .map_or(String::new(), |address| format!(" hostaddr={address}"));
    format!(
        "host={}{hostaddr} port={} dbname={}",
        quote_value(&at.host),
        at.port,
        quote_value(&at.dbname)
    )
}
