//! The report, and whether the test has passed.

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use crate::calls::KINDS;
use crate::ledger::Ledger;
use crate::shared::{Shared, Tally};

/// By how much a session's memory may grow, in kB: what the allocator keeps of large values is within it. A short run is
/// over before the sessions have met the largest ones, and so has the bound of one that begins with nothing.
const GROWTH: u64 = 16 * 1024;
const GROWTH_SHORT: u64 = 64 * 1024;
/// From how many seconds on a run is a long one.
const LONG: u64 = 300;

/// Prints it; an error if a check has failed.
pub fn print(
    shared: &Shared,
    ledger: &Ledger,
    begin: Instant,
    seconds: u64,
    seed: u64,
) -> Result<(), Box<dyn Error>> {
    let tally = shared.tally();
    let mut out = std::io::stdout().lock();
    let calls: u64 = tally.right.values().sum();
    let errors: u64 = tally.errors.values().sum();
    let faults: u64 = tally.faults.values().sum();
    writeln!(out, "| soak | {seconds} s, seed {seed} |\n| --- | --- |")?;
    writeln!(out, "| calls | {} |", calls + errors + tally.wrong_count)?;
    for (kind, count) in &tally.right {
        writeln!(out, "| right: {kind} | {count} |")?;
    }
    for (code, count) in &tally.errors {
        writeln!(out, "| error {code} | {count} |")?;
    }
    for (kind, count) in &tally.faults {
        writeln!(out, "| fault: {kind} | {count} |")?;
    }
    let (took, kind) = tally.longest;
    writeln!(
        out,
        "| longest call | {:.1} s ({kind}) |",
        took.as_secs_f64()
    )?;
    writeln!(
        out,
        "| wrong results, errors without a cause | {} |",
        tally.wrong_count
    )?;
    writeln!(out, "| acknowledged inserts | {} |", ledger.acknowledged)?;
    writeln!(out, "| of these lost | {} |", ledger.lost)?;
    writeln!(
        out,
        "| inserts that failed, and are there all the same | {} of {} |",
        ledger.unsure_there, ledger.unsure
    )?;
    writeln!(
        out,
        "| rows there twice, or of nobody | {} |",
        ledger.doubled + ledger.unknown
    )?;
    writeln!(out, "| acknowledged updates | {} |", ledger.additions)?;
    writeln!(out, "| wrong sums | {} |", ledger.sums_wrong)?;
    let memory = memory(&tally, begin, seconds);
    for (number, (early, late)) in memory.iter().enumerate() {
        writeln!(
            out,
            "| memory of session {number}: second eighth, last eighth of the time | {early} kB, {late} kB |"
        )?;
    }
    for wrong in &tally.wrong {
        writeln!(out, "WRONG   {wrong}")?;
    }

    let growth = if seconds < LONG { GROWTH_SHORT } else { GROWTH };
    let grown = (memory.iter())
        .filter(|(early, late)| *late > early + growth)
        .count();
    let missing: Vec<_> = KINDS
        .iter()
        .filter(|(kind, _)| !tally.right.contains_key(kind))
        .collect();
    let mut failed = 0;
    let checks = [
        ("right_results", tally.wrong_count == 0),
        ("none_lost", ledger.lost == 0 && ledger.acknowledged > 0),
        ("none_doubled", ledger.doubled + ledger.unknown == 0),
        ("sums", ledger.sums_wrong == 0 && ledger.additions > 0),
        ("all_kinds", missing.is_empty()),
        ("faults", faults > 0),
        ("memory", grown == 0 && !memory.is_empty()),
    ];
    for (name, holds) in checks {
        let word = if holds { "ok     " } else { "FAILED " };
        failed += u32::from(!holds);
        writeln!(out, "{word} soak.{name}")?;
    }
    writeln!(
        out,
        "{} passed, {failed} failed",
        checks.len() as u32 - failed
    )?;
    out.flush()?;
    if failed > 0 {
        Err("the soak test failed".into())
    } else {
        Ok(())
    }
}

/// The median memory of each steady session, after it has warmed up and in the end.
fn memory(tally: &Tally, begin: Instant, seconds: u64) -> Vec<(u64, u64)> {
    let eighth =
        |at: Instant| at.duration_since(begin).as_millis() as u64 * 8 / (seconds.max(1) * 1000);
    let median = |number: usize, wanted: u64| {
        let mut found: Vec<u64> = (tally.memory.iter())
            .filter(|(at, of, _)| *of == number && eighth(*at).min(7) == wanted)
            .map(|(.., memory)| *memory)
            .collect();
        found.sort_unstable();
        found.get(found.len() / 2).copied()
    };
    (0..)
        .map_while(|number| Some((median(number, 1)?, median(number, 7)?)))
        .collect()
}
