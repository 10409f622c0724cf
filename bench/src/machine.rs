//! Where and of what the figures are.

use crate::Outcome;
use crate::server::{Servers, Session};
use serde_json::{Map, Value};
use std::fs;

/// One line of it.
pub fn caption(fields: &Map<String, Value>) -> String {
    let field = |name: &str| {
        fields.get(name).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    };
    let field = |name| field(name).unwrap_or_default();
    format!(
        "{} CPUs ({}), load before the run {}, C handler {}, ours at commit {}.\n",
        field("cpus"),
        field("cpu"),
        field("load_at_start").split(' ').next().unwrap_or_default(),
        field("plproxy_c"),
        field("commit"),
    )
}

/// Machine, versions and commit.
pub fn describe(servers: &Servers) -> Outcome<Map<String, Value>> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let line = |text: &str, name: &str| {
        text.lines()
            .find(|line| line.starts_with(name))
            .and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()))
            .unwrap_or_default()
    };
    let cpus = read("/proc/cpuinfo");
    let count = cpus.lines().filter(|line| line.starts_with("processor"));
    let version = "select extversion from pg_extension where extname = 'plproxy'";
    let ours = Session::open(&servers.ours)?;
    let c = Session::open(&servers.c)?;
    let fields = [
        ("cpu", line(&cpus, "model name").into()),
        ("cpus", count.count().into()),
        ("memory", line(&read("/proc/meminfo"), "MemTotal").into()),
        ("kernel", read("/proc/sys/kernel/osrelease").trim().into()),
        ("load_at_start", read("/proc/loadavg").trim().into()),
        ("postgresql", ours.ask_text("select version()")?.into()),
        ("plproxy_c", c.ask_text(version)?.into()),
        ("plproxy_ours", ours.ask_text(version)?.into()),
        (
            "commit",
            std::env::var("BENCH_COMMIT").unwrap_or_default().into(),
        ),
    ];
    Ok((fields.into_iter())
        .map(|(name, value): (&str, Value)| (name.to_owned(), value))
        .collect())
}
