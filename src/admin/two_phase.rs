//! Work on several partitions that is committed with the local transaction, or not at all.
//!
//! It is prepared on every partition at once, under an identifier of which the local transaction writes a row. The local
//! commit is the decision: it makes the rows durable, and only then, in the callback behind it, the partitions are told to
//! commit. A rollback, also that of a savepoint, makes them roll back. What cannot be finished then stays prepared, and
//! the recovery finds it: a row means commit, no row means rollback. As long as the session is at it, it holds a lock that
//! keeps the recovery away; the lock goes when the transaction is over for everybody to see, or the session is gone.
#![forbid(unsafe_code)]

use super::decisions::Decisions;
use super::gid::Gid;
use super::{Admin, CONNECT_TIMEOUT, Partition, options, words};
use crate::cluster::Cluster;
use crate::error::{Error, Report, sqlstate};
use crate::pg::report::{Level, emit};
use crate::pg::xact::{self, Ending};
use crate::remote::remote;
use core::cell::RefCell;
use plproxy_core::ident::quote_literal;
use plproxy_remote::{
    Done, Endpoint, Errand, ErrandOptions, ErrorKind, Event, On, Outcome, Session, Step,
};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long the second phase may take: nothing can interrupt it.
const SECOND_PHASE: Duration = Duration::from_secs(10);

/// The command tag of a preparation; that of one in a failed transaction is another.
const PREPARED: &str = "PREPARE TRANSACTION";

thread_local! {
    /// What this session's transaction has prepared, or is preparing.
    static PENDING: RefCell<Vec<Pending>> = const { RefCell::new(Vec::new()) };
}

/// A transaction on a partition that waits for the local one.
struct Pending {
    gid: String,
    cluster: String,
    partition: usize,
    endpoint: Rc<Endpoint>,
    /// The connection that prepared it; none while it does.
    session: Option<Session>,
    subtransaction: u32,
}

/// Whether this session's own transaction has prepared it.
pub(super) fn is_own(gid: &str) -> bool {
    PENDING.with_borrow(|pending| pending.iter().any(|pending| pending.gid == gid))
}

/// Work that is on its way to be prepared. Dropped before, it hangs up, and the partitions roll back.
pub(super) struct Transaction<'a> {
    cluster: &'a Cluster,
    partitions: &'a [Partition],
    endpoints: Vec<Rc<Endpoint>>,
    /// One for each partition.
    sessions: Vec<Session>,
    gids: Vec<String>,
}

