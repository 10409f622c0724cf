//! Statistics of all sessions, kept over a restart; the log of slow calls; what pg_stat_activity shows of waiting calls.
//!
//! Needs PLPROXY_TREE, as scripts/ready.sh gives it. Ends with "N passed, N failed".
#![forbid(unsafe_code)]
// A test stops at what it did not expect.
#![allow(clippy::expect_used, clippy::panic)]

mod counts;
mod files;
mod held;
mod log;
mod names;
mod room;
mod servers;
mod waits;

use std::process::ExitCode;

use plproxy_test_kit::Tally;

use crate::servers::Servers;

fn main() -> ExitCode {
    Tally::count(|tally| {
        let servers = Servers::begin();
        counts::exact(tally, &servers);
        counts::failures(tally, &servers);
        counts::databases(tally, &servers);
        files::restarts(tally, &servers);
        files::damaged(tally, &servers);
        room::reset(tally, &servers);
        room::by_use(tally, &servers);
        held::run(tally, &servers);
        waits::run(tally, &servers);
        if servers.proxy.major() >= 17 {
            names::run(tally, &servers);
        }
        log::run(tally, &servers);
        room::settings(tally, &servers);
        if tally.has_failed() {
            for line in servers.proxy.log().lines().rev().take(20) {
                tally.note(line);
            }
        }
    })
}
