//! The local transaction is about to commit, and can still fail.
#![forbid(unsafe_code)]

use super::decisions::Decisions;
use super::gid::Gid;
use super::instance::Instance;
use super::member::{Member, place};
use super::pending::{self, PREPARED};
use super::second_phase::{self, Pending};
use super::site::Site;
use super::status::Status;
use crate::error::{Error, Report, sqlstate, words};
use crate::pg::lock::{self, Kind};
use crate::pg::memory::Context;
use crate::pg::xact;
use crate::remote::remote;
use crate::scripts::run_scripts;
use plproxy_core::ident::quote_literal;
use plproxy_remote::{
    BranchStatus, Diagnostic, ErrorKind, Outcome, Script, ScriptOptions, Step, StepResult, Target,
};
use std::rc::Rc;
use std::time::Duration;

/// How long a partition whose answer to a commit did not come is asked what became of it.
const TO_ASK: Duration = Duration::from_secs(10);

/// Why what ended the wait for a commit may end where the commit is known, or is the greater trouble.
const AFTERWARDS: &str =
    "an interrupt is seen to between waits, where no lock is held, and so is a notice";

/// What is told to a partition.
enum Order {
    Commit,
    Prepare(String),
}

/// Commits on the partitions where nothing was written; and the only one that has written something, if nothing was written
/// here. Of several each prepares, and commits when the local transaction is committed.
pub(super) fn before_commit(members: &mut Vec<Member>) -> Result<(), Error> {
    // What could not even begin.
    members.retain(|member| member.branch.status() != BranchStatus::New);
    if let Some(member) = members
        .iter()
        .find(|member| member.branch.status() != BranchStatus::Open)
    {
        let what = format!(
            "cannot commit, as the transaction on {} was lost",
            place(member)
        );
        return Err(Report::new(sqlstate::CONNECTION_FAILURE, what).into());
    }
    pending::take_time();
    let memory = Context::for_call()?;
    memory.enter(|| {
        let has_written = |member: &&Member| member.branch.transaction().is_some();
        let (writers, readers): (Vec<_>, Vec<_>) = members.iter().partition(has_written);
        match writers.as_slice() {
            [] => carry_out(orders(&readers)),
            [writer] if is_the_last_step(writer) => {
                carry_out(orders(&readers))?;
                commit_one(writer)
            }
            _ => {
                let gids = decide(&writers)?;
                let prepare = gids.into_iter().map(Order::Prepare);
                let mut all: Vec<_> = writers.into_iter().zip(prepare).collect();
                all.extend(orders(&readers));
                carry_out(all)
            }
        }
    })
}

/// Whether the local transaction has nothing to do after the commit of the only partition that has written that may well fail: what
/// was written, the check of a serializable one, what becomes of temporary tables. Where nothing can be prepared those must do
/// without. That there are notifications to be sent nobody can see.
fn is_the_last_step(writer: &Member) -> bool {
    let can_prepare = || site(writer).is_some_and(|site| site.can_prepare());
    let may_fail = xact::has_written()
        || xact::is_serializable()
        || xact::has_used_temporary_tables() && can_prepare();
    !may_fail
}

fn orders<'a>(readers: &[&'a Member]) -> Vec<(&'a Member, Order)> {
    let commit = |member: &&'a Member| (*member, Order::Commit);
    readers.iter().map(commit).collect()
}

/// Has the local commit be the decision. Returns the names.
fn decide(writers: &[&Member]) -> Result<Vec<String>, Error> {
    let mut sites = Vec::with_capacity(writers.len());
    for member in writers {
        let Some(site) = site(member) else {
            let kind = "server did not answer a question about itself".to_owned();
            return Err(failed(member, &ErrorKind::Protocol(kind)));
        };
        if !site.can_prepare() {
            let what = format!(
                "max_prepared_transactions is 0 on {}, so nothing can be prepared there",
                place(member)
            );
            let error = Report::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, what);
            return Err(Error::from(error).hinted(
                "Set it on that server and restart it. Without it a transaction can only write on one partition, and \
                 nothing here.",
            ));
        }
        sites.push(site);
    }
    let transaction = xact::id()?;
    lock::lock(Kind::Transaction, transaction)?;
    let this = Instance::this()?;
    let decisions = Decisions::open(None)?;
    let mut pending = Vec::with_capacity(writers.len());
    for (member, site) in writers.iter().zip(&sites) {
        let number = member.branch.transaction().unwrap_or_default();
        // Partitions of several clusters may have one number.
        let gid = Gid::of_command(this, transaction)(member.partition);
        decisions.add(&gid, &member.cluster, site, number)?;
        pending.push(Pending {
            gid: gid.text(),
            cluster: member.cluster.clone(),
            partition: member.partition,
            endpoint: Rc::clone(member.branch.endpoint()),
            origin: member.branch.origin().ok_or_else(failed_somewhere)?,
            transaction: number,
            is_prepared: false,
            subtransaction: xact::subtransaction(),
        });
    }
    // As with a command on all partitions: see there.
    xact::force_sync_commit()?;
    xact::flush_log()?;
    let gids = pending.iter().map(|pending| pending.gid.clone()).collect();
    pending::extend(pending.into_iter());
    Ok(gids)
}

