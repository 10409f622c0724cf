//! Atomic commands at the same time: those of one proxy wait for each other here and not across partitions; those of two
//! proxies for lock_timeout at the most.

use std::collections::BTreeMap;

use plproxy_test_kit::{Run, Server, Session, Tally, until_is, wait_until};

use crate::stages::{PREPARING, tell};

const SETTINGS: [&str; 4] = ["--auth", "trust", "--set", "shared_buffers = 16MB"];

/// The servers.
struct Servers {
    a: Server,
    b: Server,
    proxy: Server,
    /// How long each pair of sessions goes on, in seconds.
    seconds: u32,
}

/// How the commands of a session have ended: how many of each SQLSTATE, or `done`.
type Outcomes = BTreeMap<String, u64>;

pub fn run(tally: &mut Tally) {
    let servers = Servers::begin();
    limits(tally, &servers);
    takes_turns(tally, &servers);
    one_proxy(tally, &servers);
    two_proxies(tally, &servers);
}

impl Servers {
    fn begin() -> Self {
        let run = Run::begin();
        let partition = |name| {
            let server = run.start(name, &[&SETTINGS[..], &PREPARING].concat());
            server.execute("postgres", &["create database part"]);
            server.execute("part", &["create table t (n int)"]);
            server
        };
        let (a, b) = (partition("a"), partition("b"));
        let proxy = run.start("proxy", &SETTINGS);
        proxy.execute("postgres", &["create database other"]);
        for database in ["postgres", "other"] {
            let server = format!(
                "create server parts foreign data wrapper plproxy options (p0 '{}', p1 '{}')",
                a.connstr("part"),
                b.connstr("part")
            );
            let mapping = "create user mapping for public server parts options (user 'postgres')";
            proxy.execute(database, &["create extension plproxy", &server, mapping]);
        }
        let seconds = std::env::var("SECONDS_EACH").ok();
        Self {
            a,
            b,
            proxy,
            seconds: seconds.map_or(8, |text| text.parse().expect("SECONDS_EACH, a number")),
        }
    }

    fn ask(&self, statements: &[&str]) -> String {
        tell(&self.proxy, "postgres", statements)
    }

    fn set(&self, database: &str, option: &str) {
        let server = format!("alter server parts options ({option})");
        self.proxy.execute(database, &[&server]);
    }

    fn clear(&self) {
        let truncate = "select from plproxy_run_on_all('parts', 'truncate t', atomic => true)";
        self.proxy.execute("postgres", &[truncate]);
    }

    /// The number of rows on the partitions: one number if it is the same.
    fn rows(&self) -> String {
        self.ask(&[
            "select distinct result from plproxy_run_on_all('parts', 'select count(*) from t')",
        ])
    }

    /// A session that goes on for a while.
    fn work(&self, database: &str) -> Session {
        let session = self.proxy.session(database);
        for statement in [
            "set client_min_messages = error",
            "set statement_timeout = '300s'",
            "create temp table outcomes (code text)",
        ] {
            session.send(statement);
        }
        session.send(&format!(
            "do $$
            declare
                until timestamptz := clock_timestamp() + '{} s';
                code text;
            begin
                while clock_timestamp() < until loop
                    code := 'done';
                    begin
                        perform from plproxy_run_on_all('parts', 'lock table t in access exclusive mode; insert into t values (1)', atomic => true);
                    exception when others then
                        code := sqlstate;
                    end;
                    commit;
                    insert into outcomes values (code);
                end loop;
            end $$",
            self.seconds
        ));
        session.send("select code, count(*) from outcomes group by 1 order by 1");
        session
    }

    /// Two of them at once; how their commands have ended.
    fn pair(&self, tally: &Tally, databases: [&str; 2]) -> [Outcomes; 2] {
        let sessions = databases.map(|database| self.work(database));
        sessions.map(|session| {
            let log = session.end();
            tally.note(&log.join(", "));
            log.iter().map(|line| outcome(line)).collect()
        })
    }
}

/// Whatever else a session says is an outcome, too.
fn outcome(line: &str) -> (String, u64) {
    line.split_once('|')
        .and_then(|(code, count)| Some((code.to_owned(), count.parse().ok()?)))
        .unwrap_or_else(|| (line.to_owned(), 1))
}

fn done(outcomes: &[Outcomes]) -> u64 {
    outcomes.iter().filter_map(|of| of.get("done")).sum()
}

/// Those that are none of these.
fn others(outcomes: &[Outcomes], expected: &[&str]) -> String {
    let codes = outcomes.iter().flat_map(BTreeMap::keys);
    let others: Vec<&str> = codes
        .map(String::as_str)
        .filter(|code| !expected.contains(code))
        .collect();
    others.join(";")
}

/// PostgreSQL says from 19 on what was waited for.
fn without_wait(said: &str) -> String {
    let lines = said.split(';').filter(|line| {
        !line.strip_prefix("CONTEXT:  ").is_some_and(|context| {
            context
                .trim_start_matches("Remote context: ")
                .starts_with("waiting for ")
        })
    });
    lines.collect::<Vec<_>>().join(";")
}

