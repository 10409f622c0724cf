//! The servers, and what is asked of all of them.

use plproxy_test_kit::{Process, Run, Server, Session};

/// All partitions' counts.
pub const PARTITIONS: &str = "select string_agg(concat_ws(' ', cluster, partition, host, dbname, calls, rows, errors, connects,
    connect_failures, cancels, scope), ', ' order by cluster, partition) from plproxy_stat_partitions";
/// All functions' counts.
pub const FUNCTIONS: &str = "select string_agg(concat_ws(' ', function, calls, rows, errors, connects, connect_failures, cancels,
    scope), ', ' order by function::text collate \"C\") from plproxy_stat_functions";
/// Forgets them.
pub const RESET: &str = "select plproxy_stat_reset()";

/// The servers of the run.
pub struct Servers {
    pub run: Run,
    pub parts: Server,
    /// For connections that are never answered.
    pub silent: Server,
    pub proxy: Server,
}

impl Servers {
    pub fn begin() -> Self {
        let run = Run::begin();
        let parts = run.start("parts", &["--auth", "trust"]);
        let silent = run.start("silent", &["--auth", "trust"]);
        let proxy = run.start(
            "proxy",
            &[
                "--auth",
                "trust",
                "--max-connections",
                "40",
                "--set",
                "shared_preload_libraries = 'plproxy'",
                "--set",
                "plproxy.max_tracked_partitions = 10",
            ],
        );
        for part in 0..4 {
            parts.execute("postgres", &[&format!("create database part{part}")]);
            parts.execute(
                &format!("part{part}"),
                &[
                    "create function rows_of(n int) returns setof int language sql as 'select generate_series(1, n)'",
                    "create function fails(n int) returns int language sql as 'select 1 / 0'",
                    "create function slow(n int) returns setof text language sql as 'select current_database()::text
                        from pg_sleep(case current_database() when ''part2'' then 0.3 else 0 end)'",
                ],
            );
        }
        let servers = Self {
            run,
            parts,
            silent,
            proxy,
        };
        servers.set_up("postgres");
        servers
    }

    /// The extension with its clusters and functions.
    pub fn set_up(&self, database: &str) {
        let port = self.parts.port();
        let partitions = |count: u32, connstr: &dyn Fn(u32) -> String| {
            let options = (0..count).map(|n| format!("p{n} 'host=127.0.0.1 {}'", connstr(n)));
            options.collect::<Vec<_>>().join(", ")
        };
        let parts = partitions(4, &|n| {
            format!("port={port} dbname=part{n} password=Sesame42")
        });
        let many = partitions(16, &|n| {
            format!("port={port} dbname=postgres application_name=many{n}")
        });
        let silent = partitions(1, &|_| {
            format!("port={} dbname=postgres", self.silent.port())
        });
        let closed = partitions(1, &|_| "port=1 dbname=nowhere".to_owned());
        self.proxy.execute(database, &["create extension plproxy"]);
        for (name, options) in [
            ("parts", parts),
            ("many", format!("modular_mapping '1', {many}")),
            ("silent", silent),
            ("closed", closed),
        ] {
            self.proxy.execute(
                database,
                &[
                    &format!(
                        "create server {name} foreign data wrapper plproxy options ({options})"
                    ),
                    &format!(
                        "create user mapping for public server {name} options (user 'postgres')"
                    ),
                ],
            );
        }
        for (function, body) in [
            (
                "one_part(n int) returns int",
                "cluster 'parts'; run on n; select n;",
            ),
            (
                "rows_of(n int) returns setof int",
                "cluster 'parts'; run on all;",
            ),
            ("fails(n int) returns int", "cluster 'parts'; run on n;"),
            (
                "slow(n int) returns setof text",
                "cluster 'parts'; run on all;",
            ),
            (
                "sleeps(seconds float8) returns int",
                "cluster 'parts'; run on 3; select 1 from pg_sleep(seconds);",
            ),
            (
                "sixteen() returns setof int",
                "cluster 'many'; run on all; select 1;",
            ),
            (
                "from_silent() returns int",
                "cluster 'silent'; run on 0; select 1;",
            ),
            (
                "from_closed() returns int",
                "cluster 'closed'; run on 0; select 1;",
            ),
        ] {
            let create = format!("create function {function} language plproxy as $${body}$$");
            self.proxy.execute(database, &[&create]);
        }
    }

    /// What statements say on the proxy, one after the other in a new session.
    pub fn ask(&self, statements: &[&str]) -> String {
        self.proxy.ask("postgres", statements)
    }

    /// The last line of it.
    pub fn ask_last(&self, statements: &[&str]) -> String {
        let said = self.ask(statements);
        said.rsplit(';').next().unwrap_or_default().to_owned()
    }

    /// A session with nothing to do.
    pub fn idle(&self) -> (Session, Process) {
        let session = self.proxy.session("postgres");
        let process = session.process;
        (session, process)
    }
}
