//! A partition that has joined the local transaction, with the savepoints there.
//!
//! A savepoint is made with the first statement of a subtransaction. When the subtransaction becomes part of its parent, so does
//! the savepoint, unless the parent has one, or began the transaction there: then it is released with the next statement.
#![forbid(unsafe_code)]

use super::site;
use crate::cluster::Cluster;
use crate::error::{Error, FunctionLabel, sqlstate};
use crate::pg::xact;
use plproxy_core::ident::quote_literal;
use plproxy_remote::{Branch, BranchStatus, CallOptions, Endpoint};
use std::rc::Rc;
use std::time::Duration;

/// How long a lock on a partition is waited for where nothing is set.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// See the module.
pub(super) struct Member {
    pub(super) cluster: String,
    pub(super) partition: usize,
    pub(super) branch: Rc<Branch>,
    pub(super) options: CallOptions,
    /// The subtransaction in which it began; what is rolled back with that is all of it.
    begun_in: u32,
    /// The subtransactions that have a savepoint, the innermost last.
    savepoints: Vec<(u32, Savepoint)>,
    /// Savepoints that are to be released with the next statement.
    released: Vec<Savepoint>,
    names: u64,
    /// Whether it began so, and whether it is so now.
    begun_read_only: bool,
    is_read_only: bool,
}

/// By its number, which grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Savepoint(u64);

impl std::fmt::Display for Savepoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "savepoint plproxy_{}", self.0)
    }
}

impl Member {
    pub(super) fn new(
        cluster: &Cluster,
        partition: usize,
        endpoint: &Rc<Endpoint>,
        options: CallOptions,
        current: u32,
    ) -> Self {
        Self {
            cluster: cluster.name.clone(),
            partition,
            branch: Branch::new(Rc::clone(endpoint), begin(cluster), site::QUESTION),
            options,
            begun_in: current,
            savepoints: Vec::new(),
            released: Vec::new(),
            names: 0,
            begun_read_only: xact::is_read_only(),
            is_read_only: xact::is_read_only(),
        }
    }

    /// A call is about to run a statement.
    pub(super) fn join(
        &mut self,
        label: &FunctionLabel,
        cluster: &Cluster,
        current: u32,
    ) -> Result<(), Error> {
        match self.branch.status() {
            BranchStatus::Open => {}
            BranchStatus::New => {
                // Nothing has come of it yet.
                let endpoint = Rc::clone(self.branch.endpoint());
                let options = self.options.clone();
                *self = Self::new(cluster, self.partition, &endpoint, options, current);
                return Ok(());
            }
            status => return Err(unusable(label, self, status)),
        }
        let last = self.savepoints.last().map(|(owner, _)| *owner);
        if current != self.begun_in && last != Some(current) {
            self.names += 1;
            let savepoint = Savepoint(self.names);
            self.branch.prepend(savepoint.to_string());
            self.savepoints.push((current, savepoint));
        }
        if xact::is_read_only() && !self.is_read_only {
            self.is_read_only = true;
            self.branch.prepend("set transaction read only".to_owned());
        }
        Ok(())
    }

    pub(super) fn has_begun_in(&self, subtransaction: u32) -> bool {
        self.begun_in == subtransaction
    }

    /// Has a savepoint released with the next statement.
    pub(super) fn release(&mut self, savepoint: Savepoint) {
        let branch = &self.branch;
        self.released
            .retain(|savepoint| branch.is_pending(&released(*savepoint)));
        self.branch.prepend(released(savepoint));
        self.released.push(savepoint);
    }

    pub(super) fn subtransaction_committed(&mut self, this: u32, parent: u32) {
        if self.begun_in == this {
            self.begun_in = parent;
        }
        let Some((_, savepoint)) = self.savepoints.pop_if(|(owner, _)| *owner == this) else {
            return;
        };
        let outer = self.savepoints.last().map(|(owner, _)| *owner);
        if self.begun_in != parent && outer != Some(parent) {
            self.savepoints.push((parent, savepoint));
        } else if !self.branch.take_back(&savepoint.to_string()) {
            self.release(savepoint);
        }
    }

    /// The savepoint to roll back to, if something was done since.
    pub(super) fn subtransaction_aborted(&mut self, this: u32) -> Option<Savepoint> {
        let (_, savepoint) = self.savepoints.pop_if(|(owner, _)| *owner == this)?;
        // Those made after it go with it.
        for inner in self.released.extract_if(.., |inner| *inner > savepoint) {
            self.branch.take_back(&released(inner));
        }
        // What was set since is undone there; it is set again if it holds here still.
        self.is_read_only = self.begun_read_only;
        (!self.branch.take_back(&savepoint.to_string())).then_some(savepoint)
    }
}

fn released(savepoint: Savepoint) -> String {
    format!("release {savepoint}")
}

/// The statements that begin a transaction as the local one is.
fn begin(cluster: &Cluster) -> Vec<String> {
    // A transaction that may write here may be one that only reads there, as on a standby server.
    let mode = if xact::is_read_only() {
        " read only"
    } else {
        ""
    };
    let level = xact::isolation();
    let limit = lock_timeout(cluster).as_millis();
    vec![
        format!("begin isolation level {level}{mode}"),
        format!("set local lock_timeout = {limit}"),
    ]
}

/// How long a transaction waits for a lock on a partition of the cluster.
pub(crate) fn lock_timeout(cluster: &Cluster) -> Duration {
    cluster.config.lock_timeout.unwrap_or(LOCK_TIMEOUT)
}

/// Where something went wrong at the commit.
pub(super) fn place(member: &Member) -> String {
    format!(
        "partition {} of cluster {}",
        member.partition,
        quote_literal(&member.cluster)
    )
}

/// Why a call cannot use the transaction on a partition.
fn unusable(label: &FunctionLabel, member: &Member, status: BranchStatus) -> Error {
    let dbname = member.branch.endpoint().label();
    let (state, what, hint) = match status {
        BranchStatus::Busy => (
            sqlstate::FEATURE_NOT_SUPPORTED,
            "a statement of the same transaction is under way on this partition",
            "With transaction_mode 'two_phase' a transaction has one connection to a partition: a call within a \
             call cannot go where that one is at work.",
        ),
        BranchStatus::Failed => (
            sqlstate::IN_FAILED_SQL_TRANSACTION,
            "the transaction on this partition has failed",
            "Roll back the local transaction, or to a savepoint before the error.",
        ),
        BranchStatus::New | BranchStatus::Open | BranchStatus::Lost => (
            sqlstate::CONNECTION_FAILURE,
            "the connection of this transaction was lost, and what it did on this partition is undone",
            "Roll back the local transaction.",
        ),
    };
    let error = label.error_with(state, format_args!("[{dbname}] {what}"));
    error.hinted(hint)
}
