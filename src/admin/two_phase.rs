//! Work on several partitions that is committed with the local transaction, or not at all.
//!
//! It is prepared on every partition at once, under names that carry the number of the local (sub)transaction. The local commit
//! is the decision, and only then, in the callback behind it, the partitions are told to commit. A rollback, also that of
//! a savepoint, makes them roll back. What cannot be finished then stays prepared, and the recovery finds it: it asks the
//! commit log. As long as the session is at it, it holds a lock that keeps the recovery away; the lock goes when the
//! transaction is over for everybody to see, or the session is gone.
#![forbid(unsafe_code)]

use super::{Admin, Partition, options};
use crate::cluster::Cluster;
use crate::error::{Error, sqlstate};
use crate::pg::lock::{self, Kind};
use crate::pg::xact;
use crate::transaction::decisions::Decisions;
use crate::transaction::gid::Gid;
use crate::transaction::instance::Instance;
use crate::transaction::member::lock_timeout;
use crate::transaction::pending::{self, PREPARED};
use crate::transaction::second_phase::Pending;
use crate::transaction::site::{self, Site};
use core::fmt;
use plproxy_core::hash::siphash;
use plproxy_core::ident::quote_literal;
use plproxy_remote::{
    Endpoint, ErrorKind, Outcome, Script, Session, SqlText, Step, StepResult, Target,
};
use std::rc::Rc;

/// Asks which transaction it is, and whether who is at work there is who logged in.
const WHO: &str = "select pg_catalog.concat_ws(' ', pg_catalog.pg_current_xact_id(), \
    current_user operator(pg_catalog.=) session_user)";
/// Has what was put off until the commit happen as who the command has left, and then is again who logged in, whom the
/// prepared transaction is to belong to.
const BE_ONESELF: &str = "set constraints all immediate; reset session authorization; reset role";

/// Work that is on its way to be prepared. Dropped before, it hangs up, and the partitions roll back.
pub(super) struct Transaction<'a> {
    cluster: &'a Cluster,
    places: Vec<Place<'a>>,
    /// One for each place.
    sessions: Vec<Session>,
}

/// A partition, and the transaction there.
struct Place<'a> {
    partition: &'a Partition,
    endpoint: Rc<Endpoint>,
    site: Site,
    transaction: u64,
    /// The command has left another role than that which logged in.
    is_somebody_else: bool,
}

impl<'a> Transaction<'a> {
    /// Begins a transaction on all partitions, where they can prepare and are different databases.
    pub(super) fn begin(
        admin: &Admin<'_>,
        cluster: &'a Cluster,
        partitions: &'a [Partition],
    ) -> Result<Self, Error> {
        xact::prevent_if_read_only(c"an atomic plproxy_run_on_all()")?;
        crate::transaction::watch()?;
        pending::take_time();
        // Before anything is done on the partitions.
        let _ = Decisions::open(Some(&admin.label))?;
        let endpoints = partitions
            .iter()
            .map(|partition| match &partition.endpoint {
                Ok(endpoint) => Ok(Rc::clone(endpoint)),
                Err(why) => Err(admin.label.error(why)),
            })
            .collect::<Result<Vec<_>, Error>>()?;
        // Two of them would take the locks on the partitions in different orders, and wait for each other.
        let number = siphash(cluster.name.as_bytes()).cast_unsigned();
        lock::lock(Kind::Cluster, number)?;

        let begin = format!(
            "begin; set local lock_timeout = {}; {WHO}",
            lock_timeout(cluster).as_millis()
        );
        let scripts = endpoints
            .iter()
            .map(|endpoint| {
                let held = pending::take_session(endpoint.id());
                // What a command before has left in the session is not for this one.
                let discard = held.is_some().then_some(Step::Discard);
                Script {
                    target: match held {
                        Some(session) => Target::SessionOrNew(session, Rc::clone(endpoint)),
                        None => Target::New(Rc::clone(endpoint)),
                    },
                    steps: discard
                        .into_iter()
                        .chain([
                            Step::Run(site::QUESTION.into()),
                            Step::Run(begin.as_str().into()),
                        ])
                        .collect(),
                }
            })
            .collect();
        let mut outcomes = admin.run(scripts, &options(cluster))?;
        let mut places = Vec::with_capacity(outcomes.len());
        let all = partitions.iter().zip(endpoints);
        for ((partition, endpoint), outcome) in all.zip(&outcomes) {
            places.push(Place::of(admin, partition, endpoint, outcome)?);
        }
        if let Some(error) = twice(admin, &places) {
            return Err(error);
        }
        let sessions = sessions_of(admin, &places, &mut outcomes)?;
        Ok(Self {
            cluster,
            places,
            sessions,
        })
    }

