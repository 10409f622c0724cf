//! The workloads, W1 to W14, and what is asked of each.

mod calls;
pub mod rows;
pub mod sessions;
mod shared;
mod transactions;

use crate::measure::{Pair, Side};
use crate::server::{Servers, Session};
use crate::table::{Row, render};
use crate::{Options, Outcome, machine, print, readme, say};
use serde_json::Value;
use std::fs;
use std::time::Instant;

/// What every workload needs.
pub struct Bench<'a> {
    pub options: &'a Options,
    pub servers: &'a Servers,
    /// How often each handler is measured.
    pub rounds: usize,
}

impl Bench<'_> {
    /// The full size, or the one of a smoke test.
    pub fn size<T>(&self, full: T, quick: T) -> T {
        if self.options.quick { quick } else { full }
    }

    /// A session on each proxy.
    pub fn sessions(&self) -> Outcome<Pair<Session>> {
        Pair::make(|side| self.session(side))
    }

    pub fn session(&self, side: Side) -> Outcome<Session> {
        Session::open(self.servers.proxy(side))
    }
}

type Workload = fn(&Bench<'_>) -> Outcome<Vec<Row>>;

const ALL: [(&str, Workload); 16] = [
    ("W1", calls::one_client),
    ("W2", calls::eight_clients),
    ("W3", calls::scenario),
    ("W4", sessions::run_on_all),
    ("W5", rows::wide),
    ("W6a", rows::split_ints),
    ("W6b", rows::split_texts),
    ("W7", sessions::first_call),
    ("W8", calls::writes),
    ("W9", rows::large),
    ("W10", sessions::overhead),
    ("W11", shared::scenario),
    ("W12", shared::size),
    ("W13", shared::calls),
    ("W14", transactions::two_phase),
    ("idle", sessions::idle),
];

/// Runs them, prints the table and writes the figures.
pub fn run(options: &Options) -> Outcome<()> {
    let servers = Servers::find()?;
    let machine = machine::describe(&servers)?;
    let bench = Bench {
        options,
        servers: &servers,
        rounds: if options.quick { 1 } else { 5 },
    };
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|one| one == name);
    if let Some(unknown) = options
        .only
        .iter()
        .find(|one| !ALL.iter().any(|(name, _)| name == one))
    {
        return Err(format!("there is no workload {unknown}"));
    }
    let mut rows = Vec::new();
    for (name, workload) in ALL.iter().filter(|(name, _)| wanted(name)) {
        servers.settle()?;
        let start = Instant::now();
        let measured = workload(&bench).map_err(|what| format!("{name}: {what}"))?;
        say(&format!(
            "{name} done ({:.0} s)",
            start.elapsed().as_secs_f64()
        ));
        rows.extend(measured);
    }
    let table = render(&rows);
    print(&table)?;
    if let Some(directory) = &options.results {
        let path = directory.join("results.json");
        let caption = machine::caption(&machine);
        readme::renew(directory, "workloads", &format!("{caption}\n{table}"))?;
        let mut fields = machine;
        fields.insert("quick".to_owned(), options.quick.into());
        fields.insert("rounds".to_owned(), bench.rounds.into());
        fields.insert("workloads".to_owned(), rows.iter().map(Row::json).collect());
        fs::write(&path, format!("{:#}\n", Value::Object(fields)))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
