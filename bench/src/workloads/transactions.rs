//! What it costs that calls join the local transaction: W14. Both sides are our handler; what stands in the column of the C handler
//! is the same in autocommit, which is what the C handler has.

use super::Bench;
use super::calls::{rates, script};
use crate::Outcome;
use crate::measure::{Side, rounds};
use crate::pgbench::Load;
use crate::table::{Row, Target};

/// One call, to one partition or two; then the transaction is over.
const CALLS: [(&str, &str, usize, Target); 4] = [
    (
        "two_phase: query_pk, 1 client",
        "query_pk",
        1,
        Target::RatioAtLeast(0.5),
    ),
    (
        "two_phase: query_pk, 8 clients",
        "query_pk",
        8,
        Target::None,
    ),
    (
        "two_phase: insert_log, 8 clients",
        "insert_log",
        8,
        Target::None,
    ),
    (
        "two_phase: two partitions, 8 clients",
        "pair",
        8,
        Target::RatioAtLeast(0.5),
    ),
];

/// W14.
pub fn two_phase(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for (what, call, clients, target) in CALLS {
        let measured = rounds(bench.rounds, |side| {
            let schema = match side {
                Side::C => "on_8",
                Side::Ours => "joined",
            };
            // The second of two is the next.
            let users = bench.options.users.saturating_sub(1);
            let load = Load {
                database: "postgres",
                script: &script(users, &format!("{schema}.{call}")),
                clients,
                length: bench.length(1.0, 3.0),
            };
            bench.pgbench(&bench.servers.ours, &load)
        })?;
        let mut row = rates("W14", what, 0.0, &measured);
        row.target = target;
        rows.push(row);
    }
    Ok(rows)
}
