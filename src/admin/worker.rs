//! The recovery that takes place by itself: a round in one database, in a process of its own.
//!
//! Names of prepared transactions are on the partitions, so that all clusters are asked that are known here: those that are foreign
//! servers, those that a decision names, and those that sessions have called, which may be defined by functions. What is done
//! about a cluster is what `plproxy_recover_prepared` does.
#![forbid(unsafe_code)]

use super::recover::{Action, by_itself};
use crate::error::Error;
use crate::gucs;
use crate::pg::spi::{self, Plan};
use crate::pg::worker::{self, Owner};
use crate::pg::xact;
use crate::stats;
use crate::transaction::decisions::{Decision, Decisions};
use crate::transaction::gid::Name;
use crate::transaction::instance::Instance;
use plproxy_core::stats::NAME;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// When it takes place, and where.
pub(crate) static RECOVERY: Owner = Owner {
    databases: gucs::recovery_databases,
    interval: gucs::recovery_interval,
    work: round,
};

/// A cluster may take as long as an interval, within these: the others wait meanwhile.
const BOUNDS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));

/// So many lines a round writes to the log.
const MOST_LINES: usize = 100;

/// So long is what a line tells of a cluster.
const MOST_BYTES: usize = 1000;

/// Actions that are no news: a session is at it, or another server is to end it.
const NO_NEWS: [&str; 2] = ["in progress", "of server "];

/// The clusters of a database by name, and whether there must be one: what sessions have called may be gone.
type Clusters = BTreeMap<String, bool>;

fn bound() -> Duration {
    gucs::recovery_interval().clamp(BOUNDS.0, BOUNDS.1)
}

fn round() {
    let bound = bound();
    let mut found = None;
    let looked = worker::transaction(bound, || {
        found = clusters()?;
        Ok(())
    });
    let clusters = match (looked, found) {
        (Ok(()), Some(clusters)) => clusters,
        (Ok(()), None) => return tell("the extension is not installed there"),
        (Err(what), _) => return tell(&what),
    };
    let mut lines = 0;
    for (cluster, must_be) in clusters {
        let mut actions = Vec::new();
        let begun = Instant::now();
        let recovered = worker::transaction(bound, || {
            actions = recover(&cluster)?;
            Ok(())
        });
        let mut shown = |what: &str| {
            lines += 1;
            if lines <= MOST_LINES {
                tell(&format!("cluster \"{cluster}\": {}", cut(what)));
            }
        };
        match recovered {
            Ok(()) => actions.iter().for_each(|what| shown(what)),
            Err(_) if begun.elapsed() >= bound => {
                let seconds = bound.as_secs();
                shown(&format!(
                    "gave up after {seconds} s, as a partition did not answer or a lock was not to be had"
                ));
            }
            // What sessions have called may be gone by now.
            Err(what) if !must_be && what.ends_with(&format!("cluster not found: {cluster}")) => {}
            Err(what) => shown(&what),
        }
    }
    if lines > MOST_LINES {
        tell(&format!("{} more lines were left out", lines - MOST_LINES));
    }
}

/// A partition, or who has made a function, may say as much as he likes.
fn cut(what: &str) -> &str {
    what.get(..what.floor_char_boundary(MOST_BYTES))
        .unwrap_or(what)
}

/// Names the database as well.
fn tell(what: &str) {
    let mut database = None;
    let named = worker::transaction(bound(), || {
        let sql = "select pg_catalog.current_database()::pg_catalog.text";
        Plan::prepare(sql, &[])?.run(&[], |row| {
            database = row.value(1)?.map(spi::text).transpose()?;
            Ok(())
        })?;
        Ok(())
    });
    match (named, database) {
        (Ok(()), Some(database)) => worker::log(&format!("database \"{database}\": {what}")),
        _ => worker::log(what),
    }
}

/// The clusters; `None` if the extension is not there.
fn clusters() -> Result<Option<Clusters>, Error> {
    let extension = "select e.extversion from pg_catalog.pg_extension e where e.extname operator(pg_catalog.=) 'plproxy'";
    if texts(extension)?.is_empty() {
        return Ok(None);
    }
    let mut names = BTreeMap::new();
    if let Some(memory) = stats::current() {
        for found in memory.partitions_of(xact::database())? {
            // One that long may have been cut.
            if !found.cluster.is_empty() && found.cluster.len() < NAME {
                names.insert(found.cluster, false);
            }
        }
    }
    let servers = "select s.srvname::pg_catalog.text from pg_catalog.pg_foreign_server s \
             join pg_catalog.pg_foreign_data_wrapper w on w.oid operator(pg_catalog.=) s.srvfdw \
             join pg_catalog.pg_proc p on p.oid operator(pg_catalog.=) w.fdwvalidator \
             join pg_catalog.pg_language l on l.oid operator(pg_catalog.=) p.prolang \
         where l.lanname operator(pg_catalog.=) 'c' and p.prosrc operator(pg_catalog.=) 'plproxy_fdw_validator'";
    names.extend(texts(servers)?.into_iter().map(|name| (name, true)));
    let decisions = Decisions::open(None)?;
    let made_by = decisions.made_by()?;
    let this = Instance::this()?;
    // Somebody else's rows name no cluster.
    let counts = |row: &Decision| {
        let name = Name::read(&row.gid, &this);
        row.is_carried_over(made_by)
            || matches!(name, Some(Name::Own(gid) | Name::Other(gid)) if row.is_of(&gid))
    };
    let rows = decisions.rows()?.into_iter().filter(counts);
    names.extend(rows.map(|row| (row.cluster, true)));
    Ok(Some(names))
}

/// The values of a query's only column.
fn texts(sql: &str) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    Plan::prepare(sql, &[])?.run(&[], |row| {
        all.extend(row.value(1)?.map(spi::text).transpose()?);
        Ok(())
    })?;
    Ok(all)
}

/// Does what is to be done about a cluster; what there is to be told.
fn recover(cluster: &str) -> Result<Vec<String>, Error> {
    let mut actions = Vec::new();
    for Action {
        partition,
        gid,
        what,
    } in by_itself(cluster)?
    {
        if !NO_NEWS.iter().any(|known| what.starts_with(known)) {
            let gid = gid.map_or(String::new(), |gid| format!("\"{gid}\": "));
            actions.push(format!("partition {partition}: {gid}{what}"));
        }
    }
    Ok(actions)
}
