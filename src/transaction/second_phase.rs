//! The second phase: what is prepared on partitions is committed, or rolled back.
#![forbid(unsafe_code)]

use crate::error::{Report, sqlstate, words};
use crate::pg::report::{Level, emit};
use crate::remote::{CONNECT_TIMEOUT, remote_if_made};
use crate::transaction::site::{self, Site};
use crate::transaction::status::Status;
use plproxy_core::ident::quote_literal;
use plproxy_remote::{
    Endpoint, ErrorKind, Event, Origin, Outcome, Script, ScriptOptions, Session, Step, StepResult,
    Target,
};
use std::collections::HashMap;
use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long to wait before asking again, at first and at the most.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Connections, by the numbers of their endpoints.
pub(crate) type Sessions = HashMap<u64, Session>;

/// A transaction on a partition that waits for the local one.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) gid: String,
    pub(crate) cluster: String,
    pub(crate) partition: usize,
    pub(crate) endpoint: Rc<Endpoint>,
    /// The very server that it is on. Interrupts are held off when that is connected to again: nothing may look a name up then,
    /// as no limit of time ends that.
    pub(crate) origin: Origin,
    /// The number of the transaction on the partition.
    pub(crate) transaction: u64,
    /// The partition has said so. Else it may be, or come to be, all the same.
    pub(crate) is_prepared: bool,
    pub(crate) subtransaction: u32,
}

/// How a prepared transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Commit,
    Rollback,
}

impl Verb {
    pub(crate) fn statement(self, gid: &str) -> Step {
        let verb = match self {
            Self::Commit => "commit",
            Self::Rollback => "rollback",
        };
        Step::Run(format!("{verb} prepared {}", quote_literal(gid)).into())
    }

    pub(crate) fn past(self) -> &'static str {
        match self {
            Self::Commit => "committed",
            Self::Rollback => "rolled back",
        }
    }
}

/// A transaction that is to be ended, and how far that is.
struct Job {
    pending: Pending,
    /// There is none of that name: the next question is what became of the transaction.
    asks: bool,
    /// The connection was lost once.
    lost: bool,
    /// Why it was not done, should there be no time left.
    why: &'static str,
}

/// What is to be done next about a job.
enum Next {
    Done,
    At(Duration, Job),
}

/// Ends transactions within the bound. Nothing here may fail: what cannot be finished is left to the recovery, with a warning.
/// Connections are taken from `sessions`, and given back.
pub(crate) fn finish(pending: Vec<Pending>, verb: Verb, bound: Duration, sessions: &mut Sessions) {
    let deadline = Instant::now() + bound;
    let mut pause = SHORTEST_PAUSE;
    let mut jobs: Vec<Job> = pending
        .into_iter()
        .map(|pending| Job {
            pending,
            asks: false,
            lost: false,
            why: "no answer in time",
        })
        .collect();
    while !jobs.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            for Job { pending, why, .. } in jobs {
                warn(&pending, verb, why);
            }
            return;
        }
        let mut longest = Duration::ZERO;
        let mut again = Vec::new();
        for (job, result) in attempt(jobs, verb, left, sessions) {
            if let Next::At(wait, job) = see_to(job, verb, result, pause) {
                longest = longest.max(wait);
                again.push(job);
            }
        }
        jobs = again;
        if !longest.is_zero() {
            sleep(longest.min(deadline.saturating_duration_since(Instant::now())));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Tells the partitions, each by one connection, what is to be done next.
fn attempt(
    jobs: Vec<Job>,
    verb: Verb,
    left: Duration,
    sessions: &mut Sessions,
) -> Vec<(Job, Result<StepResult, ErrorKind>)> {
    let mut groups: Vec<(Rc<Endpoint>, Origin, Vec<Job>)> = Vec::new();
    let mut places = HashMap::new();
    for job in jobs {
        let endpoint = &job.pending.endpoint;
        let place = *places.entry(endpoint.id()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, _, group)) => group.push(job),
            None => {
                let origin = job.pending.origin.clone();
                groups.push((Rc::clone(endpoint), origin, vec![job]));
            }
        }
    }
    let scripts = groups.iter().map(|(endpoint, origin, group)| Script {
        target: Target::SessionOrAgain(sessions.remove(&endpoint.id()), origin.clone()),
        steps: group
            .iter()
            .map(|job| {
                if job.asks {
                    Status::question(job.pending.transaction)
                } else {
                    verb.statement(&job.pending.gid)
                }
            })
            .collect(),
    });
    let mut outcomes = run_quietly(scripts.collect(), left, true).into_iter();
    let mut results = Vec::new();
    for (endpoint, _, group) in groups {
        // None is dropped without a word.
        let outcome = outcomes.next();
        let lost = match &outcome {
            Some(outcome) => outcome.error().cloned().unwrap_or(ErrorKind::Closed),
            None => ErrorKind::Closed,
        };
        let (steps, session) = outcome.map_or((Vec::new(), None), |o| (o.steps, o.session));
        if let Some(session) = session {
            sessions.insert(endpoint.id(), session);
        }
        let mut steps = steps.into_iter().map(|step| step.result);
        for job in group {
            let result = steps.next().unwrap_or_else(|| Err(lost.clone()));
            results.push((job, result));
        }
    }
    results
}

