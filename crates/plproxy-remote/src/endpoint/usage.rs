//! How many connections of an endpoint were needed at once lately: so many are kept.
//!
//! Nested calls and several cursors need several connections to one partition. Their number counts for the next transactions
//! that use the partition, as they may need as many again, and for a minute at the most.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How many transactions count.
const TRANSACTIONS: usize = 5;
/// How long they count.
pub(crate) const LATELY: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Usage {
    in_use: Cell<usize>,
    /// The most that were in use at once in this transaction; 0 if it has used none.
    most: Cell<usize>,
    /// The same of the last transactions that have used any, and when they ended; the latest is last.
    before: RefCell<VecDeque<(Instant, usize)>>,
}

impl Usage {
    /// How many are in use.
    pub(crate) fn in_use(&self) -> usize {
        self.in_use.get()
    }

    /// The transaction ends.
    pub(crate) fn end_transaction(&self, now: Instant) {
        let mut before = self.before.borrow_mut();
        if before.len() >= TRANSACTIONS {
            before.pop_front();
        }
        before.push_back((now, self.most.replace(self.in_use.get())));
    }

    /// How many the last transaction needed.
    pub(crate) fn last(&self) -> usize {
        self.before.borrow().back().map_or(0, |(_, most)| *most)
    }

    /// How many were needed lately: by this transaction, by the last one, and by those before that did not end too long ago.
    pub(crate) fn lately(&self, now: Instant) -> usize {
        let before = self.before.borrow();
        let recent = before
            .iter()
            .filter(|(at, _)| now.saturating_duration_since(*at) < LATELY);
        let recent = recent.map(|(_, most)| *most).max().unwrap_or(0);
        recent.max(self.last()).max(self.most.get())
    }
}

/// A connection of the endpoint is in use while this lives.
pub(crate) struct InUse(Rc<Usage>);

impl InUse {
    /// Begins a use; gives whether it is the first one in this transaction.
    pub(crate) fn begin(usage: &Rc<Usage>) -> (InUse, bool) {
        let first = usage.most.get() == 0;
        usage.in_use.set(usage.in_use.get() + 1);
        usage.most.set(usage.most.get().max(usage.in_use.get()));
        (InUse(Rc::clone(usage)), first)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let usage = &self.0;
        usage.in_use.set(usage.in_use.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_transactions_count_for_a_while() {
        let usage = Usage::default();
        let start = Instant::now();
        let needs = |at: u64, most: usize| {
            let at = start + Duration::from_secs(at);
            usage.most.set(most);
            usage.end_transaction(at);
            usage.lately(at)
        };
        assert_eq!([needs(0, 20), needs(1, 1), needs(2, 1)], [20; 3]);
        assert_eq!([needs(3, 3), needs(4, 1)], [20; 2]);
        // Five later ones.
        assert_eq!(needs(5, 1), 3);
        // Too long ago; the last one counts always.
        assert_eq!(usage.lately(start + Duration::from_secs(62)), 3);
        assert_eq!(usage.lately(start + Duration::from_secs(64)), 1);
        assert_eq!(usage.lately(start + Duration::from_secs(1000)), 1);
        // Connections that are in use at the end of a transaction count for the next one.
        usage.in_use.set(2);
        assert_eq!(needs(1000, 7), 7);
        assert_eq!(usage.most.get(), 2);
    }
}
