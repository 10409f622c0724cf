//! The end of what lost sessions left prepared on partitions.
#![forbid(unsafe_code)]

use super::decisions::Decisions;
use super::gid::Gid;
use super::output::{Output, Value};
use super::two_phase::{Verb, is_own};
use super::{Admin, Partition, beside, options, words};
use crate::cluster::Cluster;
use crate::error::{Error, sqlstate};
use crate::pg::fcinfo::CallInfo;
use crate::pg::xact;
use pgrx::pg_sys::Datum;
use plproxy_core::ident::quote_literal;
use plproxy_remote::{Done, Errand, ErrandOptions, ErrorKind, On, Outcome, Session, Step};
use std::collections::HashSet;
use std::rc::Rc;

/// What was done about a transaction, or what is wrong with a partition.
struct Action {
    partition: usize,
    gid: Option<String>,
    what: String,
}

/// What is prepared on a partition.
struct Listed {
    partition: usize,
    session: Session,
    /// What was known here to be decided before the partition was asked.
    decided: Vec<String>,
    prepared: Vec<String>,
}

/// A transaction to be ended.
struct Ending {
    gid: String,
    verb: Verb,
}

/// `plproxy_recover_prepared(cluster text) → setof record`.
pub(crate) fn recover(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let cluster = admin.cluster()?;
    admin.check_recovery()?;
    let mut output = Output::new(admin.info)?;
    for action in admin.recover(&cluster)? {
        output.row([
            Value::int4(action.partition),
            Value::text(action.gid),
            Value::Text(action.what),
        ])?;
    }
    Ok(output.give(admin.info))
}