impl<'a> Transaction<'a> {
    /// Connects to all partitions, sees whether they can prepare, and writes the rows that the local commit is to make
    /// the decision.
    pub(super) fn begin(
        admin: &Admin<'_>,
        cluster: &'a Cluster,
        partitions: &'a [Partition],
    ) -> Result<Self, Error> {
        let endpoints = partitions
            .iter()
            .map(|partition| match &partition.endpoint {
                Ok(endpoint) => Ok(Rc::clone(endpoint)),
                Err(why) => Err(admin.label.error(why)),
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let errands = endpoints
            .iter()
            .map(|endpoint| Errand {
                on: On::New(Rc::clone(endpoint)),
                steps: vec![Step::Run("show max_prepared_transactions".to_owned())],
            })
            .collect();
        let mut outcomes = admin.run(errands, &options(cluster))?;
        let mut connections = Vec::with_capacity(outcomes.len());
        for (partition, outcome) in partitions.iter().zip(&outcomes) {
            let fail = |kind: &ErrorKind| admin.remote_error(partition, kind);
            if let Done::Ran {
                value: Some(Some(most)),
                ..
            } = outcome.last().map_err(fail)?
                && most == "0"
            {
                return Err(cannot_prepare(admin, partition));
            }
            connections.push(match &outcome.connection {
                Ok(connection) => connection.clone(),
                Err(kind) => return Err(fail(kind)),
            });
        }
        let sessions = sessions_of(partitions, admin, &mut outcomes)?;

        xact::at_end_of_prepared(ended)?;
        let gid = Gid::take()?;
        let decisions = Decisions::open(admin)?;
        let mut gids = Vec::with_capacity(partitions.len());
        for (partition, connection) in partitions.iter().zip(&connections) {
            let gid = gid.text(partition.number)?;
            decisions.add(&gid, &cluster.name, partition.number, connection)?;
            gids.push(gid);
        }
        // The partitions commit after the local transaction, and must not be ahead of what a crash leaves of it.
        xact::force_sync_commit()?;
        Ok(Self {
            cluster,
            partitions,
            endpoints,
            sessions,
            gids,
        })
    }

    /// Runs steps on all partitions. If one fails, so does the whole, with the error that `fail` makes of it.
    pub(super) fn step(
        &mut self,
        admin: &Admin<'_>,
        fail: impl Fn(&Partition, &ErrorKind) -> Error,
        steps: impl Fn(usize) -> Vec<Step>,
    ) -> Result<Vec<Outcome>, Error> {
        let sessions = std::mem::take(&mut self.sessions);
        let errands = sessions
            .into_iter()
            .enumerate()
            .map(|(number, session)| Errand {
                on: On::Session(session),
                steps: steps(number),
            })
            .collect();
        let mut outcomes = admin.run(errands, &options(self.cluster))?;
        for (partition, outcome) in self.partitions.iter().zip(&outcomes) {
            outcome.last().map_err(|kind| fail(partition, kind))?;
        }
        self.sessions = sessions_of(self.partitions, admin, &mut outcomes)?;
        Ok(outcomes)
    }

    /// Prepares on all partitions. From here on the end of the local transaction decides.
    pub(super) fn prepare(mut self, admin: &Admin<'_>) -> Result<(), Error> {
        let subtransaction = xact::subtransaction();
        let places = self.partitions.iter().zip(&self.endpoints).zip(&self.gids);
        let pending = places.map(|((partition, endpoint), gid)| Pending {
            gid: gid.clone(),
            cluster: self.cluster.name.clone(),
            partition: partition.number,
            endpoint: Rc::clone(endpoint),
            session: None,
            subtransaction,
        });
        // Before anything is sent: should the answer not come, it may be prepared all the same.
        PENDING.with_borrow_mut(|all| all.extend(pending));
        let errands = std::mem::take(&mut self.sessions)
            .into_iter()
            .zip(&self.gids)
            .map(|(session, gid)| Errand {
                on: On::Session(session),
                steps: vec![Step::Run(format!(
                    "prepare transaction {}",
                    quote_literal(gid)
                ))],
            })
            .collect();
        let outcomes = admin.run(errands, &options(self.cluster))?;
        let mut failure = None;
        for ((partition, gid), outcome) in self.partitions.iter().zip(&self.gids).zip(outcomes) {
            let refused = matches!(outcome.error(), Some(ErrorKind::Db(d)) if !d.fatal);
            let error = match outcome.last() {
                Ok(Done::Ran { tag, .. }) if tag == PREPARED => None,
                Ok(_) => Some(admin.remote_error(partition, &not_prepared())),
                Err(kind) => Some(admin.remote_error(partition, kind)),
            };
            failure = failure.or(error);
            PENDING.with_borrow_mut(|all| {
                if refused {
                    // The partition has rolled it back.
                    all.retain(|pending| pending.gid != *gid);
                } else if let Some(mine) = all.iter_mut().find(|pending| pending.gid == *gid) {
                    mine.session = outcome.session;
                }
            });
        }
        failure.map_or(Ok(()), Err)
    }
}

/// The sessions of outcomes that all worked.
fn sessions_of(
    partitions: &[Partition],
    admin: &Admin<'_>,
    outcomes: &mut [Outcome],
) -> Result<Vec<Session>, Error> {
    let all = partitions.iter().zip(outcomes);
    all.map(|(partition, outcome)| {
        let session = outcome.session.take();
        session.ok_or_else(|| admin.remote_error(partition, &ErrorKind::Closed))
    })
    .collect()
}

fn not_prepared() -> ErrorKind {
    ErrorKind::Protocol("server did not prepare the transaction".to_owned())
}

fn cannot_prepare(admin: &Admin<'_>, partition: &Partition) -> Error {
    let what = format_args!(
        "[{}] max_prepared_transactions is 0 on partition {}, so nothing can be prepared there",
        partition.dbname(),
        partition.number
    );
    let state = sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE;
    match admin.label.error_with(state, what) {
        Error::Report(mut report) => {
            report.hint = Some(
                "Set it on that server and restart it, or run the command without \"atomic\"."
                    .to_owned(),
            );
            Report::into(*report)
        }
        error => error,
    }
}

/// The local transaction, or a part of it, ends.
fn ended(ending: Ending) -> Result<(), Error> {
    match ending {
        Ending::Committed => finish(PENDING.take(), Verb::Commit),
        Ending::Aborted => finish(PENDING.take(), Verb::Rollback),
        Ending::Preparing if PENDING.with_borrow(|pending| !pending.is_empty()) => {
            let what = "cannot PREPARE a transaction that has run a command on all partitions of a \
                 cluster atomically";
            return Err(Report::new(sqlstate::FEATURE_NOT_SUPPORTED, what).into());
        }
        Ending::Preparing => (),
        Ending::SubCommitted(this, parent) => PENDING.with_borrow_mut(|all| {
            for pending in all.iter_mut().filter(|p| p.subtransaction == this) {
                pending.subtransaction = parent;
            }
        }),
        Ending::SubAborted(this) => {
            let is_its = |pending: &mut Pending| pending.subtransaction == this;
            let its = PENDING.with_borrow_mut(|all| all.extract_if(.., is_its).collect());
            finish(its, Verb::Rollback);
        }
    }
    Ok(())
}

/// How a prepared transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Commit,
    Rollback,
}

impl Verb {
    pub(super) fn statement(self, gid: &str) -> Step {
        let verb = match self {
            Self::Commit => "commit",
            Self::Rollback => "rollback",
        };
        Step::Run(format!("{verb} prepared {}", quote_literal(gid)))
    }

