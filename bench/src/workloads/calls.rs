//! Calls of the scenario under pgbench: W1, W2, W3, W8.

use super::Bench;
use crate::Outcome;
use crate::measure::{Pair, Rounds, Side, rounds};
use crate::pgbench::{self, Length, Load, Rate};
use crate::table::{Row, Target};
use plproxy_test_kit::Server;

/// A call with a random user id.
pub fn script(users: usize, call: &str) -> String {
    format!(
        "\\set id random(0, {})\nselect {call}(:id);\n",
        users.saturating_sub(1)
    )
}

impl Bench<'_> {
    pub fn pgbench(&self, server: &Server, load: &Load<'_>) -> Outcome<Rate> {
        let rate = pgbench::run(self.options, server, load)?;
        self.servers.settle()?;
        Ok(rate)
    }

    pub fn length(&self, warm: f64, counted: f64) -> Length {
        self.size(Length::Seconds { warm, counted }, Length::Transactions(20))
    }

    fn calls(&self, side: Side, call: &str, clients: usize, seconds: f64) -> Outcome<Rate> {
        let load = Load {
            database: "postgres",
            script: &script(self.options.users, call),
            clients,
            length: self.length(1.0, seconds),
        };
        self.pgbench(self.servers.proxy(side), &load)
    }
}

pub fn rates(
    workload: &'static str,
    what: &'static str,
    least: f64,
    measured: &[Pair<Rate>],
) -> Row {
    Row {
        workload,
        what,
        unit: "tps",
        rounds: Rounds::of(measured, |rate| rate.tps),
        target: Target::RatioAtLeast(least),
    }
}

/// W1: query_pk on 8 partitions, one client.
pub fn one_client(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let measured = rounds(bench.rounds, |side| {
        bench.calls(side, "on_8.query_pk", 1, 3.0)
    })?;
    Ok(vec![rates("W1", "query_pk, 1 client", 1.3, &measured)])
}

/// W2: the same with 8 clients; and how much of what two servers in a row can give at best.
pub fn eight_clients(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    beside_limit(bench, "W2", "query_pk, 8 clients", 1.5, |side| {
        bench.calls(side, "on_8.query_pk", 8, 5.0)
    })
}

/// The calls per second, and their share of the two-hop limit, which is measured in each round.
pub fn beside_limit(
    bench: &Bench<'_>,
    workload: &'static str,
    what: &'static str,
    least: f64,
    mut measure: impl FnMut(Side) -> Outcome<Rate>,
) -> Outcome<Vec<Row>> {
    let mut limits = Vec::new();
    let measured = rounds(bench.rounds, |side| {
        let rate = measure(side)?;
        if side == Side::Ours {
            limits.push(two_hop_limit(bench)?);
        }
        Ok(rate)
    })?;
    let of_limit = |(pair, limit): (&Pair<Rate>, &f64)| Pair {
        c: pair.c.tps / limit,
        ours: pair.ours.tps / limit,
    };
    Ok(vec![
        rates(workload, what, least, &measured),
        Row {
            workload,
            what: "share of the two-hop limit",
            unit: "1",
            rounds: Rounds(measured.iter().zip(&limits).map(of_limit).collect()),
            target: Target::OursAtLeast(0.7),
        },
    ])
}

/// 1 / (1/a + 1/b): a, the calls per second of a proxy that does nothing; b, those of a partition asked directly.
fn two_hop_limit(bench: &Bench<'_>) -> Outcome<f64> {
    let load = |database, script| Load {
        database,
        script,
        clients: 8,
        length: bench.length(0.5, 1.5),
    };
    let near = bench.pgbench(&bench.servers.ours, &load("postgres", "select 1;\n"))?;
    // Every eighth user is in db0.
    let ids = bench.options.users / 8;
    let direct = format!(
        "\\set id 8 * random(0, {})\nselect shop.query_pk(:id);\n",
        ids.saturating_sub(1)
    );
    let [part, _] = &bench.servers.parts;
    let far = bench.pgbench(part, &load("db0", &direct))?;
    Ok(1.0 / (1.0 / near.tps + 1.0 / far.tps))
}

/// W3: query_pk on 32 partitions, 45 clients, 20 s. The warm-up opens 1440 connections.
pub fn scenario(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let script = script(bench.options.users, "on_32.query_pk");
    let load = Load {
        database: "postgres",
        script: &script,
        clients: bench.size(45, 4),
        length: bench.length(6.0, 20.0),
    };
    let measured = rounds(bench.rounds, |side| {
        bench.pgbench(bench.servers.proxy(side), &load)
    })?;
    Ok(vec![
        rates("W3", "query_pk, 45 clients, 32 partitions", 1.5, &measured),
        Row {
            workload: "W3",
            what: "99th percentile",
            unit: "ms",
            rounds: Rounds::of(&measured, |rate| rate.p99),
            target: Target::RatioAtMost(1.0),
        },
    ])
}

/// W8: the scenario's calls that write, 8 clients.
pub fn writes(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for (what, call) in [
        ("insert_log, 8 clients", "on_8.insert_log"),
        ("update_pk, 8 clients", "on_8.update_pk"),
        ("query_insert, 8 clients", "on_8.query_insert"),
    ] {
        let measured = rounds(bench.rounds, |side| bench.calls(side, call, 8, 2.0))?;
        rows.push(rates("W8", what, 1.3, &measured));
    }
    Ok(rows)
}
