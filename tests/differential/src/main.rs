//! The parts of the comparison with the C handler that are clumsy in a shell; `run.sh` calls them in order.
//!
//! - `mark FILE`: the psql script with a mark before each statement, on stdout
//! - `generate SEED COUNT DIR`: random cases, as psql scripts in the directory
//! - `compare DIR ALLOWED [--whole README STATEMENTS FAILING]`: for each `NAME.sql` of the directory, compares `NAME.c`
//!   with `NAME.ours`; `--whole`: every entry of ALLOWED must have been needed, every row of the README's table of
//!   differences must have an entry, and so many statements, so many failing ones, must have been compared

mod allowed;
mod case;
mod compare;
mod generate;
mod random;
mod split;
mod values;

use allowed::Entry;
use compare::Findings;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(what) => {
            let _ = writeln!(io::stderr(), "differential: {what}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &[&str]) -> Result<bool, String> {
    match args {
        ["mark", file] => {
            let marked = split::marked(&read(file)?);
            io::stdout()
                .write_all(marked.as_bytes())
                .map_err(|error| error.to_string())?;
            Ok(true)
        }
        ["generate", seed, count, dir] => {
            generate::scripts(number(seed)?, number(count)?, Path::new(dir))
                .map_err(|error| format!("{dir}: {error}"))?;
            Ok(true)
        }
        ["compare", dir, allowed, whole @ ..] => {
            let entries = allowed::parse(&read(allowed)?)?;
            let findings = compare_all(Path::new(dir), &entries)?;
            let missing = match whole {
                [] => Vec::new(),
                ["--whole", readme, statements, failing] => {
                    let mut missing = stale(&entries);
                    missing.extend(rows_without_entry(&read(readme)?, &entries));
                    missing.extend(too_few(
                        "statements",
                        findings.compared as u64,
                        number(statements)?,
                    ));
                    missing.extend(too_few(
                        "failing statements",
                        findings.failing as u64,
                        number(failing)?,
                    ));
                    missing
                }
                _ => {
                    return Err(
                        "compare DIR ALLOWED [--whole README STATEMENTS FAILING]".to_owned()
                    );
                }
            };
            report(&findings, &missing).map_err(|error| error.to_string())?;
            Ok(findings.unexplained.is_empty() && missing.is_empty())
        }
        _ => Err("mark FILE | generate SEED COUNT DIR | compare DIR ALLOWED …".to_owned()),
    }
}

fn read(file: &str) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

fn compare_all(dir: &Path, entries: &[Entry]) -> Result<Findings, String> {
    let mut scripts: Vec<_> = fs::read_dir(dir)
        .map_err(|error| format!("{}: {error}", dir.display()))?
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    scripts.sort();
    let mut findings = Findings::default();
    for script in scripts {
        let bytes = |extension: &str| {
            let file = script.with_extension(extension);
            fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))
        };
        let name = script
            .file_stem()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let statements = split::statements(&read(&script.to_string_lossy())?);
        findings.add(&name, &statements, &bytes("c")?, &bytes("ours")?, entries);
    }
    Ok(findings)
}

/// Entries that nothing needed; those of the random cases are needed by one seed or another.
fn stale(entries: &[Entry]) -> Vec<String> {
    let unused = entries
        .iter()
        .filter(|entry| entry.uses.get() == 0 && !entry.is_for(generate::NAME));
    unused
        .map(|entry| format!("allowed, line {}: {} was not needed", entry.line, entry.id))
        .collect()
}

/// Rows of the README's table of differences that no entry shows, and entries that show no row of it.
fn rows_without_entry(readme: &str, entries: &[Entry]) -> Vec<String> {
    let section = readme
        .lines()
        .skip_while(|line| !line.starts_with("## Differences from the C handler"))
        .skip(1);
    let rows: Vec<&str> = section
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .filter(|row| !row.starts_with("---") && *row != "here")
        .collect();
    let shown = |row: &&str| {
        entries
            .iter()
            .any(|entry| entry.row.as_deref() == Some(row))
    };
    let mut missing: Vec<String> = rows
        .iter()
        .filter(|row| !shown(row))
        .map(|row| format!("the README's difference '{row}' has no entry"))
        .collect();
    let named = entries.iter().filter_map(|entry| entry.row.as_deref());
    missing.extend(
        named
            .filter(|row| !rows.contains(row))
            .map(|row| format!("no row '{row}' stands in the README")),
    );
    missing
}

fn too_few(what: &str, found: u64, least: u64) -> Option<String> {
    (found < least).then(|| format!("{found} {what}, {least} are wanted"))
}

fn report(findings: &Findings, missing: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for difference in &findings.unexplained {
        writeln!(out, "---- {difference}")?;
    }
    for what in missing {
        writeln!(out, "---- {what}")?;
    }
    let bad = findings.unexplained.len();
    writeln!(out, "statements compared: {}", findings.compared)?;
    writeln!(
        out,
        "equal: {}, allowed differences: {}, unexplained: {bad}",
        findings.equal, findings.allowed
    )?;
    writeln!(
        out,
        "failing statements: {}, {} of them followed by a call that works",
        findings.failing, findings.alive
    )?;
    writeln!(
        out,
        "{} passed, {} failed",
        findings.equal + findings.allowed,
        bad + missing.len()
    )
}