    pub(super) fn past(self) -> &'static str {
        match self {
            Self::Commit => "committed",
            Self::Rollback => "rolled back",
        }
    }
}

/// The second phase. Nothing here may fail: what cannot be finished is left to the recovery, with a warning.
fn finish(mut pending: Vec<Pending>, verb: Verb) {
    let deadline = Instant::now() + SECOND_PHASE;
    for attempt in 0..2 {
        if pending.is_empty() {
            return;
        }
        let errands = pending.iter_mut().map(|pending| Errand {
            on: match pending.session.take() {
                Some(session) => On::SessionOrNew(session, Rc::clone(&pending.endpoint)),
                None => On::New(Rc::clone(&pending.endpoint)),
            },
            steps: vec![verb.statement(&pending.gid)],
        });
        let mut outcomes = run_quietly(errands.collect(), deadline).into_iter();
        let mut again = Vec::new();
        for pending in pending {
            let Some(outcome) = outcomes.next() else {
                // None is dropped without a word.
                warn(&pending, verb, "its partition could not be told");
                continue;
            };
            match outcome.last() {
                Ok(_) => (),
                // It was never prepared, or an attempt whose answer was lost has ended it.
                Err(ErrorKind::Db(diagnostic))
                    if diagnostic.code == sqlstate::UNDEFINED_OBJECT
                        && (verb == Verb::Rollback || attempt > 0) => {}
                // The connection was lost; the statement may be sent again, as it cannot run twice.
                Err(ErrorKind::Closed | ErrorKind::Io(_)) if attempt == 0 => again.push(pending),
                Err(kind) => warn(&pending, verb, &words(kind)),
            }
        }
        pending = again;
    }
}

fn run_quietly(errands: Vec<Errand>, deadline: Instant) -> Vec<Outcome> {
    let left = deadline.saturating_duration_since(Instant::now());
    let options = ErrandOptions {
        default_connect_timeout: Some(CONNECT_TIMEOUT),
        whole_limit: Some(left),
        ..ErrandOptions::default()
    };
    let Ok(remote) = remote() else {
        return Vec::new();
    };
    let mut running = remote.errands(errands, &options);
    // Interrupts are held off here, and must wait.
    while !matches!(running.next(), Event::Finished) {}
    running.outcomes()
}

fn warn(pending: &Pending, verb: Verb, why: &str) {
    let Pending {
        gid,
        cluster,
        partition,
        ..
    } = pending;
    let message = format!(
        "prepared transaction \"{gid}\" on partition {partition} of cluster \"{cluster}\" could not be {}: {why}",
        verb.past()
    );
    let mut report = Report::new(sqlstate::WARNING, message);
    report.hint = Some(format!(
        "SELECT * FROM plproxy_recover_prepared({}) finishes it.",
        quote_literal(cluster)
    ));
    // There is nobody left to tell.
    let _ = emit(Level::Warning, &report);
}