/// How long a lock is waited for on the partitions.
fn limits(tally: &mut Tally, servers: &Servers) {
    let limit = || {
        servers.ask(&["select distinct result from plproxy_run_on_all('parts', 'show lock_timeout', atomic => true)"])
    };
    tally.same("lock_timeout: by default", "10s", limit());
    servers.set("postgres", "add lock_timeout '1234'");
    tally.same("lock_timeout: of the cluster", "1234ms", limit());
    servers.set("postgres", "set lock_timeout '0'");
    tally.same("lock_timeout: none", "0", limit());
    tally.same(
        "lock_timeout: of the command itself",
        "7s",
        servers.ask(&["select distinct result from plproxy_run_on_all('parts',
            'set lock_timeout = ''7s''; show lock_timeout', atomic => true)"]),
    );
    tally.same(
        "lock_timeout: not for commands that are not atomic",
        "0",
        servers
            .ask(&["select distinct result from plproxy_run_on_all('parts', 'show lock_timeout')"]),
    );
    servers.set("postgres", "set lock_timeout '500'");
    let block = servers.b.session("part");
    block.ask(&["begin", "lock table t"]);
    let said = servers.ask(&[
        "set statement_timeout = '120s'",
        "select from plproxy_run_on_all('parts', 'truncate t', atomic => true)",
    ]);
    tally.same(
        "lock_timeout: it ends the wait, and says so",
        "ERROR:  public.plproxy_run_on_all(3): [part] REMOTE ERROR: canceling statement due to lock timeout;HINT:  A lock on a \
         partition is waited for 500 ms; option \"lock_timeout\" of the cluster sets that.",
        without_wait(&said),
    );
    block.end();
    wait_until("the table is free", || {
        let locks = "select count(*) from pg_locks where relation = 't'::regclass";
        tell(&servers.b, "part", &[locks]) == "0"
    });
}

/// In one proxy the second waits for the first, as any statement waits for a lock.
fn takes_turns(tally: &mut Tally, servers: &Servers) {
    let first = servers.proxy.session("postgres");
    first.ask(&[
        "begin",
        "select count(*) from plproxy_run_on_all('parts', 'truncate t', atomic => true)",
    ]);
    let said = servers.ask(&[
        "set lock_timeout = '200ms'",
        "select from plproxy_run_on_all('parts', 'select 1', atomic => true)",
    ]);
    tally.same(
        "the second waits: lock_timeout of the session",
        "ERROR:  canceling statement due to lock timeout",
        without_wait(&said),
    );
    let second = servers.proxy.session("postgres");
    second.send(
        "select from plproxy_run_on_all('parts', 'insert into t values (1)', atomic => true)",
    );
    let waits = format!(
        "select wait_event_type, wait_event from pg_stat_activity where pid = {}",
        second.process.0
    );
    tally.same(
        "the second waits: it shows",
        "Lock|advisory",
        until_is("Lock|advisory", || servers.ask(&[&waits])),
    );
    tally.same(
        "other commands do not wait",
        "0|t|0;1|t|0",
        servers.ask(&["select * from plproxy_run_on_all('parts', 'select 0')"]),
    );
    first.ask(&["commit"]);
    first.end();
    second.end();
    tally.same(
        "then it is its turn",
        "0|t|1;1|t|1",
        servers.ask(&["select * from plproxy_run_on_all('parts', 'select count(*) from t')"]),
    );
    servers.clear();
}

fn one_proxy(tally: &mut Tally, servers: &Servers) {
    let outcomes = servers.pair(tally, ["postgres", "postgres"]);
    tally.same(
        "two sessions: every command was done",
        "",
        others(&outcomes, &["done"]),
    );
    tally.same(
        "two sessions: on both partitions",
        done(&outcomes).to_string(),
        servers.rows(),
    );
    let turns = outcomes.iter().filter(|of| of.contains_key("done")).count();
    tally.check(
        "two sessions: both had their turns",
        turns == 2,
        &format!("{turns} of them"),
    );
    servers.clear();
}

/// Two databases know nothing of each other, as two servers would not.
fn two_proxies(tally: &mut Tally, servers: &Servers) {
    servers.set("postgres", "drop lock_timeout");
    for database in ["postgres", "other"] {
        servers.set(database, "add lock_timeout '300'");
    }
    let outcomes = servers.pair(tally, ["postgres", "other"]);
    tally.same(
        "two proxies: what was not done gave up waiting",
        "",
        others(&outcomes, &["done", "55P03"]),
    );
    let some = done(&outcomes);
    tally.check(
        &format!("two proxies: some were done ({some})"),
        some > 0,
        "none",
    );
    tally.same(
        "two proxies: on both partitions",
        some.to_string(),
        servers.rows(),
    );
    let prepared = [&servers.a, &servers.b]
        .map(|server| tell(server, "part", &["select count(*) from pg_prepared_xacts"]));
    tally.same("nothing is left", "0;0", prepared.join(";"));
}
