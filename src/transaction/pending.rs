//! What this session has prepared on partitions, and what becomes of it when the local transaction ends.
#![forbid(unsafe_code)]

use super::second_phase::{self, Pending, Sessions, Verb};
use crate::cancel::CANCEL_BOUND;
use crate::error::{Error, Report, sqlstate};
use core::cell::{Cell, RefCell};
use plproxy_remote::{ErrorKind, Outcome, Session, StepResult};
use std::time::{Duration, Instant};

/// How long the partitions have to commit: nothing can interrupt it.
const TO_COMMIT: Duration = Duration::from_secs(10);
/// How long they have to roll back. Who has been told does so even if nobody waits any more.
const TO_ROLL_BACK: Duration = Duration::from_secs(2);
/// The same after an interrupt, which has used up the caller's patience; for all that is rolled back then.
const IN_A_HURRY: Duration = Duration::from_millis(250);
/// Each of several that follow one interrupt gets as much in any case.
const LEAST: Duration = Duration::from_millis(50);
/// An interrupt that was as long ago is not why something is rolled back now.
const LONG_AGO: Duration = Duration::from_secs(1);

/// The command tag of a preparation; that of one in a failed transaction is another.
pub(crate) const PREPARED: &str = "PREPARE TRANSACTION";

thread_local! {
    /// What this session's transaction has prepared, or is preparing.
    static PENDING: RefCell<Vec<Pending>> = const { RefCell::new(Vec::new()) };
    /// Connections that it has done so on, for what comes next.
    static HELD: RefCell<Sessions> = RefCell::default();
    /// The partition that was committed in one phase, while the local commit is not over.
    static COMMITTED_ONE: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Until when what follows the last interrupt should be over.
    static HURRY: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// An interrupt ends a command: what is to be rolled back for it should not take long.
pub(crate) fn hurry() {
    HURRY.set(Some(Instant::now() + CANCEL_BOUND + IN_A_HURRY));
}

/// How long the partitions have to roll back.
pub(super) fn to_roll_back() -> Duration {
    match HURRY.get() {
        Some(until) if until.elapsed() < LONG_AGO => {
            LEAST.max(until.saturating_duration_since(Instant::now()))
        }
        _ => TO_ROLL_BACK,
    }
}

/// Whether this session's own transaction has prepared it.
pub(crate) fn is_own(gid: &str) -> bool {
    PENDING.with_borrow(|pending| pending.iter().any(|pending| pending.gid == gid))
}

/// A partition has committed, before the local transaction does.
pub(super) fn committed_one(place: String) {
    drop(COMMITTED_ONE.replace(Some(place)));
}

/// Nothing has interrupted what begins now.
pub(crate) fn take_time() {
    HURRY.set(None);
}

/// Before anything is sent: should the answer not come, it may be prepared all the same.
pub(crate) fn extend(pending: impl Iterator<Item = Pending>) {
    PENDING.with_borrow_mut(|all| all.extend(pending));
}

/// A connection that was used at an endpoint for what is prepared, taken out.
pub(crate) fn take_session(endpoint: u64) -> Option<Session> {
    HELD.with_borrow_mut(|held| held.remove(&endpoint))
}

/// Takes note of what a partition has answered to the preparation.
pub(crate) fn answered(
    gid: &str,
    endpoint: u64,
    outcome: Outcome,
    wanted: &str,
) -> Result<(), ErrorKind> {
    let result = match outcome.last() {
        Ok(StepResult::Ran { tag, .. }) if tag == wanted => Ok(()),
        Ok(_) => Err(not_prepared()),
        Err(kind) => Err(kind.clone()),
    };
    // The partition has rolled it back, and is ready for more. Who hangs up after an error need not be the partition.
    let refused = outcome.session.is_some()
        && match outcome.last() {
            Ok(_) => result.is_err(),
            Err(kind) => matches!(kind, ErrorKind::Db(diagnostic) if !diagnostic.fatal),
        };
    PENDING.with_borrow_mut(|all| {
        if refused {
            all.retain(|pending| pending.gid != *gid);
        } else if let Some(mine) = all.iter_mut().find(|pending| pending.gid == *gid) {
            mine.is_prepared = result.is_ok();
        }
    });
    HELD.with_borrow_mut(|held| {
        held.remove(&endpoint);
        if let Some(session) = outcome.session {
            held.insert(endpoint, session);
        }
    });
    result
}

fn not_prepared() -> ErrorKind {
    ErrorKind::Protocol("server did not prepare the transaction".to_owned())
}

fn finish(pending: Vec<Pending>, verb: Verb, bound: Duration) {
    HELD.with_borrow_mut(|held| second_phase::finish(pending, verb, bound, held));
}

/// Whether this session's transaction has prepared anything, or may have.
pub(super) fn is_any() -> bool {
    PENDING.with_borrow(|pending| !pending.is_empty())
}

/// The local transaction is committed. Returns the connections that are not needed any more.
pub(super) fn committed() -> Sessions {
    drop(COMMITTED_ONE.take());
    finish(PENDING.take(), Verb::Commit, TO_COMMIT);
    HELD.take()
}

/// It was rolled back.
pub(super) fn aborted() {
    if let Some(place) = COMMITTED_ONE.take() {
        second_phase::warn_of_commit(&place);
    }
    finish(PENDING.take(), Verb::Rollback, to_roll_back());
    HELD.take();
}

/// It is about to be prepared itself.
pub(super) fn refuse_prepare() -> Result<(), Error> {
    if PENDING.with_borrow(Vec::is_empty) {
        return Ok(());
    }
    let what = "cannot PREPARE a transaction that has run a command on all partitions of a cluster atomically";
    Err(Report::new(sqlstate::FEATURE_NOT_SUPPORTED, what).into())
}

/// A part of it became part of another.
pub(super) fn subtransaction_committed(this: u32, parent: u32) {
    PENDING.with_borrow_mut(|all| {
        for pending in all.iter_mut().filter(|p| p.subtransaction == this) {
            pending.subtransaction = parent;
        }
    });
}

/// A part of it was rolled back.
pub(super) fn subtransaction_aborted(this: u32) {
    let is_its = |pending: &mut Pending| pending.subtransaction == this;
    let its = PENDING.with_borrow_mut(|all| all.extract_if(.., is_its).collect());
    finish(its, Verb::Rollback, to_roll_back());
}
