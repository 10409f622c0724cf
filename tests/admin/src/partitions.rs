//! The administration functions over two servers, one that is down and one that says nothing.

mod functions;
mod run_on_all;

use plproxy_test_kit::{HANG, Run, Server, Tally, until_is};
use std::time::Instant;

use crate::stages::tell;

const SETTINGS: [&str; 4] = ["--auth", "trust", "--set", "shared_buffers = 16MB"];

/// The servers.
struct Servers {
    a: Server,
    b: Server,
    proxy: Server,
    /// It does not run, so that connections to it are never answered.
    mute: Server,
}

pub fn run(tally: &mut Tally) {
    let servers = Servers::begin();
    all_kinds(tally, &servers);
    run_on_all::results(tally, &servers);
    run_on_all::sessions(tally, &servers);
    run_on_all::timeouts(tally, &servers);
    functions::run(tally, &servers);
}

impl Servers {
    fn begin() -> Self {
        let run = Run::begin();
        let start = |name| run.start(name, &SETTINGS);
        let servers = Self {
            proxy: start("proxy"),
            a: start("a"),
            b: start("b"),
            mute: start("mute"),
        };
        for server in servers.partitions() {
            server.execute(
                "postgres",
                &["create database part", "create role limited login"],
            );
        }
        let (a, b) = (servers.a.connstr("part"), servers.b.connstr("part"));
        let mute = servers.mute.connstr("postgres");
        servers.proxy.execute(
            "postgres",
            &[
                "create extension plproxy",
                &format!("create server parts foreign data wrapper plproxy options (p0 '{a}', p1 '{b}')"),
                &format!(
                    "create server mixed foreign data wrapper plproxy options (p0 '{a}',
                        p1 'host=127.0.0.1 dbname=part port=1', p2 '{mute}',
                        p3 'host=127.0.0.1 dbname=part password=Sesame42 prot=1', connect_timeout '4')"
                ),
                "create user mapping for public server parts options (user 'postgres')",
                "create user mapping for public server mixed options (user 'postgres')",
            ],
        );
        servers
    }

    fn partitions(&self) -> [&Server; 2] {
        [&self.a, &self.b]
    }

    fn ask(&self, statements: &[&str]) -> String {
        tell(&self.proxy, "postgres", statements)
    }
}

/// A cluster with all kinds of partitions.
fn all_kinds(tally: &mut Tally, servers: &Servers) {
    let mute = servers.mute.postmaster().expect("a postmaster");
    mute.stop();
    let begin = Instant::now();
    let said = servers.ask(&[
        "select partition, ok, in_recovery, split_part(error, E'\\n', 1) from plproxy_check_cluster('mixed')",
    ]);
    tally.same(
        "check_cluster: each partition for itself",
        "0|t|f|;1|f||connection to server at \"127.0.0.1\", port N failed: Connection refused;2|f||connection to server at \
         \"127.0.0.1\", port N failed: timeout expired;3|f||invalid connection option \"prot\"",
        said,
    );
    let took = begin.elapsed();
    tally.check(
        "check_cluster: within connect_timeout, or not much later",
        took < HANG / 2,
        &format!("{took:?}"),
    );
    tally.same(
        "check_cluster: what it tells of one",
        format!("0|127.0.0.1|{}|part|postgres|t|t|t", servers.a.port()),
        servers.ask(&["select partition, host, port, dbname, username, ok, latency_ms > 0, server_version ~ '^[0-9]+[.a-z]'
            from plproxy_check_cluster('mixed') where ok"]),
    );
    tally.same(
        "run_on_all: one that fails does not hide the others",
        "0|t|1;1|f|;2|f|;3|f|",
        servers.ask(&[
            "select partition, success, case when success then result end
            from plproxy_run_on_all('mixed', 'select 1')",
        ]),
    );
    let all = servers.ask(&["select * from plproxy_check_cluster('mixed')"]);
    tally.same(
        "no password is shown",
        "0",
        all.matches("Sesame42").count().to_string(),
    );
    mute.go_on();
    tally.same(
        "check_cluster: well again",
        "t",
        until_is("t", || {
            servers.ask(&["select ok from plproxy_check_cluster('mixed') where partition = 2"])
        }),
    );
}
