//! SQL on all partitions: each on its own, or all or none.
#![forbid(unsafe_code)]

use super::output::{Output, Value};
use super::two_phase::Transaction;
use super::{Admin, Partition, beside, options, words};
use crate::cluster::Cluster;
use crate::error::{Error, Report, sqlstate};
use crate::pg::allocator;
use crate::pg::fcinfo::CallInfo;
use crate::pg::statements;
use pgrx::pg_sys::Datum;
use plproxy_remote::{COPY, Done, Errand, ErrorKind, On, Outcome, Step};
use std::rc::Rc;

/// `plproxy_run_on_all(cluster text, command text, atomic boolean) → setof record`.
pub(crate) fn run(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let cluster = admin.cluster()?;
    let command = admin.text(1, "command")?;
    let atomic = admin.flag(2, "atomic")?;
    let partitions = admin.partitions(&cluster)?;
    let room = allocator::hold(command.len().saturating_mul(2))?;
    let command: Rc<str> = command.into();
    drop(room);
    let mut output = Output::new(admin.info)?;
    let rows = if atomic {
        admin.run_atomically(&cluster, &partitions, command)?
    } else {
        admin.run_each(&cluster, &partitions, command)?
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
    /// Each partition in a transaction of its own.
    fn run_each(
        &self,
        cluster: &Cluster,
        partitions: &[Partition],
        command: Rc<str>,
    ) -> Result<Vec<Row>, Error> {
        // Before anything is sent: what such a command had done by then might be committed. What only the partitions can read
        // is for them to refuse.
        if statements::copy_with_the_client(&command).unwrap_or(false) {
            let rows = partitions.iter();
            return Ok(rows
                .map(|partition| (partition.number, false, Some(COPY.to_owned())))
                .collect());
        }
        let errands = partitions
            .iter()
            .filter_map(|partition| partition.endpoint.as_ref().ok())
            .map(|endpoint| Errand {
                on: On::New(Rc::clone(endpoint)),
                steps: vec![Step::RunShared(Rc::clone(&command))],
            })
            .collect();
        let outcomes = self.run(errands, &options(cluster))?;
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
        command: Rc<str>,
    ) -> Result<Vec<Row>, Error> {
        if statements::control_transactions(&command)? {
            let what = "the command must not control transactions when it is atomic";
            return Err(self.label.error_with(sqlstate::FEATURE_NOT_SUPPORTED, what));
        }
        if statements::copy_with_the_client(&command)? {
            return Err(self.label.error_with(sqlstate::FEATURE_NOT_SUPPORTED, COPY));
        }
        let mut transaction = Transaction::begin(self, cluster, partitions)?;
        let steps = vec![Step::Run("begin".to_owned()), Step::RunShared(command)];
        let outcomes = transaction.step(
            self,
            |partition, kind| self.refusal(partition, kind),
            |_| steps.clone(),
        )?;
        let mut rows = Vec::with_capacity(outcomes.len());
        for (partition, outcome) in partitions.iter().zip(outcomes) {
            let value = result(outcome).map_err(|kind| self.remote_error(partition, &kind))?;
            rows.push((partition.number, true, value));
        }
        transaction.prepare(self)?;
        Ok(rows)
    }

    /// Why the command did not work.
    fn refusal(&self, partition: &Partition, kind: &ErrorKind) -> Error {
        let error = self.remote_error(partition, kind);
        match (kind, error) {
            (ErrorKind::Db(diagnostic), Error::Report(mut report))
                if diagnostic.code == sqlstate::ACTIVE_SQL_TRANSACTION =>
            {
                report.hint = Some(
                    "What cannot run inside a transaction block cannot be atomic; it works without \
                     \"atomic\"."
                        .to_owned(),
                );
                Report::into(*report)
            }
            (_, error) => error,
        }
    }
}

/// What the command gave: the first column of the first row, or else its command tag.
fn result(outcome: Outcome) -> Result<Option<String>, ErrorKind> {
    Ok(match outcome.into_last()? {
        Done::Ran {
            value: Some(value), ..
        } => value,
        Done::Ran { value: None, tag } => Some(tag),
        Done::Described(_) => None,
    })
}