    /// Runs statements on all partitions, each of which is to hold one and no more. If one fails, so does the whole, with the
    /// error that `fail` makes of it. Returns what the last one gave.
    pub(super) fn run(
        &mut self,
        admin: &Admin<'_>,
        fail: impl Fn(&Partition, &ErrorKind) -> Error,
        statements: &[SqlText],
    ) -> Result<Vec<Option<StepResult>>, Error> {
        // The partition sees for itself, in the place where it will read it, that a text is one statement.
        let steps = statements
            .iter()
            .flat_map(|sql| [Step::Parse(sql.clone()), Step::Run(sql.clone())])
            .chain([Step::Run(WHO.into())])
            .collect::<Vec<_>>();
        let mut outcomes = self.step(admin, fail, |_| steps.clone())?;
        let mut dones = Vec::with_capacity(outcomes.len());
        for (place, outcome) in self.places.iter_mut().zip(&mut outcomes) {
            let who = outcome.steps.pop().and_then(|step| step.result.ok());
            let who = who.and_then(value).unwrap_or_default();
            match read_who(&who) {
                Some((transaction, is_oneself)) if transaction == place.transaction => {
                    place.is_somebody_else = !is_oneself;
                }
                _ => {
                    let what = "the command has ended its transaction".to_owned();
                    return Err(admin.remote_error(place.partition, &ErrorKind::Protocol(what)));
                }
            }
            dones.push(outcome.steps.pop().and_then(|step| step.result.ok()));
        }
        Ok(dones)
    }

