//! Measures the C handler and ours side by side; `run.sh` makes the servers and calls this.
//!
//! - `run`: the workloads, each judged by its target; a table on stdout
//! - `grow`: cost as the work grows; plots
//!
//! The servers are found by PLPROXY_RUN, the directory of scripts/server.sh.

mod growth;
mod machine;
mod measure;
mod pgbench;
mod process;
mod readme;
mod server;
mod statistics;
mod svg;
mod table;
mod workloads;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// What a measurement gives, or why it could not be made.
pub type Outcome<T> = Result<T, String>;

/// What the command line says.
#[derive(Default)]
pub struct Options {
    /// The workloads to run, by name; none: all.
    pub only: Vec<String>,
    /// One short round each.
    pub quick: bool,
    /// The directory where the figures go.
    pub results: Option<PathBuf>,
    /// The pgbench program.
    pub pgbench: PathBuf,
    /// User ids are 0 to this, exclusive.
    pub users: usize,
    /// Wide rows on each of the eight partitions.
    pub rows: usize,
}

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            say(&format!("bench: {what}"));
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let mode = arguments.next().unwrap_or_default();
    let options = options(arguments)?;
    match mode.as_str() {
        "run" => workloads::run(&options),
        "grow" => growth::run(&options),
        _ => Err("run [options] | grow [options]".to_owned()),
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Outcome<Options> {
    let mut options = Options::default();
    while let Some(name) = arguments.next() {
        if name == "--quick" {
            options.quick = true;
            continue;
        }
        let value = arguments
            .next()
            .ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--only" => options.only.push(value),
            "--results" => options.results = Some(value.into()),
            "--pgbench" => options.pgbench = value.into(),
            "--users" => options.users = number(&value)?,
            "--rows" => options.rows = number(&value)?,
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(options)
}

fn number(text: &str) -> Outcome<usize> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

/// Progress, which is not part of the result.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The result.
pub fn print(text: &str) -> Outcome<()> {
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| error.to_string())
}
