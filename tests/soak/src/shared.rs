//! What the sessions, the faults and the report have in common.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;

/// The same numbers for the same seed: those of the faults, and of each session.
pub fn stream(seed: u64, number: u64) -> Rng {
    Rng::with_seed(seed.wrapping_mul(1 << 16).wrapping_add(number))
}

/// How long after a fault is mended calls may still fail: connections that were made meanwhile, servers in recovery. It is
/// that of an idle machine; see [`Shared::busy`].
const GRACE: Duration = Duration::from_secs(3);
/// Wrong results that are told in full.
const TOLD: usize = 20;

/// A fault and how long it lasted.
struct Span {
    begin: Instant,
    end: Option<Instant>,
}

/// Counts.
#[derive(Default)]
pub struct Tally {
    /// Calls that gave what they must, by kind.
    pub right: BTreeMap<&'static str, u64>,
    /// Calls that failed, by SQLSTATE.
    pub errors: BTreeMap<String, u64>,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// What should not have been, and how often.
    pub wrong: Vec<String>,
    pub wrong_count: u64,
    /// The longest call, and of which kind.
    pub longest: (Duration, &'static str),
    /// Resident memory of the steady sessions: when it was looked at, which of them, kB.
    pub memory: Vec<(Instant, usize, u64)>,
}

/// All of it.
pub struct Shared {
    /// The sessions are to end.
    pub stop: AtomicBool,
    /// How many times longer than on an idle machine a piece of work has taken at the most, in hundredths.
    pub busy: AtomicU32,
    /// The server process of each session, 0 while there is none.
    pub backends: Vec<AtomicI32>,
    spans: Mutex<Vec<Span>>,
    tally: Mutex<Tally>,
}

impl Shared {
    pub fn new(sessions: usize) -> Shared {
        Shared {
            stop: AtomicBool::new(false),
            busy: AtomicU32::new(100),
            backends: (0..sessions).map(|_| AtomicI32::new(0)).collect(),
            spans: Mutex::default(),
            tally: Mutex::default(),
        }
    }

    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Notes that something was not as it must be.
    pub fn wrong(&self, what: String) {
        let mut tally = self.tally();
        tally.wrong_count += 1;
        if tally.wrong.len() < TOLD {
            tally.wrong.push(what);
        }
    }

    /// A fault begins; what is returned is for [`Shared::mended`].
    pub fn hurt(&self, kind: &'static str) -> usize {
        *self.tally().faults.entry(kind).or_default() += 1;
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        spans.push(Span {
            begin: Instant::now(),
            end: None,
        });
        spans.len() - 1
    }

    pub fn mended(&self, fault: usize) {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(span) = spans.get_mut(fault) {
            span.end = Some(Instant::now());
        }
    }

    /// Whether a fault was there at some time of a call.
    pub fn is_explained(&self, begin: Instant, end: Instant) -> bool {
        let spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let grace = GRACE * self.busy.load(Ordering::Relaxed) / 100;
        let over = |span: &Span| span.end.is_some_and(|end| end + grace < begin);
        spans.iter().any(|span| span.begin <= end && !over(span))
    }
}
