//! pgbench runs. Rates and latencies come from its log of every transaction, of which the warm-up is left out.

use crate::statistics::percentile;
use crate::{Options, Outcome};
use plproxy_test_kit::Server;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What to run.
pub struct Load<'a> {
    pub database: &'a str,
    /// pgbench's script.
    pub script: &'a str,
    pub clients: usize,
    pub length: Length,
}

/// How long to run.
#[derive(Clone, Copy)]
pub enum Length {
    /// Seconds that do not count, and seconds that do.
    Seconds { warm: f64, counted: f64 },
    /// So many transactions by each client, all of which count: ends well on the busiest machine, and soon on any other.
    Transactions(usize),
}

/// What came of it.
pub struct Rate {
    /// Transactions per second.
    pub tps: f64,
    /// Milliseconds that 99 of 100 stay below.
    pub p99: f64,
}

/// Runs it against a server, all transactions prepared.
pub fn run(options: &Options, server: &Server, load: &Load<'_>) -> Outcome<Rate> {
    let directory = Directory::new()?;
    let script = directory.0.join("script.sql");
    fs::write(&script, load.script).map_err(|error| error.to_string())?;
    let (option, value, warm) = match load.length {
        Length::Seconds { warm, counted } => ("-T", (warm + counted).ceil().to_string(), warm),
        Length::Transactions(count) => ("-t", count.to_string(), 0.0),
    };
    let clients = load.clients.to_string();
    let output = Command::new(&options.pgbench)
        .args(["-h", "127.0.0.1", "-p", &server.port().to_string()])
        .args(["-U", "postgres", "-M", "prepared", "-n", "-l"])
        .args([
            "-c",
            &clients,
            "-j",
            if load.clients > 1 { "2" } else { "1" },
        ])
        .args([option, &value, "-f"])
        .arg(&script)
        .arg("--log-prefix")
        .arg(directory.0.join("log"))
        .arg(load.database)
        .output()
        .map_err(|error| format!("{}: {error}", options.pgbench.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || said.contains("ERROR") || said.contains("aborted") {
        return Err(format!("pgbench failed: {}", said.trim()));
    }
    let mut done = Vec::new();
    for log in directory.logs()? {
        let text = fs::read_to_string(&log).map_err(|error| error.to_string())?;
        for line in text.lines() {
            done.push(transaction(line).ok_or_else(|| format!("pgbench logged: {line}"))?);
        }
    }
    rate(&done, warm)
}

/// One finished transaction: when, in seconds, and after how many milliseconds.
struct Transaction {
    end: f64,
    latency: f64,
}

/// "client number latency script seconds microseconds"; the latency is in microseconds.
fn transaction(line: &str) -> Option<Transaction> {
    let mut fields = line.split_ascii_whitespace().skip(2);
    let latency: f64 = fields.next()?.parse().ok()?;
    let seconds: f64 = fields.nth(1)?.parse().ok()?;
    let micros: f64 = fields.next()?.parse().ok()?;
    Some(Transaction {
        end: seconds + micros / 1e6,
        latency: latency / 1e3,
    })
}

fn rate(done: &[Transaction], warm: f64) -> Outcome<Rate> {
    let first = done.iter().map(|one| one.end).fold(f64::INFINITY, f64::min);
    let last = done.iter().map(|one| one.end).fold(0.0, f64::max);
    let begin = first + warm;
    let counted: Vec<f64> = done
        .iter()
        .filter(|one| one.end > begin)
        .map(|one| one.latency)
        .collect();
    if counted.is_empty() {
        return Err("no transaction ended after the warm-up".to_owned());
    }
    Ok(Rate {
        tps: counted.len() as f64 / (last - begin),
        p99: percentile(&counted, 0.99),
    })
}

/// For the script and the logs; removed with the value.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Outcome<Self> {
        let run = std::env::var("PLPROXY_RUN").map_err(|error| error.to_string())?;
        let path = Path::new(&run).join("pgbench");
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    /// One per thread of pgbench: log.<pid>, log.<pid>.1 …
    fn logs(&self) -> Outcome<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.0).map_err(|error| error.to_string())?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        Ok(paths
            .filter(|path| path.extension().is_some_and(|end| end != "sql"))
            .collect())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines() {
        let one = transaction("0 199 2241 0 1175850568 995598").expect("well formed");
        assert!((one.end - 1_175_850_568.995_598).abs() < 1e-5);
        assert_eq!(one.latency, 2.241);
        assert!(transaction("0 199 2241").is_none());
    }

    #[test]
    fn the_warm_up_does_not_count() {
        let done: Vec<Transaction> = (0..=100)
            .map(|i| Transaction {
                end: f64::from(i) / 10.0,
                latency: if i <= 50 { 9.0 } else { 1.0 },
            })
            .collect();
        let rate = rate(&done, 5.0).expect("there are some");
        assert!((rate.tps - 10.0).abs() < 1e-9);
        assert_eq!(rate.p99, 1.0);
    }
}
