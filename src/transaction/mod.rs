//! Calls that join the local transaction: cluster option `transaction_mode` `two_phase`.
//!
//! The first call that reaches a partition begins a transaction there ([`member`]), which has its connection until the local
//! transaction ends. What is rolled back here is rolled back there, and at the commit ([`commit`]) all partitions commit or none.
//! What is prepared for that goes the way of `plproxy_run_on_all(atomic)`: [`gid`], [`decisions`], [`second_phase`].
#![forbid(unsafe_code)]

mod commit;
pub(crate) mod decisions;
pub(crate) mod gid;
pub(crate) mod instance;
pub(crate) mod joined;
pub(crate) mod member;
pub(crate) mod pending;
pub(crate) mod second_phase;
pub(crate) mod site;
pub(crate) mod status;

use crate::cluster::Cluster;
use crate::error::{Error, FunctionLabel, Report, sqlstate};
use crate::pg::xact::{self, Ending};
use crate::remote::remote_if_made;
use crate::stats::{PartitionPlace, count_end};
use core::cell::RefCell;
use member::Member;
use plproxy_core::stats::TransactionEnd;
use plproxy_remote::{Branch, BranchStatus, CallOptions, Reset, Script, Session, Step, Target};
use std::rc::Rc;
use std::time::Duration;

/// How long partitions have for the reset query after a commit, which nothing can interrupt.
const TO_RESET: Duration = Duration::from_secs(2);

thread_local! {
    /// The partitions that the local transaction has reached.
    static MEMBERS: RefCell<Vec<Member>> = const { RefCell::new(Vec::new()) };
}

/// Has this module told of the local transaction's end, from now on.
pub(crate) fn watch() -> Result<(), Error> {
    xact::at_end(ended)
}

/// The transaction on a partition that a call goes to, which joins the local one if it has not; and whether that begins now.
fn join(
    label: &FunctionLabel,
    cluster: &Cluster,
    place: &PartitionPlace,
    options: &CallOptions,
) -> Result<(Rc<Branch>, bool), Error> {
    if xact::is_parallel_worker() {
        let what = "a parallel worker cannot join a transaction on a partition";
        let error = label.error_with(sqlstate::FEATURE_NOT_SUPPORTED, what);
        return Err(error.hinted("Mark the function PARALLEL UNSAFE."));
    }
    watch()?;
    let current = xact::subtransaction();
    let endpoint = &place.endpoint;
    MEMBERS.with_borrow_mut(|members| {
        let known = members
            .iter_mut()
            .find(|member| member.branch.endpoint().id() == endpoint.id());
        if let Some(member) = known {
            let is_new = member.branch.status() == BranchStatus::New;
            member.join(label, cluster, current)?;
            return Ok((Rc::clone(&member.branch), is_new));
        }
        let member = Member::new(cluster, place.number(), endpoint, options.clone(), current);
        let branch = Rc::clone(&member.branch);
        members.push(member);
        Ok((branch, true))
    })
}

/// A transaction on a partition takes no more part in the local one. With its connection it is rolled back.
fn forget(branch: &Rc<Branch>) {
    let is_it = |member: &mut Member| Rc::ptr_eq(&member.branch, branch);
    let forgotten: Vec<Member> =
        MEMBERS.with_borrow_mut(|members| members.extract_if(.., is_it).collect());
    hang_up(forgotten);
}

/// Each server rolls back when it sees that.
fn hang_up(members: Vec<Member>) {
    for member in members {
        drop(member.branch.take_session());
    }
}

