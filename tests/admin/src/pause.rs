//! Pauses: what waits and what goes on, what a pause waits for, what ends it, and what is refused.

mod ends;
mod load;
mod passes;
mod refused;
mod waits;

use plproxy_test_kit::{Run, Server, Session, Tally, until_is};

const SETTINGS: [&str; 8] = [
    "--auth",
    "trust",
    // Of each of the sessions to each partition.
    "--max-connections",
    "250",
    "--set",
    "shared_buffers = 16MB",
    "--set",
    "restart_after_crash = on",
];
/// Each session may be preparing, on all partitions.
const PREPARING: [&str; 2] = ["--set", "max_prepared_transactions = 250"];
/// The partitions of the clusters, all but `plain` with the same.
const COUNT: usize = 4;

/// The servers: the partitions are databases of one, and `other` has a database that one of them may move to.
pub struct Servers {
    pub run: Run,
    pub parts: Server,
    pub other: Server,
    pub proxy: Server,
}

pub fn run(tally: &mut Tally) {
    let servers = Servers::begin();
    refused::without_preloading(tally, &servers);
    refused::arguments(tally, &servers);
    refused::rights(tally, &servers);
    waits::what(tally, &servers);
    waits::any(tally, &servers);
    waits::lame(tally, &servers);
    waits::twins(tally, &servers);
    waits::ends(tally, &servers);
    passes::joined(tally, &servers);
    passes::cursor(tally, &servers);
    passes::own(tally, &servers);
    ends::by_itself(tally, &servers);
    ends::without_its_session(tally, &servers);
    ends::given_up(tally, &servers);
    ends::lost_calls(tally, &servers);
    for cluster in ["plain", "pooled"] {
        load::run(tally, &servers, cluster);
    }
    load::of_functions(tally, &servers);
    load::nested(tally, &servers);
    ends::standby(tally, &servers);
    ends::restarts(tally, &servers);
    tally.same("nothing panicked", "", servers.proxy.panics());
}

impl Servers {
    fn begin() -> Self {
        let run = Run::begin();
        let parts = run.start("parts", &[&SETTINGS[..], &PREPARING].concat());
        let other = run.start("other", &[&SETTINGS[..], &PREPARING].concat());
        for part in 0..COUNT {
            make_partition(&parts, &format!("part{part}"));
        }
        make_partition(&other, "moved");
        let preloaded = ["--set", "shared_preload_libraries = 'plproxy'"];
        let proxy = run.start("proxy", &[&SETTINGS[..], &preloaded].concat());
        let servers = Self {
            run,
            parts,
            other,
            proxy,
        };
        servers.set_up(&servers.proxy, "postgres");
        servers
    }

    /// The extension, its clusters and functions.
    pub fn set_up(&self, proxy: &Server, database: &str) {
        let parts: Vec<String> = (0..COUNT)
            .map(|part| format!("p{part} '{}'", self.parts.connstr(&format!("part{part}"))))
            .collect();
        let parts = parts.join(", ");
        proxy.execute(
            database,
            &[
                "create extension plproxy",
                "alter role postgres set plproxy.lease_timeout = '1 min'",
            ],
        );
        for (name, options) in [
            ("plain", ""),
            ("streamed", "streaming '1', "),
            ("joined", "transaction_mode 'two_phase', lock_timeout '0', "),
            (
                "pooled",
                "transaction_mode 'two_phase', shared_connections '20', ",
            ),
        ] {
            let calls = format!("cluster '{name}';");
            proxy.execute(
                database,
                &[
                    &format!("create server {name} foreign data wrapper plproxy options ({options}{parts})"),
                    &format!("create user mapping for public server {name} options (user 'postgres')"),
                    &format!("create function {name}_add(at int) returns int language plproxy as $$ {calls} run on at; target add; $$"),
                    &format!("create function {name}_all(at int) returns setof int language plproxy as $$ {calls} run on all; target add; $$"),
                    &format!("create function {name}_split(at int[]) returns setof int language plproxy as $$ {calls} split at; run on at;
                        target add_some; $$"),
                    &format!("create function {name}_any(at int) returns text language plproxy as $$ {calls} run on any;
                        select current_database() || ' ' || add(at); $$"),
                    &format!("create function {name}_rows(at int) returns setof int language plproxy as $$ {calls} run on at;
                        select i from generate_series(1, 1000000) i; $$"),
                    &format!("create function {name}_sleep(at int) returns int language plproxy as $$ {calls} run on at;
                        select 1 from pg_sleep(600); $$"),
                ],
            );
        }
    }

    pub fn session(&self) -> Session {
        self.proxy.session("postgres")
    }

    /// What a statement says on the proxy, the first line of an error without its prefix.
    pub fn ask(&self, statement: &str) -> String {
        self.proxy.ask("postgres", &[statement])
    }

    /// How many calls have come to a partition.
    pub fn calls(&self, part: usize) -> String {
        let database = format!("part{part}");
        self.parts.ask(&database, &["select count(*) from t"])
    }

    /// Waits until so many wait for the end of pauses.
    pub fn until_waiting(&self, wanted: &str) -> bool {
        let waiting = "select coalesce(sum(waiting), 0) from plproxy_paused";
        until_is(wanted, || self.ask(waiting)) == wanted
    }

    /// Waits until a pause waits for something.
    pub fn until_pausing(&self) -> bool {
        let pausing = "select count(*) from plproxy_paused where under_way > 0";
        until_is("1", || self.ask(pausing)) == "1"
    }
}

/// The database of a partition.
fn make_partition(server: &Server, database: &str) {
    server.execute("postgres", &[&format!("create database {database}")]);
    server.execute(
        database,
        &[
            "create table t (at int, pid int)",
            "create function add(at int) returns int language sql as 'insert into t values (at, pg_backend_pid()) returning at'",
            "create function add_some(at int[]) returns setof int language sql as
                'insert into t select unnest(at), pg_backend_pid() returning at'",
        ],
    );
}
