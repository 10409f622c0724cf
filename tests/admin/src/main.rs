//! The administration functions against several servers: partitions that are down, silent or wrong; SQL on all of them; and
//! what is committed on all or none, with sessions and servers lost at every step, with copies of the proxy's server, and
//! at the same time; transactions over calls on connections that sessions share; and pauses.
//!
//! `plproxy-admin partitions | two_phase | copies | concurrent | joined | pause`, with PLPROXY_TREE, as scripts/ready.sh gives it. Ends with "N passed, N failed".
#![forbid(unsafe_code)]
// A test stops at what it did not expect.
#![allow(clippy::expect_used, clippy::panic)]

mod concurrent;
mod copies;
mod joined;
mod partitions;
mod pause;
mod stages;
mod two_phase;

use std::process::ExitCode;

use plproxy_test_kit::Tally;

fn main() -> ExitCode {
    let scenario = std::env::args().nth(1).unwrap_or_default();
    Tally::count(|tally| match scenario.as_str() {
        "partitions" => partitions::run(tally),
        "two_phase" => two_phase::run(tally),
        "copies" => copies::run(tally),
        "concurrent" => concurrent::run(tally),
        "joined" => joined::run(tally),
        "pause" => pause::run(tally),
        _ => panic!(
            "usage: plproxy-admin partitions | two_phase | copies | concurrent | joined | pause"
        ),
    })
}
