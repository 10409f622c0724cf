//! Connections that sessions share, two to each partition, beside the C handler's own, and beside PgBouncer: W11, W12, W13. What
//! stands in the column of the C handler is said in each line.

use super::Bench;
use super::calls::{rates, script, two_hop_limit};
use crate::Outcome;
use crate::measure::{Pair, Rounds, Side, rounds};
use crate::pgbench::{Length, Load, Rate};
use crate::process::Memory;
use crate::server::Session;
use crate::table::{Row, Target};
use plproxy_test_kit::Server;

/// One user of each of 32 partitions.
const EACH: &str = "select count(q) from generate_series(0, 31) i, lateral on_32.query_pk(i) q";

impl Bench<'_> {
    /// Runs it on one of the proxies, and leaves no connection behind.
    fn on(&self, server: &Server, load: &Load<'_>) -> Outcome<Rate> {
        let rate = crate::pgbench::run(self.options, server, load)?;
        self.servers.close_shared()?;
        if !std::ptr::eq(server, &self.servers.shared) {
            self.servers.settle()?;
        }
        Ok(rate)
    }

    fn sharing(&self, side: Side, own: &'_ Server, load: &Load<'_>) -> Outcome<Rate> {
        match side {
            Side::C => self.on(own, load),
            Side::Ours => self.on(&self.servers.shared, load),
        }
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
    let mut limits = Vec::new();
    let eight = rounds(bench.rounds, |side| {
        let rate = bench.sharing(side, &bench.servers.c, &load(8, 5.0))?;
        if side == Side::Ours {
            limits.push(two_hop_limit(bench)?);
        }
        Ok(rate)
    })?;
    let one = rounds(bench.rounds, |side| {
        bench.sharing(side, &bench.servers.ours, &load(1, 3.0))
    })?;
    let of_limit = |(pair, limit): (&Pair<Rate>, &f64)| Pair {
        c: pair.c.tps / limit,
        ours: pair.ours.tps / limit,
    };
    Ok(vec![
        rates("W13", "shared, query_pk, 8 clients", 1.7, &eight),
        Row {
            workload: "W13",
            what: "share of the two-hop limit",
            unit: "1",
            rounds: Rounds(eight.iter().zip(&limits).map(of_limit).collect()),
            target: Target::OursAtLeast(0.7),
        },
        rates("W13", "1 client, by ours with own connections", 1.0, &one),
    ])
}
