//! What one session sees, and costs: W4, W7, W10, and a session that idles.

use super::Bench;
use crate::Outcome;
use crate::measure::{Pair, Rounds, Side, rounds};
use crate::process::{Cpu, Memory};
use crate::server::Session;
use crate::statistics::median;
use crate::table::{Row, Target};

/// One small row of each of 32 partitions.
const EVERYWHERE: &str = "select count(*) from one_row_32()";

/// W4: RUN ON ALL.
pub fn run_on_all(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let sessions = bench.sessions()?;
    let calls = bench.size(300, 20);
    let measured = rounds(bench.rounds, |side| {
        latency(sessions.of(side), EVERYWHERE, 32, calls)
    })?;
    Ok(vec![Row {
        workload: "W4",
        what: "RUN ON ALL, 32 partitions",
        unit: "ms",
        rounds: Rounds::of(&measured, |milliseconds| *milliseconds),
        target: Target::RatioAtMost(0.6),
    }])
}

/// The median latency of a call, in milliseconds, warm.
pub fn latency(session: &Session, query: &str, expected: i64, calls: usize) -> Outcome<f64> {
    let call = session.prepare(query)?;
    for _ in 0..calls.div_ceil(10) {
        session.time(&call, expected)?;
    }
    let seconds: Vec<f64> = (0..calls)
        .map(|_| session.time(&call, expected))
        .collect::<Outcome<_>>()?;
    Ok(1e3 * median(&seconds))
}

/// W7: the first call of a session, which connects to 32 partitions: with passwords, as installations have them, and
/// without, where their hashing does not cover the rest.
pub fn first_call(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for (what, query) in [
        (
            "first call, 32 partitions",
            "select count(*) from one_row_secret()",
        ),
        ("the same, no passwords", EVERYWHERE),
    ] {
        let first = |side| {
            let seconds = bench.session(side)?.time_query(query, 32)?;
            bench.servers.settle()?;
            Ok(1e3 * seconds)
        };
        // The first session of all finds cold caches.
        rounds(1, first)?;
        let measured = rounds(bench.rounds, |side| {
            let sessions = bench.size(4, 1);
            let times: Vec<f64> = (0..sessions).map(|_| first(side)).collect::<Outcome<_>>()?;
            Ok(median(&times))
        })?;
        rows.push(Row {
            workload: "W7",
            what,
            unit: "ms",
            rounds: Rounds::of(&measured, |milliseconds| *milliseconds),
            target: Target::RatioAtMost(1.0),
        });
    }
    Ok(rows)
}

/// W10: CPU time of the proxy's backend per call. All calls are of one statement, so that the client has no part in it;
/// then each in a statement of its own, as applications call.
pub fn overhead(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let sessions = bench.sessions()?;
    let calls = bench.size(60_000_u32, 5_000);
    let query = format!("select count(trivial(i)) from generate_series(1, {calls}) i");
    let inside = rounds(bench.rounds, |side| {
        let session = sessions.of(side);
        let call = session.prepare(&query)?;
        session.time_query(
            "select count(trivial(i)) from generate_series(1, 500) i",
            500,
        )?;
        micros_per_call(session, calls, || {
            session.time(&call, i64::from(calls)).map(drop)
        })
    })?;
    let calls = bench.size(10_000_u32, 1_000);
    let each = rounds(bench.rounds, |side| {
        let session = sessions.of(side);
        let call = session.prepare("select trivial(7)::int8")?;
        micros_per_call(session, calls, || {
            (0..calls).try_for_each(|_| session.time(&call, 7).map(drop))
        })
    })?;
    let row = |what, measured: &[Pair<Cpu>], quantity: fn(&Cpu) -> f64, target| Row {
        workload: "W10",
        what,
        unit: "us",
        rounds: Rounds::of(measured, quantity),
        target,
    };
    let all = |cpu: &Cpu| cpu.user + cpu.system;
    Ok(vec![
        row(
            "CPU of the backend per call",
            &inside,
            all,
            Target::RatioAtMost(0.65),
        ),
        row(
            "of this, in the kernel",
            &inside,
            |cpu| cpu.system,
            Target::None,
        ),
        row("with a statement each", &each, all, Target::None),
        row(
            "of this, in the kernel",
            &each,
            |cpu| cpu.system,
            Target::None,
        ),
    ])
}

fn micros_per_call(
    session: &Session,
    calls: u32,
    mut run: impl FnMut() -> Outcome<()>,
) -> Outcome<Cpu> {
    let before = Cpu::of(session.pid)?;
    run()?;
    let after = Cpu::of(session.pid)?;
    let micros = |from: f64, to: f64| 1e6 * (to - from) / f64::from(calls);
    Ok(Cpu {
        user: micros(before.user, after.user),
        system: micros(before.system, after.system),
    })
}

/// The private memory of a session that has 32 open connections and has used each.
pub fn idle(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let private = |side: Side| {
        let session = bench.session(side)?;
        let call = session.prepare(EVERYWHERE)?;
        for _ in 0..10 {
            session.time(&call, 32)?;
        }
        Ok(Memory::of(session.pid)?.private / 1024.0)
    };
    let measured = rounds(bench.rounds, private)?;
    Ok(vec![Row {
        workload: "idle",
        what: "memory with 32 connections",
        unit: "MB",
        rounds: Rounds::of(&measured, |megabytes| *megabytes),
        target: Target::MoreAtMost(1.0),
    }])
}
