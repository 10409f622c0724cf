//! What the partitions have in the end, against what the sessions were told.

use std::collections::HashMap;
use std::error::Error;

use plproxy_test_kit::Server;

use crate::calls::{Books, PARTITIONS};
use crate::faults::ask;

#[derive(Default)]
pub struct Ledger {
    /// Inserts that were acknowledged, and those of them that are not there.
    pub acknowledged: u64,
    pub lost: u64,
    /// Inserts whose callers were given an error, and those of them that are there all the same.
    pub unsure: u64,
    pub unsure_there: u64,
    /// Rows that are there more than once, or that nobody inserted.
    pub doubled: u64,
    pub unknown: u64,
    /// Additions that were acknowledged; sums that are less, or more than even the failed ones explain.
    pub additions: u64,
    pub sums_wrong: u64,
}

/// Asks all partitions.
pub fn read(servers: &[Server; 2], books: &[Books]) -> Result<Ledger, Box<dyn Error>> {
    let mut there: HashMap<i64, u64> = HashMap::new();
    let mut sums: HashMap<(i32, usize), i64> = HashMap::new();
    for partition in 0..PARTITIONS {
        let [left, right] = servers;
        let server = if partition < PARTITIONS / 2 {
            left
        } else {
            right
        };
        let database = format!("part{partition}");
        for row in ask(
            server,
            &database,
            "select id, count(*) from ledger group by id",
        )? {
            *there.entry(row.try_get(0)?).or_default() += row.try_get::<_, i64>(1)? as u64;
        }
        for row in ask(server, &database, "select session, n from counter")? {
            sums.insert((row.try_get(0)?, partition), row.try_get(1)?);
        }
    }
    let mut ledger = Ledger {
        doubled: there.values().filter(|count| **count > 1).count() as u64,
        ..Ledger::default()
    };
    for (session, books) in books.iter().enumerate() {
        ledger.acknowledged += books.entered.len() as u64;
        ledger.unsure += books.unsure.len() as u64;
        for id in &books.entered {
            ledger.lost += u64::from(there.remove(id).is_none());
        }
        for id in &books.unsure {
            ledger.unsure_there += u64::from(there.remove(id).is_some());
        }
        for (partition, (sure, unsure, _)) in books.sums.iter().enumerate() {
            let found = sums.get(&(session as i32, partition)).copied().unwrap_or(0);
            ledger.additions += *sure as u64;
            ledger.sums_wrong += u64::from(!(*sure..=*sure + *unsure).contains(&found));
        }
    }
    ledger.unknown = there.len() as u64;
    Ok(ledger)
}