/// The local transaction, or a part of it, ends.
fn ended(ending: Ending) -> Result<(), Error> {
    match ending {
        Ending::Committing => {
            let mut members = MEMBERS.take();
            let result = if members.is_empty() {
                Ok(())
            } else {
                commit::before_commit(&mut members)
            };
            MEMBERS.set(members);
            result
        }
        Ending::Preparing if MEMBERS.with_borrow(|members| !members.is_empty()) => {
            let what = "cannot PREPARE a transaction that partitions have joined";
            Err(Report::new(sqlstate::FEATURE_NOT_SUPPORTED, what).into())
        }
        Ending::Preparing => pending::refuse_prepare(),
        Ending::Committed => {
            let members = MEMBERS.take();
            if pending::is_any() {
                count_end(TransactionEnd::TwoPhase);
            } else if !members.is_empty() {
                count_end(TransactionEnd::OnePhase);
            }
            let mut held = pending::committed();
            let sessions = members.into_iter().filter_map(|member| {
                let session = held.remove(&member.branch.endpoint().id())?;
                Some((member, session))
            });
            rest(sessions.collect());
            Ok(())
        }
        Ending::Aborted => {
            let members = MEMBERS.take();
            if pending::is_any() || !members.is_empty() {
                count_end(TransactionEnd::RolledBack);
            }
            roll_back(members);
            pending::aborted();
            Ok(())
        }
        Ending::SubCommitted(this, parent) => {
            MEMBERS.with_borrow_mut(|members| {
                for member in members.iter_mut() {
                    member.subtransaction_committed(this, parent);
                }
            });
            pending::subtransaction_committed(this, parent);
            Ok(())
        }
        Ending::SubAborted(this) => {
            let begun = MEMBERS.with_borrow_mut(|members| {
                let begun = members.extract_if(.., |member| member.has_begun_in(this));
                let begun = begun.collect::<Vec<_>>();
                roll_back_to(members.iter_mut(), this);
                begun
            });
            roll_back(begun);
            pending::subtransaction_aborted(this);
            Ok(())
        }
    }
}

/// Rolls back to where the subtransaction began. A partition where that fails in time is lost.
fn roll_back_to<'a>(members: impl Iterator<Item = &'a mut Member>, this: u32) {
    let mut places = Vec::new();
    let mut scripts = Vec::new();
    for member in members {
        let Some(savepoint) = member.subtransaction_aborted(this) else {
            continue;
        };
        if let Some(session) = member.branch.take_session() {
            scripts.push(Script {
                target: Target::Session(session),
                steps: vec![Step::Run(format!("rollback to {savepoint}").into())],
            });
            places.push((member, savepoint));
        }
    }
    if scripts.is_empty() {
        return;
    }
    let outcomes = second_phase::run_quietly(scripts, pending::to_roll_back(), false);
    for ((member, savepoint), outcome) in places.into_iter().zip(outcomes) {
        if outcome.last().is_ok()
            && let Some(session) = outcome.session
        {
            member.branch.give_back(session);
            member.release(savepoint);
        }
    }
}

/// Rolls back whole transactions. One whose connection is lost, or does not answer in time, is rolled back by its server when it
/// sees that.
fn roll_back(members: Vec<Member>) {
    let mut places = Vec::new();
    let mut scripts = Vec::new();
    for member in members {
        let Some(session) = member.branch.take_session() else {
            continue;
        };
        scripts.push(Script {
            target: Target::Session(session),
            // Nobody expects a session to outlive an error, as with calls.
            steps: vec![
                Step::Run("rollback".into()),
                Step::Reset(member.options.reset.clone().unwrap_or_else(Reset::all)),
            ],
        });
        places.push(member);
    }
    if scripts.is_empty() {
        return;
    }
    let outcomes = second_phase::run_quietly(scripts, pending::to_roll_back(), false);
    let Some(remote) = remote_if_made() else {
        return;
    };
    for (member, outcome) in places.into_iter().zip(outcomes) {
        if member.branch.is_read_only() {
            // A primary may have become a standby: the next call looks for one anew.
            remote.retire_endpoint(member.branch.endpoint());
        } else if outcome.last().is_ok()
            && let Some(session) = outcome.session
        {
            remote.rest(session, &member.options);
        }
    }
}

/// Connections whose transactions are over go to rest, after the cluster's reset query.
fn rest(sessions: Vec<(Member, Session)>) {
    let Some(remote) = remote_if_made() else {
        return;
    };
    let mut members = Vec::new();
    let mut scripts = Vec::new();
    for (member, session) in sessions {
        match member.options.reset.clone() {
            None => remote.rest(session, &member.options),
            Some(reset) => {
                scripts.push(Script {
                    target: Target::Session(session),
                    steps: vec![Step::Reset(reset)],
                });
                members.push(member);
            }
        }
    }
    if scripts.is_empty() {
        return;
    }
    let outcomes = second_phase::run_quietly(scripts, TO_RESET, false);
    for (member, outcome) in members.into_iter().zip(outcomes) {
        if outcome.last().is_ok()
            && let Some(session) = outcome.session
        {
            remote.rest(session, &member.options);
        }
    }
}
