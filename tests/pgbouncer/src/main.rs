//! PgBouncer between the proxy and a partition: every pool mode, with and without prepared statements in PgBouncer; restarts
//! on either side of it, cancels through it, and what it refuses.
//!
//! `plproxy-pgbouncer [word …]`: only the parts whose names contain one of the words. CALLS: calls, of two functions in turn,
//! in each of the eight sessions (default 10,000). Needs PLPROXY_TREE. Ends with "N passed, N failed".
#![forbid(unsafe_code)]
// A test stops at what it did not expect.
#![allow(clippy::expect_used, clippy::panic)]

mod cancels;
mod clients;
mod modes;
mod refusals;
mod restarts;
mod setup;
mod transactions;

use std::process::ExitCode;
use std::time::Instant;

use plproxy_test_kit::Tally;

use crate::setup::Setup;

/// A part of the test.
type Part = fn(&mut Tally, &Setup);

const PARTS: [(&str, Part); 12] = [
    ("modes", modes::modes),
    ("prepared", modes::prepared),
    ("restarts", restarts::restarts),
    ("lifetime", restarts::lifetime),
    ("cancel", cancels::run),
    ("refused", refusals::refused),
    ("auth", clients::auth),
    ("encodings", clients::encodings),
    ("atomic", transactions::atomic),
    ("extended", refusals::extended),
    ("joined", transactions::joined),
    ("recommended", clients::recommended),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let wanted =
        |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    Tally::count(|tally| {
        let setup = Setup::begin();
        for (name, part) in PARTS.into_iter().filter(|(name, _)| wanted(name)) {
            let begin = Instant::now();
            part(tally, &setup);
            tally.note(&format!("({name}: {} s)", begin.elapsed().as_secs()));
        }
    })
}
