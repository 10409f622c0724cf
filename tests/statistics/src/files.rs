//! What restarts, crashes and damaged files make of the counts.

use std::fs;

use plproxy_test_kit::{Tally, until_is};

use crate::counts::ALL_CALLS;
use crate::servers::Servers;

const NUMBER: &str = "select count(*) from plproxy_stat_partitions";

pub fn restarts(tally: &mut Tally, servers: &Servers) {
    let proxy = &servers.proxy;
    let file = proxy.data().join("pg_stat/plproxy.stat");
    let snapshot = || {
        servers.ask(&[
            "select * from plproxy_stat_partitions order by 1, 2",
            "select * from plproxy_stat_functions order by 1",
            "select * from plproxy_stat_info",
        ])
    };
    let before = snapshot();
    proxy.restart();
    tally.same("a restart changes nothing", before, snapshot());
    tally.check("and leaves no file", !file.exists(), "there is one");
    servers.ask(&["select one_part(0)"]);
    tally.same(
        "counting goes on",
        (ALL_CALLS + 2).to_string(),
        servers.ask(&[
            "select calls from plproxy_stat_partitions where cluster = 'parts' and partition = 0",
        ]),
    );
    proxy.stop("immediate");
    tally.check(
        "an immediate shutdown leaves no file",
        !file.exists(),
        "there is one",
    );
    proxy.restart();
    tally.same(
        "and the counts begin anew",
        "0;0",
        servers.ask(&[NUMBER, "select count(*) from plproxy_stat_functions"]),
    );
    // A backend that crashes takes the shared memory along.
    servers.ask(&["select one_part(0)"]);
    let (_session, process) = servers.idle();
    proxy.crash(process);
    let left = until_is("0", || servers.ask(&[NUMBER]));
    tally.check("the server recovers from a crash", left == "0", &left);
    servers.ask(&["select one_part(0)"]);
    tally.same(
        "and counts again",
        "1",
        servers.ask(&["select calls from plproxy_stat_partitions"]),
    );
}

pub fn damaged(tally: &mut Tally, servers: &Servers) {
    let proxy = &servers.proxy;
    let file = proxy.data().join("pg_stat/plproxy.stat");
    for how in ["changed", "short", "empty"] {
        proxy.stop("fast");
        let mut bytes = fs::read(&file).unwrap_or_default();
        tally.check(
            "a shutdown writes the file",
            !bytes.is_empty(),
            "it is not there, or empty",
        );
        match how {
            "changed" => {
                // By another byte than is there.
                if let Some(byte) = bytes.get_mut(40) {
                    *byte = if *byte == b'x' { b'y' } else { b'x' };
                }
            }
            "short" => bytes.truncate(bytes.len().saturating_sub(3)),
            _ => bytes.clear(),
        }
        fs::write(&file, bytes).expect("the file");
        proxy.restart();
        tally.same(
            &format!("a file that was {how} is ignored"),
            "0",
            servers.ask(&[NUMBER]),
        );
        let log = proxy.log();
        tally.check(
            "with a word in the log",
            log.contains("LOG:  PL/Proxy: ignoring invalid statistics in file"),
            &log,
        );
        proxy.clear_log();
        servers.ask(&["select one_part(0)"]);
    }
}