/// Tells all partitions at once. The first that does not do as it was told is the error.
fn carry_out(all: Vec<(&Member, Order)>) -> Result<(), Error> {
    if all.is_empty() {
        return Ok(());
    }
    let scripts = all.iter().filter_map(|(member, order)| {
        let sql = match order {
            Order::Commit => "commit".to_owned(),
            Order::Prepare(gid) => format!("prepare transaction {}", quote_literal(gid)),
        };
        script(member, sql)
    });
    let scripts: Vec<_> = scripts.collect();
    if scripts.len() != all.len() {
        return Err(failed_somewhere());
    }
    let members = all.iter().map(|(member, _)| *member);
    let options = options(members);
    let mut failure = None;
    run_scripts(
        &report,
        scripts,
        &options,
        &pending::hurry,
        &mut |number, outcome| {
            let Some((member, order)) = all.get(number) else {
                return;
            };
            let result = match order {
                Order::Commit => committed(member, outcome),
                Order::Prepare(gid) => {
                    pending::answered(gid, member.branch.endpoint().id(), outcome, PREPARED)
                }
            };
            if let Err(kind) = result {
                failure.get_or_insert_with(|| failed(member, &kind));
            }
        },
    )?;
    failure.map_or(Ok(()), Err)
}

/// Commits the only transaction that there is to commit. If the answer does not come the partition is asked what became of it. That it
/// was committed is not taken for granted even then: a crash may have had its number given again.
fn commit_one(member: &Member) -> Result<(), Error> {
    let origin = member.branch.origin().ok_or_else(failed_somewhere)?;
    let script = script(member, "commit".to_owned()).ok_or_else(failed_somewhere)?;
    let options = options(std::iter::once(member));
    let mut result = Err(ErrorKind::Closed);
    let ran = run_scripts(
        &report,
        vec![script],
        &options,
        &pending::hurry,
        &mut |_, outcome| {
            result = committed(member, outcome);
        },
    );
    let kind = match result {
        Ok(()) => {
            pending::committed_one(place(member));
            if let Err(error) = ran {
                error.ends_here(AFTERWARDS);
            }
            return Ok(());
        }
        Err(kind) => kind,
    };
    let refused = matches!(&kind, ErrorKind::Db(diagnostic) if !diagnostic.fatal);
    let number = member.branch.transaction().unwrap_or_default();
    let status = if refused {
        Status::RolledBack
    } else {
        second_phase::ask(&origin, site(member).as_ref(), number, TO_ASK)
    };
    if status == Status::RolledBack {
        ran?;
        return Err(failed(member, &kind));
    }
    if let Err(error) = ran {
        error.ends_here(AFTERWARDS);
    }
    let what = format!(
        "whether the transaction was committed on {} is not known: {}",
        place(member),
        words(&kind)
    );
    let mut report = Report::new(sqlstate::TRANSACTION_RESOLUTION_UNKNOWN, what);
    report.detail = match status {
        Status::Committed => Some("The partition says that it was.".to_owned()),
        Status::InProgress => Some("The partition is still at it.".to_owned()),
        Status::RolledBack | Status::Unknown => None,
    };
    report.hint = Some(format!("SELECT pg_xact_status('{number}') tells it there."));
    Err(report.into())
}

/// The partition's database, as its server has told.
fn site(member: &Member) -> Option<Site> {
    let (answer, at) = member.branch.identity()?;
    Site::read(&answer, &at)
}

/// Whether a transaction was committed. Its connection goes to rest then.
fn committed(member: &Member, outcome: Outcome) -> Result<(), ErrorKind> {
    let result = tagged(&outcome, "COMMIT");
    if outcome.error().is_none()
        && result.is_ok()
        && let (Some(session), Ok(remote)) = (outcome.session, remote())
    {
        remote.rest(session, &member.options);
    }
    result
}

/// What ends a transaction, and leaves its session as it is to be.
fn script(member: &Member, sql: String) -> Option<Script> {
    let is_commit = sql == "commit";
    let reset = member.options.reset.clone().map(Step::Reset);
    let mut steps = vec![Step::Run(sql.into())];
    steps.extend(reset.filter(|_| is_commit));
    let target = Target::Session(member.branch.take_session()?);
    Some(Script { target, steps })
}

fn options<'a>(members: impl Iterator<Item = &'a Member>) -> ScriptOptions {
    let limits = members.filter_map(|member| member.options.query_timeout);
    ScriptOptions {
        time_limit: limits.min(),
        ..ScriptOptions::default()
    }
}

/// A notice of a partition.
fn report(dbname: &str, notice: &Diagnostic) -> Report {
    Report::new(
        notice.code,
        format!("[{dbname}] REMOTE {}: {}", notice.severity, notice.message),
    )
}

fn failed(member: &Member, kind: &ErrorKind) -> Error {
    let state = match kind {
        ErrorKind::Db(diagnostic) => diagnostic.code,
        ErrorKind::QueryTimeout => sqlstate::QUERY_CANCELED,
        ErrorKind::Protocol(_) => sqlstate::PROTOCOL_VIOLATION,
        _ => sqlstate::CONNECTION_FAILURE,
    };
    let what = format!("could not commit on {}: {}", place(member), words(kind));
    Report::new(state, what).into()
}

fn failed_somewhere() -> Error {
    let what = "cannot commit, as the transaction on a partition was lost";
    Report::new(sqlstate::CONNECTION_FAILURE, what).into()
}

/// Whether the first step of a script gave that command tag.
fn tagged(outcome: &Outcome, wanted: &str) -> Result<(), ErrorKind> {
    match (&outcome.connection, outcome.steps.first()) {
        (Err(kind), _) => Err(kind.clone()),
        (Ok(_), None) => Err(ErrorKind::Closed),
        (Ok(_), Some(step)) => match &step.result {
            Ok(StepResult::Ran { tag, .. }) if tag == wanted => Ok(()),
            Ok(_) => Err(ErrorKind::Protocol(format!(
                "server did not {}",
                wanted.to_ascii_lowercase()
            ))),
            Err(kind) => Err(kind.clone()),
        },
    }
}
