//! Requests that wait, in the order in which they began to.
//!
//! Every operation takes constant time: a call may go to a thousand partitions, and each of them waits before every batch of
//! its rows.

use std::collections::VecDeque;
use std::task::Waker;

/// See the module. A request is in it at most once.
#[derive(Default)]
pub(crate) struct WaitQueue {
    /// By request: the number under which it stands in the order, and its waker.
    waiting: Vec<Option<(u64, Waker)>>,
    /// Requests that have left are still among them.
    order: VecDeque<(u64, usize)>,
    next: u64,
    count: usize,
}

impl WaitQueue {
    /// Adds a request at the end, unless it is queued already.
    pub(crate) fn push(&mut self, request: usize, waker: &Waker) {
        if self.waiting.len() <= request {
            self.waiting.resize_with(request + 1, || None);
        }
        match self.waiting.get_mut(request) {
            Some(Some((_, known))) => known.clone_from(waker),
            Some(slot) => {
                *slot = Some((self.next, waker.clone()));
                self.order.push_back((self.next, request));
                self.next += 1;
                self.count += 1;
            }
            None => {}
        }
    }

    /// Removes a request, if it is queued.
    pub(crate) fn remove(&mut self, request: usize) -> Option<Waker> {
        let (_, waker) = self.waiting.get_mut(request)?.take()?;
        self.count -= 1;
        Some(waker)
    }

    /// The request that has waited longest.
    pub(crate) fn first(&mut self) -> Option<usize> {
        while let Some((number, request)) = self.order.front() {
            let slot = self.waiting.get(*request).and_then(Option::as_ref);
            if slot.is_some_and(|(known, _)| known == number) {
                return Some(*request);
            }
            self.order.pop_front();
        }
        None
    }

    /// Wakes the request that has waited longest, if there is one.
    pub(crate) fn wake_first(&mut self) -> bool {
        let first = self.first();
        let slot = first.and_then(|first| self.waiting.get(first)?.as_ref());
        if let Some((_, waker)) = slot {
            waker.wake_by_ref();
        }
        slot.is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Removes all requests.
    pub(crate) fn drain(&mut self) -> Vec<Waker> {
        self.order.clear();
        self.count = 0;
        let all = self.waiting.iter_mut().filter_map(Option::take);
        all.map(|(_, waker)| waker).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_that_has_waited_longest_is_first() {
        let mut queue = WaitQueue::default();
        assert!(queue.is_empty() && queue.first().is_none() && !queue.wake_first());
        for request in [3, 1, 2, 1] {
            queue.push(request, Waker::noop());
        }
        assert_eq!(queue.first(), Some(3));
        assert!(
            queue.remove(3).is_some() && queue.remove(3).is_none() && queue.remove(9).is_none()
        );
        assert_eq!(queue.first(), Some(1));
        // One that left and comes back is the last.
        queue.remove(1);
        queue.push(1, Waker::noop());
        assert_eq!(queue.first(), Some(2));
        queue.remove(2);
        assert_eq!(queue.first(), Some(1));
        assert_eq!(queue.drain().len(), 1);
        assert!(queue.is_empty() && queue.first().is_none());
    }
}
