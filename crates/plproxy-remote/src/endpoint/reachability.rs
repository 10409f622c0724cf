//! Whether connecting to an endpoint has failed lately.
//!
//! Then the endpoint is to be tried after others for a while, which grows with each further failure. This is a hint of this
//! process only: nothing is refused because of it.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::error::ErrorKind;

/// For how long after the first failure, and at the most.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);
/// An attempt that was dropped counts as failed if it had taken so long.
const LONG: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Reachability(Cell<Option<Avoided>>);

/// Since when, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Avoided {
    since: Instant,
    pause: Duration,
}

impl Avoided {
    fn lasts(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < self.pause
    }
}

impl Reachability {
    pub(crate) fn is_avoided(&self) -> bool {
        // The clock is not read for the many endpoints that can be connected to.
        self.0
            .get()
            .is_some_and(|avoided| avoided.lasts(Instant::now()))
    }

    pub(crate) fn attempt(&self, begun: Instant) -> Attempt<'_> {
        Attempt {
            of: Some(self),
            begun,
        }
    }

    fn fails(&self, now: Instant) {
        let pause = match self.0.get() {
            // The endpoint is avoided already.
            Some(avoided) if avoided.lasts(now) => return,
            Some(avoided) => (avoided.pause * 2).min(LONGEST),
            None => FIRST,
        };
        self.0.set(Some(Avoided { since: now, pause }));
    }
}

/// An attempt to connect. Dropped before its end, it has failed if it took long.
pub(crate) struct Attempt<'a> {
    of: Option<&'a Reachability>,
    begun: Instant,
}

impl Attempt<'_> {
    pub(crate) fn ends(mut self, how: Result<(), &ErrorKind>) {
        match (how, self.of.take()) {
            (Ok(()), Some(of)) => of.0.set(None),
            (Err(kind), Some(of)) if !kind.is_local() => of.fails(Instant::now()),
            _ => {}
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(of) = self.of.take()
            && self.begun.elapsed() >= LONG
        {
            of.fails(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let reachability = Reachability::default();
        let mut now = Instant::now();
        assert!(!reachability.is_avoided());
        for seconds in [2, 4, 8, 16, 32, 60, 60] {
            reachability.fails(now);
            let avoided = reachability.0.get().unwrap();
            assert_eq!(avoided.pause, Duration::from_secs(seconds));
            // Other failures meanwhile do not prolong it.
            reachability.fails(now + Duration::from_secs(1));
            assert_eq!(reachability.0.get(), Some(avoided));
            now += avoided.pause;
            assert!(!avoided.lasts(now));
        }
    }

    #[test]
    fn a_connection_ends_the_pause() {
        let reachability = Reachability::default();
        let now = Instant::now();
        let attempt = || reachability.attempt(now);
        attempt().ends(Err(&ErrorKind::Closed));
        assert!(reachability.is_avoided());
        attempt().ends(Ok(()));
        assert!(!reachability.is_avoided());
        // A local failure is none of the endpoint.
        attempt().ends(Err(&ErrorKind::NoDescriptor));
        assert!(!reachability.is_avoided());
        // Dropped: after a moment, and after a while.
        drop(attempt());
        assert!(!reachability.is_avoided());
        if let Some(earlier) = now.checked_sub(LONG) {
            drop(reachability.attempt(earlier));
            assert!(reachability.is_avoided());
        }
    }
}
