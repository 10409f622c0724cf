//! SQL on all partitions: each on its own, or all or none.
#![forbid(unsafe_code)]

use super::output::{Output, Value};
use super::two_phase::Transaction;
use super::{Admin, Partition, beside, options};
use crate::cluster::Cluster;
use crate::error::{Error, sqlstate, words};
use crate::function;
use crate::pg::allocator;
use crate::pg::fcinfo::CallInfo;
use crate::pg::{encoding, statements};
use crate::transaction::member::lock_timeout;
use crate::under_way::{self, Patience, UnderWay};
use pgrx::pg_sys::Datum;
use plproxy_core::transaction_control::controls_transaction;
use plproxy_remote::{COPY, ErrorKind, Outcome, Script, ScriptOptions, Step, StepResult, Target};
use std::rc::Rc;

/// A command, its pieces, and both in two encodings.
const COPIES: usize = 4;

/// `plproxy_run_on_all(cluster text, command text, atomic boolean) → setof record`.
pub(crate) fn run(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let command = admin.text(1, "command")?;
    let atomic = admin.flag(2, "atomic")?;
    let (cluster, _under_way) = admin.cluster_under_way(atomic)?;
    let partitions = admin.partitions(&cluster)?;
    let _room = allocator::hold(command.len().saturating_mul(COPIES))?;
    let mut output = Output::new(admin.info)?;
    let rows = if atomic {
        admin.run_atomically(&cluster, &partitions, &command)?
    } else {
        admin.run_each(&cluster, &partitions, &command)?
    };
    for (partition, success, result) in rows {
        output.row([
            Value::int4(partition),
            Value::Bool(success),
            Value::text(result),
        ])?;
    }
    Ok(output.give(admin.info))
}

/// A partition, whether it worked, and what came of it.
type Row = (usize, bool, Option<String>);

impl Admin<'_> {
    /// The cluster, once nothing of it is paused; what is done atomically is under way until the transaction's end.
    fn cluster_under_way(&self, atomic: bool) -> Result<(Rc<Cluster>, UnderWay), Error> {
        let mut patience = Patience::new();
        loop {
            patience.looks();
            function::refresh()?;
            let cluster = self.cluster()?;
            let begun = under_way::begin_so(&self.label, &cluster, None, atomic, &mut patience)?;
            if let Some(under_way) = begun {
                return Ok((cluster, under_way));
            }
        }
    }

    /// Each partition in a transaction of its own.
    fn run_each(
        &self,
        cluster: &Cluster,
        partitions: &[Partition],
        command: &str,
    ) -> Result<Vec<Row>, Error> {
        // Before anything is sent: what such a command had done by then might be committed. What only the partitions can read
        // is for them to refuse.
        let statements = statements::split(command);
        if statements.as_ref().is_ok_and(|statements| {
            statements
                .iter()
                .any(|statement| statement.copies_with_client)
        }) {
            let rows = partitions.iter();
            return Ok(rows
                .map(|partition| (partition.number, false, Some(COPY.to_owned())))
                .collect());
        }
        let step = match statements.as_deref() {
            // There are poolers that refuse the simple protocol. With a backslash the partition may read several.
            Ok([one]) if !one.text.contains('\\') => Step::Statement(encoding::sql(&one.text)?),
            _ => Step::Run(encoding::sql(command)?),
        };
        drop(statements);
        let scripts = partitions
            .iter()
            .filter_map(|partition| partition.endpoint.as_ref().ok())
            .map(|endpoint| Script {
                target: Target::New(Rc::clone(endpoint)),
                steps: vec![step.clone()],
            })
            .collect();
        let options = ScriptOptions {
            ends_transactions: true,
            ..options(cluster)
        };
        let outcomes = self.run(scripts, &options)?;
        let rows = beside(partitions, outcomes).map(|(partition, outcome)| {
            let result = match outcome {
                Ok(outcome) => result(outcome).map_err(|kind| words(&kind)),
                Err(why) => Err(why),
            };
            match result {
                Ok(value) => (partition.number, true, value),
                Err(problem) => (partition.number, false, Some(problem)),
            }
        });
        Ok(rows.collect())
    }

    /// All or none, and with the local transaction: what it does to the partitions is prepared there, and committed or rolled
    /// back as it ends.
    fn run_atomically(
        &self,
        cluster: &Cluster,
        partitions: &[Partition],
        command: &str,
    ) -> Result<Vec<Row>, Error> {
        let statements = statements::split(command)?;
        if statements.iter().any(|statement| {
            statement.controls_transaction || controls_transaction(&statement.text)
        }) {
            let what = "the command must not control transactions when it is atomic";
            return Err(self.label.error_with(sqlstate::FEATURE_NOT_SUPPORTED, what));
        }
        if statements
            .iter()
            .any(|statement| statement.copies_with_client)
        {
            return Err(self.label.error_with(sqlstate::FEATURE_NOT_SUPPORTED, COPY));
        }
        let statements = statements
            .iter()
            .map(|statement| encoding::sql(&statement.text));
        let statements = statements.collect::<Result<Vec<_>, Error>>()?;
        let mut transaction = Transaction::begin(self, cluster, partitions)?;
        let fail = |partition: &Partition, kind: &ErrorKind| self.refusal(cluster, partition, kind);
        let dones = transaction.run(self, fail, &statements)?;
        transaction.prepare(self)?;
        let rows = partitions.iter().zip(dones);
        Ok(rows
            .map(|(partition, done)| {
                let value = done.map_or(Some(String::new()), result_of);
                (partition.number, true, value)
            })
            .collect())
    }

    /// Why the command did not work.
    fn refusal(&self, cluster: &Cluster, partition: &Partition, kind: &ErrorKind) -> Error {
        let error = self.remote_error(partition, kind);
        let ErrorKind::Db(diagnostic) = kind else {
            return error;
        };
        match diagnostic.code {
            sqlstate::ACTIVE_SQL_TRANSACTION => error.hinted(
                "What cannot run inside a transaction block cannot be atomic; it works without \
                 \"atomic\".",
            ),
            sqlstate::LOCK_NOT_AVAILABLE => error.hinted(format!(
                "A lock on a partition is waited for {} ms; option \"lock_timeout\" of the cluster sets that.",
                lock_timeout(cluster).as_millis()
            )),
            _ => error,
        }
    }
}

/// What the command gave: the first column of the first row, or else its command tag.
fn result(outcome: Outcome) -> Result<Option<String>, ErrorKind> {
    outcome.into_last().map(result_of)
}

fn result_of(done: StepResult) -> Option<String> {
    match done {
        StepResult::Ran {
            value: Some(value), ..
        } => value,
        StepResult::Ran { value: None, tag } => Some(tag),
        StepResult::Described(_) => None,
    }
}
