//! The clusters that the local transaction has reached, and that it is under way in until its end.
#![forbid(unsafe_code)]

use crate::pg::pauses;
use core::cell::RefCell;
use plproxy_core::pause::{Generation, Partitions, Session};

thread_local! {
    /// Each with its place in this session's list.
    static JOINED: RefCell<Vec<(u64, Option<usize>)>> = const { RefCell::new(Vec::new()) };
}

/// The local transaction reaches a cluster, or more of it. With what it had reached before, if it had.
pub(crate) fn join(
    session: &Session,
    cluster: u64,
    partitions: Partitions,
    looked: Generation,
) -> (Option<usize>, Option<Partitions>) {
    JOINED.with_borrow_mut(|joined| {
        let known = joined.iter().find(|(known, _)| *known == cluster);
        if let Some((_, place)) = known {
            // What is not listed is everywhere.
            let before = session.partitions(*place).unwrap_or(partitions);
            session.set_partitions(*place, before.and(partitions));
            return (*place, Some(before));
        }
        let place = session.add(cluster, partitions, looked);
        joined.push((cluster, place));
        (place, None)
    })
}

/// It has not.
pub(crate) fn leave(session: &Session, place: Option<usize>) {
    session.remove(place);
    JOINED.with_borrow_mut(|joined| joined.pop());
}

/// The local transaction is over, and so is what it had joined.
pub(crate) fn end_transaction() {
    if let Some(session) = pauses::session_if_entered() {
        JOINED.with_borrow_mut(|joined| {
            for (_, place) in joined.drain(..) {
                session.remove(place);
            }
        });
    }
}