/// What comes of an answer.
fn see_to(
    mut job: Job,
    verb: Verb,
    result: Result<StepResult, ErrorKind>,
    pause: Duration,
) -> Next {
    let pending = &job.pending;
    let kind = if job.asks {
        job.asks = false;
        match (Status::of(result), verb) {
            (Ok(Status::Committed), Verb::Commit) | (Ok(Status::RolledBack), Verb::Rollback) => {
                return Next::Done;
            }
            // It is being prepared, and its server process is still at it.
            (Ok(Status::InProgress), _) => {
                job.why = "it is being prepared still";
                return Next::At(pause, job);
            }
            // It is no longer there, which is all that is wanted.
            (Ok(Status::Unknown), Verb::Rollback) => return Next::Done,
            (Ok(_), Verb::Commit) => {
                warn_of_loss(pending);
                return Next::Done;
            }
            (Ok(Status::Committed), Verb::Rollback) => {
                warn(pending, verb, "it was committed by somebody else");
                return Next::Done;
            }
            (Err(kind), _) => kind,
        }
    } else {
        match result {
            Ok(_) => return Next::Done,
            Err(kind) => kind,
        }
    };
    match kind {
        ErrorKind::Db(diagnostic) if diagnostic.code == sqlstate::UNDEFINED_OBJECT => {
            job.asks = true;
            Next::At(Duration::ZERO, job)
        }
        // Its own server process, or another who ends it, is at it.
        ErrorKind::Db(diagnostic)
            if diagnostic.code == sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE
                && diagnostic.message.contains(&job.pending.gid) =>
        {
            job.why = "it is busy";
            Next::At(pause, job)
        }
        // The statement may be sent again, as it cannot run twice.
        ErrorKind::Closed | ErrorKind::Io(_) if !job.lost => {
            job.lost = true;
            Next::At(Duration::ZERO, job)
        }
        ErrorKind::QueryTimeout => {
            warn(&job.pending, verb, job.why);
            Next::Done
        }
        kind => {
            warn(&job.pending, verb, &words(&kind));
            Next::Done
        }
    }
}

/// Runs scripts where interrupts are held off, and must wait; `go_on`: also after a step that was refused.
pub(super) fn run_quietly(scripts: Vec<Script>, left: Duration, go_on: bool) -> Vec<Outcome> {
    let options = ScriptOptions {
        default_connect_timeout: Some(CONNECT_TIMEOUT),
        whole_limit: Some(left),
        go_on,
        ..ScriptOptions::default()
    };
    let Some(remote) = remote_if_made() else {
        return Vec::new();
    };
    let mut running = remote.scripts(scripts, &options);
    while !matches!(running.next(), Event::Finished) {}
    running.outcomes()
}

/// Asks what became of a transaction that was to be committed and has not answered, until it is over. Another server than that
/// of `site` does not know.
pub(super) fn ask(
    origin: &Origin,
    site: Option<&Site>,
    transaction: u64,
    bound: Duration,
) -> Status {
    let deadline = Instant::now() + bound;
    let mut status = Status::Unknown;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return status;
        }
        let script = Script {
            target: Target::SessionOrAgain(None, origin.clone()),
            steps: vec![
                Step::Run(site::QUESTION.into()),
                Status::question(transaction),
            ],
        };
        let answers = run_quietly(vec![script], left, true).pop();
        let (at, mut steps) = match answers {
            Some(outcome) => (outcome.connection, outcome.steps.into_iter()),
            None => (Err(ErrorKind::Closed), Vec::new().into_iter()),
        };
        if let (Ok(at), Some(question)) = (at, steps.next()) {
            let is_same = match question.result {
                Ok(StepResult::Ran { value, .. }) => {
                    let now = value.flatten().and_then(|now| Site::read(&now, &at));
                    now.map(|now| site.is_some_and(|site| site.server() == now.server()))
                }
                _ => None,
            };
            match (is_same, steps.next().map(|step| Status::of(step.result))) {
                (Some(false), _) => return Status::Unknown,
                (Some(true), Some(Ok(Status::InProgress))) => status = Status::InProgress,
                // A number that was not given: a crash has taken it back, with what was done under it.
                (Some(true), Some(Ok(Status::Unknown))) => return Status::RolledBack,
                (Some(true), Some(Ok(over))) => return over,
                // Its server may be on its way up.
                _ => {}
            }
        }
        sleep(LONGEST_PAUSE.min(deadline.saturating_duration_since(Instant::now())));
    }
}

fn warn(pending: &Pending, verb: Verb, why: &str) {
    let may_be = if pending.is_prepared || verb == Verb::Commit {
        ""
    } else {
        ", if it is prepared at all,"
    };
    let what = format!("{may_be} could not be {}: {why}", verb.past());
    let hint = format!(
        "SELECT * FROM plproxy_recover_prepared({}) finishes it.",
        quote_literal(&pending.cluster)
    );
    tell(pending, &what, hint);
}

/// Somebody else has rolled back what was to be committed.
fn warn_of_loss(pending: &Pending) {
    let what = " was to be committed, and is not there any more";
    let hint = "What the transaction did on that partition is lost.";
    tell(pending, what, hint.to_owned());
}

/// The last step before the local commit is done, and that failed.
pub(super) fn warn_of_commit(place: &str) {
    let message = format!("the transaction was committed on {place}, though the local one failed");
    emit_warning(Report::new(sqlstate::WARNING, message));
}

fn tell(pending: &Pending, what: &str, hint: String) {
    let Pending {
        gid,
        cluster,
        partition,
        ..
    } = pending;
    let message = format!(
        "prepared transaction \"{gid}\" on partition {partition} of cluster \"{cluster}\"{what}"
    );
    let mut report = Report::new(sqlstate::WARNING, message);
    report.hint = Some(hint);
    emit_warning(report);
}

fn emit_warning(report: Report) {
    // There is nobody left to tell.
    if let Err(error) = emit(Level::Warning, &report) {
        error.ends_here("to write a warning takes no lock");
    }
}