    /// Runs steps on all partitions.
    fn step(
        &mut self,
        admin: &Admin<'_>,
        fail: impl Fn(&Partition, &ErrorKind) -> Error,
        steps: impl Fn(&Place<'_>) -> Vec<Step>,
    ) -> Result<Vec<Outcome>, Error> {
        let sessions = std::mem::take(&mut self.sessions);
        let scripts = sessions
            .into_iter()
            .zip(&self.places)
            .map(|(session, place)| Script {
                target: Target::Session(session),
                steps: steps(place),
            })
            .collect();
        let mut outcomes = admin.run(scripts, &options(self.cluster))?;
        for (place, outcome) in self.places.iter().zip(&outcomes) {
            if let Some(kind) = outcome.error() {
                return Err(fail(place.partition, kind));
            }
        }
        self.sessions = sessions_of(admin, &self.places, &mut outcomes)?;
        Ok(outcomes)
    }

    /// Prepares on all partitions. From here on the end of the local transaction decides.
    pub(super) fn prepare(mut self, admin: &Admin<'_>) -> Result<(), Error> {
        let fail = |partition: &Partition, kind: &ErrorKind| admin.remote_error(partition, kind);
        if self.places.iter().any(|place| place.is_somebody_else) {
            self.step(admin, fail, |place| {
                let step = Step::Run(BE_ONESELF.into());
                Vec::from_iter(place.is_somebody_else.then_some(step))
            })?;
        }
        let gids = self.decide(admin)?;
        let scripts = std::mem::take(&mut self.sessions)
            .into_iter()
            .zip(&gids)
            .map(|(session, gid)| Script {
                target: Target::Session(session),
                steps: vec![Step::Run(
                    format!("prepare transaction {}", quote_literal(gid)).into(),
                )],
            })
            .collect();
        let mut failure = None;
        let ended =
            admin.run_each_to_its_end(scripts, &options(self.cluster), &mut |number, outcome| {
                if let (Some(place), Some(gid)) = (self.places.get(number), gids.get(number))
                    && let Err(kind) =
                        pending::answered(gid, place.endpoint.id(), outcome, PREPARED)
                {
                    failure.get_or_insert_with(|| fail(place.partition, &kind));
                }
            });
        ended?;
        failure.map_or(Ok(()), Err)
    }

    /// Has the local commit be the decision. Returns the names.
    fn decide(&self, admin: &Admin<'_>) -> Result<Vec<String>, Error> {
        let transaction = xact::id()?;
        lock::lock(Kind::Transaction, transaction)?;
        let name = Gid::of_command(Instance::this()?, transaction);
        let decisions = Decisions::open(Some(&admin.label))?;
        let mut gids = Vec::with_capacity(self.places.len());
        for place in &self.places {
            let gid = name(place.partition.number);
            decisions.add(&gid, &self.cluster.name, &place.site, place.transaction)?;
            gids.push(gid.text());
        }
        // The partitions commit after the local transaction, and must not be ahead of what a crash leaves of it.
        xact::force_sync_commit()?;
        // Nor may a crash have the number given again, to a transaction that commits.
        xact::flush_log()?;
        let subtransaction = xact::subtransaction();
        let origins = self
            .places
            .iter()
            .zip(&self.sessions)
            .map(|(place, session)| {
                let closed = || admin.remote_error(place.partition, &ErrorKind::Closed);
                session.origin().ok_or_else(closed)
            });
        let origins = origins.collect::<Result<Vec<_>, Error>>()?;
        let named = self.places.iter().zip(&gids).zip(origins);
        let pending = named.map(|((place, gid), origin)| Pending {
            gid: gid.clone(),
            origin,
            cluster: self.cluster.name.clone(),
            partition: place.partition.number,
            endpoint: Rc::clone(&place.endpoint),
            transaction: place.transaction,
            is_prepared: false,
            subtransaction,
        });
        // Before anything is sent: should the answer not come, it may be prepared all the same.
        pending::extend(pending);
        Ok(gids)
    }
}

impl<'a> Place<'a> {
    /// What the steps of `begin` have given.
    fn of(
        admin: &Admin<'_>,
        partition: &'a Partition,
        endpoint: Rc<Endpoint>,
        outcome: &Outcome,
    ) -> Result<Self, Error> {
        let fail = |kind: &ErrorKind| admin.remote_error(partition, kind);
        let at = outcome.connection.as_ref().map_err(fail)?;
        let answer = outcome.steps.iter().rev().nth(1);
        let answer = answer.map(|step| step.result.clone());
        let site = match answer {
            Some(Ok(done)) => value(done).and_then(|answer| Site::read(&answer, at)),
            _ => None,
        };
        if let Some(site) = &site {
            let number = partition.number;
            if site.is_standby() {
                let what = format_args!("partition {number} is a standby server");
                let hint = "Run it where the partition can be written to.";
                return Err(cannot_prepare(admin, partition, what, hint));
            }
            if !site.can_prepare() {
                let what = format_args!("max_prepared_transactions is 0 on partition {number}");
                let hint = "Set it on that server and restart it, or run the command without \
                            \"atomic\".";
                return Err(cannot_prepare(admin, partition, what, hint));
            }
        }
        let who = outcome.last().map_err(fail)?.clone();
        let who = value(who).unwrap_or_default();
        match (site, read_who(&who)) {
            (Some(site), Some((transaction, is_oneself))) => Ok(Self {
                partition,
                endpoint,
                site,
                transaction,
                is_somebody_else: !is_oneself,
            }),
            _ => Err(fail(&ErrorKind::Protocol(
                "server did not answer a question about itself".to_owned(),
            ))),
        }
    }
}

/// Reads the answer to [`WHO`]: the number of the transaction, and whether one is oneself.
fn read_who(who: &str) -> Option<(u64, bool)> {
    let (transaction, is_oneself) = who.split_once(' ')?;
    Some((transaction.parse().ok()?, is_oneself == "t"))
}

/// The value that was asked for.
fn value(done: StepResult) -> Option<String> {
    match done {
        StepResult::Ran { value, .. } => value.flatten(),
        StepResult::Described(_) => None,
    }
}

/// The sessions of outcomes that all worked.
fn sessions_of(
    admin: &Admin<'_>,
    places: &[Place<'_>],
    outcomes: &mut [Outcome],
) -> Result<Vec<Session>, Error> {
    let all = places.iter().zip(outcomes);
    all.map(|(place, outcome)| {
        let session = outcome.session.take();
        session.ok_or_else(|| admin.remote_error(place.partition, &ErrorKind::Closed))
    })
    .collect()
}

fn cannot_prepare(admin: &Admin<'_>, at: &Partition, why: fmt::Arguments<'_>, hint: &str) -> Error {
    let state = sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE;
    let what = format_args!("[{}] {why}, so nothing can be prepared there", at.dbname());
    admin.label.error_with(state, what).hinted(hint)
}

/// Two partitions that are one database would wait for each other's locks there.
fn twice(admin: &Admin<'_>, places: &[Place<'_>]) -> Option<Error> {
    places.iter().enumerate().find_map(|(at, place)| {
        let mut before = places.iter().take(at);
        let first = before.find(|first| first.site.is_same_database(&place.site))?;
        let what = format_args!(
            "partitions {} and {} are one database ({} and {})",
            first.partition.number, place.partition.number, first.site.address, place.site.address,
        );
        let state = sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE;
        let hint = "A command that is atomic would wait for itself there. Give them the same \
                    connection string: then they are one.";
        Some(admin.label.error_with(state, what).hinted(hint))
    })
}
