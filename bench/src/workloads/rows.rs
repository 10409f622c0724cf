//! Much data in one call: W5, W6, W9.

use super::Bench;
use crate::Outcome;
use crate::measure::{Pair, Rounds, Side, rounds};
use crate::process::Memory;
use crate::table::{Row, Target};

/// MB that a call may take beyond work_mem, which is 4.
const WORK_MEM: f64 = 4.0;
const BEYOND: f64 = 16.0;

/// What a call took.
pub struct Cost {
    pub seconds: f64,
    /// MB of private memory that the session grew by, at its highest.
    pub growth: f64,
}

/// A call in a session that has made the same call with little data, so that neither connections nor code count.
pub fn fresh(
    bench: &Bench<'_>,
    side: Side,
    little: (&str, i64),
    much: (&str, i64),
) -> Outcome<Cost> {
    let session = bench.session(side)?;
    session.time_query(little.0, little.1)?;
    let much_statement = session.prepare(much.0)?;
    let before = Memory::of(session.pid)?.private;
    let seconds = session.time(&much_statement, much.1)?;
    let growth = (Memory::of(session.pid)?.private_peak() - before) / 1024.0;
    Ok(Cost { seconds, growth })
}

/// Counts so many rows of each of 8 partitions.
pub fn wide_query(rows: usize) -> (String, i64) {
    let query = format!("select count(*) from wide_rows({rows})");
    (query, i64::try_from(8 * rows).unwrap_or_default())
}

/// W5: 1,000,000 rows of five columns.
pub fn wide(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let (little, few) = wide_query(1);
    let (much, all) = wide_query(bench.options.rows);
    let cost = |side| fresh(bench, side, (&little, few), (&much, all));
    rounds(1, cost)?;
    let measured = rounds(bench.rounds, cost)?;
    Ok(vec![
        Row {
            workload: "W5",
            what: "1,000,000 rows of 5 columns",
            unit: "1000 rows/s",
            rounds: Rounds::of(&measured, |cost| all as f64 / cost.seconds / 1e3),
            target: Target::RatioAtLeast(1.5),
        },
        Row {
            workload: "W5",
            what: "peak memory",
            unit: "MB",
            rounds: Rounds::of(&measured, |cost| cost.growth),
            target: Target::OursAtMost(WORK_MEM + BEYOND),
        },
    ])
}

/// W6a: SPLIT of int4.
pub fn split_ints(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    Ok(vec![Row {
        workload: "W6a",
        what: "SPLIT of 100,000 int4",
        unit: "1000/s",
        rounds: split(bench, "time_count_ints")?,
        target: Target::RatioAtLeast(5.0),
    }])
}

/// W6b: SPLIT of text, each element hashed by a function.
pub fn split_texts(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    Ok(vec![Row {
        workload: "W6b",
        what: "SPLIT of 100,000 text, hashtext",
        unit: "1000/s",
        rounds: split(bench, "time_count_texts")?,
        target: Target::RatioAtLeast(5.0),
    }])
}

/// Thousands of elements per second.
fn split(bench: &Bench<'_>, function: &str) -> Outcome<Rounds> {
    let elements = bench.size(100_000_u32, 1000);
    let query = format!("select {function}({elements})");
    let sessions = bench.sessions()?;
    Pair::make(|side| sessions.of(side).ask_float(&query))?;
    let measured = rounds(bench.rounds, |side| sessions.of(side).ask_float(&query))?;
    Ok(Rounds::of(&measured, |seconds| {
        f64::from(elements) / seconds / 1e3
    }))
}

/// W9: one text of 64 MB there and back.
pub fn large(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let bytes = bench.size(64 << 20, 1 << 20);
    let much = format!("select length(echo(repeat('x', {bytes})))::int8");
    let little = ("select length(echo('x'))::int8", 1);
    let measured = rounds(bench.rounds, |side| {
        fresh(bench, side, little, (&much, bytes))
    })?;
    Ok(vec![
        Row {
            workload: "W9",
            what: "text of 64 MB, there and back",
            unit: "ms",
            rounds: Rounds::of(&measured, |cost| 1e3 * cost.seconds),
            target: Target::RatioAtMost(1.0),
        },
        Row {
            workload: "W9",
            what: "peak memory",
            unit: "MB",
            rounds: Rounds::of(&measured, |cost| cost.growth),
            target: Target::RatioAtMost(0.5),
        },
    ])
}
