//! What tests of several servers, sessions and signals are made of: throwaway servers and poolers (by scripts/server.sh and
//! scripts/pooler.sh), sessions whose answers read as psql's, conditions to wait for, signals, and a tally.
//!
//! Tests stop at what they did not expect: what cannot be had here panics. What a test says about time is a bound, [`HANG`],
//! that a busy machine keeps; what is to have happened is waited for by [`wait_until`] or [`until_is`].
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::panic)]

mod answer;
mod pooler;
mod process;
mod run;
mod server;
mod session;
mod tally;

use std::thread;
use std::time::{Duration, Instant};

pub use answer::Answer;
pub use pooler::PgBouncer;
pub use process::{Process, continue_process, stop_process};
pub use run::Run;
pub use server::Server;
pub use session::{Pending, Session};
pub use tally::Tally;

/// What takes so long hangs, however busy the machine is.
pub const HANG: Duration = Duration::from_secs(120);

const PAUSE: Duration = Duration::from_millis(10);

/// Waits until it is so.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    assert!(
        until_some(|| condition().then_some(())).is_some(),
        "has not come to pass in {HANG:?}: {what}"
    );
}

/// Asks until there is an answer, and gives it; nothing if none comes.
pub fn until_some<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let begin = Instant::now();
    loop {
        let found = ask();
        if found.is_some() || begin.elapsed() > HANG {
            return found;
        }
        thread::sleep(PAUSE);
    }
}

/// Asks until the answer is as wanted, and gives the last one, whatever it is.
pub fn until_is(wanted: &str, mut ask: impl FnMut() -> String) -> String {
    let mut last = String::new();
    until_some(|| {
        last = ask();
        (last == wanted).then_some(())
    });
    last
}