impl Admin<'_> {
    /// The absence of a decision means rollback, so all decisions must be seen, and all sessions that may still make one.
    fn check_recovery(&self) -> Result<(), Error> {
        let what = if xact::in_recovery() {
            "prepared transactions cannot be recovered on a standby server"
        } else if !xact::sees_later_commits() {
            "prepared transactions can only be recovered in a READ COMMITTED transaction"
        } else {
            return Ok(());
        };
        let state = sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE;
        Err(self.label.error_with(state, what))
    }

    fn recover(&self, cluster: &Cluster) -> Result<Vec<Action>, Error> {
        let decisions = Decisions::open(self)?;
        let partitions = self.partitions(cluster)?;
        let mut actions = Vec::new();
        let mut errands = Vec::new();
        let mut endings = Vec::new();
        let mut seen = HashSet::new();
        for listed in self.list(cluster, &partitions, &decisions, &mut actions)? {
            let Listed {
                partition,
                session,
                decided,
                prepared,
            } = listed;
            // What was decided before the list was made and is not on it is committed.
            for gid in &decided {
                if !prepared.contains(gid) && !is_own(gid) {
                    decisions.remove(gid)?;
                }
            }
            let mut ends = Vec::new();
            // Two partitions may be one database.
            for gid in prepared.into_iter().filter(|gid| seen.insert(gid.clone())) {
                match self.decide(&decisions, &gid)? {
                    Some(verb) => ends.push(Ending { gid, verb }),
                    None => actions.push(Action {
                        partition,
                        gid: Some(gid),
                        what: "in progress".to_owned(),
                    }),
                }
            }
            if !ends.is_empty() {
                errands.push(Errand {
                    on: On::Session(session),
                    steps: ends.iter().map(|e| e.verb.statement(&e.gid)).collect(),
                });
                endings.push((partition, ends));
            }
        }
        let outcomes = self.run(
            errands,
            &ErrandOptions {
                go_on: true,
                ..options(cluster)
            },
        )?;
        for ((partition, ends), outcome) in endings.into_iter().zip(outcomes) {
            let connection = outcome.connection.err();
            let mut results = outcome.steps.into_iter().map(|step| step.result);
            for Ending { gid, verb } in ends {
                let lost = || connection.clone().unwrap_or(ErrorKind::Closed);
                let what = match results.next().unwrap_or_else(|| Err(lost())) {
                    Ok(_) => {
                        if verb == Verb::Commit {
                            decisions.remove(&gid)?;
                        }
                        verb.past().to_owned()
                    }
                    Err(kind) => words(&kind),
                };
                actions.push(Action {
                    partition,
                    gid: Some(gid),
                    what,
                });
            }
        }
        actions.sort_by(|a, b| (a.partition, &a.gid).cmp(&(b.partition, &b.gid)));
        Ok(actions)
    }

    /// What is to become of a prepared transaction; `None` while its session is at it.
    fn decide(&self, decisions: &Decisions, gid: &str) -> Result<Option<Verb>, Error> {
        let Some(parsed) = Gid::parse(gid).filter(|_| !is_own(gid)) else {
            return Ok(None);
        };
        // The lock first: who had it has made the decision, and it can be seen.
        if !parsed.lock()? {
            return Ok(None);
        }
        Ok(Some(if decisions.has(gid)? {
            Verb::Commit
        } else {
            Verb::Rollback
        }))
    }

    /// Asks the partitions. Those that cannot be asked are among the actions.
    fn list(
        &self,
        cluster: &Cluster,
        partitions: &[Partition],
        decisions: &Decisions,
        actions: &mut Vec<Action>,
    ) -> Result<Vec<Listed>, Error> {
        let connect = partitions
            .iter()
            .filter_map(|partition| partition.endpoint.as_ref().ok())
            .map(|endpoint| Errand {
                on: On::New(Rc::clone(endpoint)),
                steps: Vec::new(),
            })
            .collect();
        let connected = self.run(connect, &options(cluster))?;
        let mut reached = Vec::new();
        let mut errands = Vec::new();
        for (partition, outcome) in beside(partitions, connected) {
            match usable(outcome) {
                Ok((connection, session)) => {
                    reached.push((partition.number, decisions.at(&connection)?));
                    errands.push(Errand {
                        on: On::Session(session),
                        steps: vec![Step::Run(format!(
                            "select case when not pg_catalog.pg_is_in_recovery() \
                                 then coalesce(pg_catalog.string_agg(gid, ' ' order by gid), '') end \
                             from pg_catalog.pg_prepared_xacts \
                             where database = pg_catalog.current_database() and gid ~ {}",
                            quote_literal(&Gid::pattern()?)
                        ))],
                    });
                }
                Err(what) => actions.push(Action {
                    partition: partition.number,
                    gid: None,
                    what,
                }),
            }
        }
        let outcomes = self.run(errands, &options(cluster))?;
        let mut lists = Vec::new();
        for ((partition, decided), mut outcome) in reached.into_iter().zip(outcomes) {
            let session = outcome.session.take();
            let list = match outcome.last() {
                Ok(Done::Ran {
                    value: Some(Some(list)),
                    ..
                }) => Ok(list.split_whitespace().map(str::to_owned).collect()),
                // A standby lists nothing, whatever is prepared.
                Ok(Done::Ran {
                    value: Some(None), ..
                }) => Err("the server is a standby".to_owned()),
                Ok(_) => Err(words(&ErrorKind::Closed)),
                Err(kind) => Err(words(kind)),
            };
            match (list, session) {
                (Ok(prepared), Some(session)) => lists.push(Listed {
                    partition,
                    session,
                    decided,
                    prepared,
                }),
                (result, _) => actions.push(Action {
                    partition,
                    gid: None,
                    what: result.err().unwrap_or_else(|| words(&ErrorKind::Closed)),
                }),
            }
        }
        Ok(lists)
    }
}

/// The connection that an errand without steps has made.
fn usable(
    outcome: Result<Outcome, String>,
) -> Result<(plproxy_remote::ConnectionInfo, Session), String> {
    let outcome = outcome?;
    let connection = outcome.connection.map_err(|kind| words(&kind))?;
    let session = outcome.session.ok_or_else(|| words(&ErrorKind::Closed))?;
    Ok((connection, session))
}
