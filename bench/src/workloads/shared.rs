//! Connections that sessions share, two to each partition, beside the C handler's own, and beside PgBouncer: W11, W12, W13. What
//! stands in the column of the C handler is said in each line.

use super::Bench;
use super::calls::{beside_limit, rates, script};
use crate::Outcome;
use crate::measure::{Rounds, Side, rounds};
use crate::pgbench::{self, Length, Load, Rate};
use crate::process::Memory;
use crate::server::Session;
use crate::table::{Row, Target};
use plproxy_test_kit::Server;

/// One user of each of 32 partitions.
const EACH: &str = "select count(q) from generate_series(0, 31) i, lateral on_32.query_pk(i) q";

impl Bench<'_> {
    /// Runs it on that proxy, or on the one whose sessions share, and leaves no connection behind.
    fn sharing(&self, side: Side, own: &Server, load: &Load<'_>) -> Outcome<Rate> {
        if side == Side::C {
            return self.pgbench(own, load);
        }
        let rate = pgbench::run(self.options, &self.servers.shared, load)?;
        self.servers.close_shared()?;
        self.servers.settle()?;
        Ok(rate)
    }
}

/// W11: W3's shape, beside the C handler alone and behind PgBouncers; and what 45 fresh sessions do in their first seconds.
pub fn scenario(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let own = script(bench.options.users, "on_32.query_pk");
    let pooled = script(bench.options.users, "pooled_32.query_pk");
    let clients = bench.size(45, 4);
    let steady = bench.length(6.0, 20.0);
    let first = bench.size(
        Length::Seconds {
            warm: 0.0,
            counted: 5.0,
        },
        Length::Transactions(20),
    );
    let mut rows = Vec::new();
    for (what, of_c, length, least) in [
        ("shared, 45 clients, 32 partitions", &own, steady, 1.8),
        ("by the C handler behind PgBouncer", &pooled, steady, 1.5),
        ("the first 5 s of 45 sessions", &own, first, 5.0),
    ] {
        let measured = rounds(bench.rounds, |side| {
            let script = match side {
                Side::C => of_c,
                Side::Ours => &own,
            };
            let load = Load {
                database: "postgres",
                script,
                clients,
                length,
            };
            bench.sharing(side, &bench.servers.c, &load)
        })?;
        rows.push(rates("W11", what, least, &measured));
    }
    Ok(rows)
}

/// W12: the processes on the partitions, and the private memory of all server processes, when each of 45 sessions has called each
/// of 32 partitions.
pub fn size(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let measured = rounds(1, |side| {
        let proxy = match side {
            Side::C => &bench.servers.c,
            Side::Ours => &bench.servers.shared,
        };
        let mut sessions = Vec::new();
        for _ in 0..bench.size(45, 4) {
            let session = Session::open(proxy)?;
            session.time_query(EACH, 32)?;
            sessions.push(session);
        }
        let on_partitions = bench.servers.processes()?;
        let here = sessions.iter().map(|session| session.pid);
        let mut kilobytes = 0.0;
        for pid in on_partitions.iter().copied().chain(here) {
            kilobytes += Memory::of(pid)?.private;
        }
        drop(sessions);
        bench.servers.close_shared()?;
        Ok((on_partitions.len() as f64, kilobytes / 1024.0))
    })?;
    bench.servers.settle()?;
    Ok(vec![
        Row {
            workload: "W12",
            what: "server processes, 45 sessions, 32 partitions",
            unit: "1",
            rounds: Rounds::of(&measured, |size| size.0),
            target: Target::OursAtMost(64.0),
        },
        Row {
            workload: "W12",
            what: "private memory of all server processes",
            unit: "MB",
            rounds: Rounds::of(&measured, |size| size.1),
            target: Target::RatioAtMost(0.125),
        },
    ])
}

/// W13: W2's shape and W1's, which is compared with our own connections.
pub fn calls(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let script = script(bench.options.users, "on_8.query_pk");
    let load = |clients, seconds| Load {
        database: "postgres",
        script: &script,
        clients,
        length: bench.length(1.0, seconds),
    };
    let mut rows = beside_limit(bench, "W13", "shared, query_pk, 8 clients", 1.7, |side| {
        bench.sharing(side, &bench.servers.c, &load(8, 5.0))
    })?;
    let one = rounds(bench.rounds, |side| {
        bench.sharing(side, &bench.servers.ours, &load(1, 3.0))
    })?;
    let what = "1 client, by ours with own connections";
    rows.push(rates("W13", what, 1.0, &one));
    Ok(rows)
}
