//! Where and of what the figures are.

use crate::Outcome;
use crate::json::Json;
use crate::server::{Servers, Session};
use std::fs;

/// One line of it.
pub fn caption(fields: &[(&str, Json)]) -> String {
    let field = |name: &str| {
        let value = fields.iter().find(|(field, _)| *field == name);
        value.map(|(_, value)| match value {
            Json::Text(text) => text.clone(),
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
pub fn describe(servers: &Servers) -> Outcome<Vec<(&'static str, Json)>> {
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
    Ok(vec![
        ("cpu", Json::text(line(&cpus, "model name"))),
        ("cpus", Json::Number(count.count() as f64)),
        (
            "memory",
            Json::text(line(&read("/proc/meminfo"), "MemTotal")),
        ),
        (
            "kernel",
            Json::text(read("/proc/sys/kernel/osrelease").trim()),
        ),
        ("load_at_start", Json::text(read("/proc/loadavg").trim())),
        ("postgresql", Json::text(ours.ask_text("select version()")?)),
        ("plproxy_c", Json::text(c.ask_text(version)?)),
        ("plproxy_ours", Json::text(ours.ask_text(version)?)),
        (
            "commit",
            Json::text(std::env::var("BENCH_COMMIT").unwrap_or_default()),
        ),
    ])
}
