//! Transactions over calls on connections that sessions share: who has one until when, what ends the wait for one, and what is
//! left when that comes in the middle of a transaction.

mod statements;
mod waits;

use plproxy_test_kit::{Run, Server, Session, Tally, until_is, until_some};

use crate::stages::{PREPARING, tell};

const SETTINGS: [&str; 6] = [
    "--auth",
    "trust",
    "--set",
    "shared_buffers = 16MB",
    "--set",
    "restart_after_crash = on",
];

/// The servers: part0 and part1 are databases of one.
pub struct Servers {
    pub parts: Server,
    pub proxy: Server,
}

pub fn run(tally: &mut Tally) {
    let servers = Servers::begin();
    holds(tally, &servers);
    savepoints(tally, &servers);
    others_are_found(tally, &servers);
    waits::knot(tally, &servers);
    waits::no_knot(tally, &servers);
    waits::ends(tally, &servers);
    statements::prepared(tally, &servers);
    statements::left(tally, &servers);
    statements::within(tally, &servers);
    beside(tally, &servers);
    keeper(tally, &servers);
    tally.same("nothing panicked", "", servers.proxy.panics());
}

impl Servers {
    fn begin() -> Self {
        let run = Run::begin();
        let parts = run.start("parts", &[&SETTINGS[..], &PREPARING].concat());
        for part in ["part0", "part1"] {
            parts.execute("postgres", &[&format!("create database {part}")]);
            parts.execute(
                part,
                &[
                    "create table t (n int)",
                    "create function add(at int) returns int language sql as 'insert into t values (at) returning n'",
                    "create function look(at int) returns int language sql as 'select count(*)::int from t'",
                    "create function fails(at int) returns int language sql as 'select 1 / (count(*) - count(*))::int from t'",
                    "create function told(command text) returns text language plpgsql as $$
                    declare got text;
                    begin
                        if command ~ '^(select|show)' then execute command into got; else execute command; end if;
                        return got;
                    end $$",
                ],
            );
        }
        let preloaded = ["--set", "shared_preload_libraries = 'plproxy'"];
        let proxy = run.start("proxy", &[&SETTINGS[..], &preloaded].concat());
        let cluster = |name: &str, partitions: &[String]| {
            let partitions: Vec<String> = (0..)
                .zip(partitions)
                .map(|(number, connstr)| format!("p{number} '{connstr}'"))
                .collect();
            let server = format!(
                "create server {name} foreign data wrapper plproxy options (transaction_mode 'two_phase', lock_timeout '0',
                    shared_connections '1', {})",
                partitions.join(", ")
            );
            let mapping =
                format!("create user mapping for public server {name} options (user 'postgres')");
            proxy.execute("postgres", &[&server, &mapping]);
        };
        proxy.execute("postgres", &["create extension plproxy"]);
        cluster("parts", &[parts.connstr("part0"), parts.connstr("part1")]);
        cluster("apart", &[parts.connstr("part0"), parts.connstr("part1")]);
        proxy.execute(
            "postgres",
            &["alter server apart options (drop transaction_mode)"],
        );
        // Many partitions, and the same in the other order.
        let mut many: Vec<String> = (0..16)
            .map(|number| format!("{} application_name=many{number}", parts.connstr("part0")))
            .collect();
        cluster("many", &many);
        many.reverse();
        cluster("turned", &many);
        proxy.execute(
            "postgres",
            &[
                "create function add(at int) returns int language plproxy as $$ cluster 'parts'; run on at; $$",
                "create function add_all(at int) returns setof int language plproxy as $$ cluster 'parts'; run on all; target add; $$",
                "create function look_apart(at int) returns int language plproxy as $$ cluster 'apart'; run on at; target look; $$",
                "create function look_at_many(at int) returns setof int language plproxy as $$ cluster 'many'; run on all; target look; $$",
                "create function look_at_turned(at int) returns setof int language plproxy as $$ cluster 'turned'; run on all; target look; $$",
                "create function add_any(at int) returns text language plproxy as $$ cluster 'parts'; run on any;
                    select current_database() || ' ' || add(at); $$",
                "create function add_some(at int) returns setof text language plproxy as $$ cluster 'parts'; run on all skip failed;
                    select current_database() || ' ' || add(at); $$",
                "create function look(at int) returns int language plproxy as $$ cluster 'parts'; run on at; $$",
                "create function fails(at int) returns int language plproxy as $$ cluster 'parts'; run on at; $$",
                "create function told(at int, command text) returns text language plproxy as $$ cluster 'parts'; run on at;
                    select told(command); $$",
            ],
        );
        Self { parts, proxy }
    }

    pub fn session(&self) -> Session {
        self.proxy.session("postgres")
    }

    pub fn ask(&self, statements: &[&str]) -> String {
        tell(&self.proxy, "postgres", statements)
    }

    pub fn set(&self, option: &str) {
        let server = format!("alter server parts options ({option})");
        self.proxy.execute("postgres", &[&server]);
    }

    /// What is in the tables, which are empty then.
    pub fn rows(&self) -> String {
        let count = |part| tell(&self.parts, part, &["select count(*) from t", "truncate t"]);
        format!("{} {}", count("part0"), count("part1"))
    }

    /// Waits until the shared connections are in these states, in the order of the partitions.
    pub fn states(&self, wanted: &str) -> String {
        until_is(wanted, || {
            self.ask(&["select coalesce(string_agg(dbname || ' ' || state, ', ' order by dbname, state), 'none')
                from plproxy_shared_connections"])
        })
    }

    /// Waits until a session waits for a connection.
    pub fn wait_waiting(&self, session: &Session) {
        let waits = format!(
            "select count(*) from plproxy_shared_connections where state = 'waiting' and pid = {}",
            session.process.0
        );
        assert_eq!(until_is("1", || self.ask(&[&waits])), "1", "it waits");
    }

    /// What the call of another session says if it waits for a moment only.
    pub fn impatient(&self, call: &str) -> String {
        let said = self.ask(&["set plproxy.lease_timeout = '200ms'", call]);
        said.replace("PL/Proxy function public.", "")
    }
}

const IDLE: &str = "part0 idle, part1 idle";
const TAKEN: &str = "ERROR:  look(1): [part0] all 1 shared connections were in use for 0.2 s;\
    HINT:  Raise the cluster's shared_connections, or plproxy.lease_timeout.";

/// A connection is had until the transaction ends, and no longer.
fn holds(tally: &mut Tally, servers: &Servers) {
    let session = servers.session();
    for end in ["commit", "rollback"] {
        session.ask(&["begin", "select add(0)"]);
        tally.same(
            &format!("{end}: until then it is in use"),
            format!("part0|in use|{}|t", session.process.0),
            servers.ask(&["select dbname, state, pid, since < now() + interval '1 minute' from plproxy_shared_connections
                where dbname = 'part0'"]),
        );
        tally.same(
            &format!("{end}: until then nobody else has it"),
            TAKEN,
            servers.impatient("select look(0)"),
        );
        session.ask(&[end]);
        tally.same(
            &format!("{end}: then others do"),
            "1",
            servers.ask(&["select look(0) + 1 - look(0)"]),
        );
    }
    tally.same("one commit, one rollback", "1 0", servers.rows());
    session.ask(&["begin", "select add(0)", "select add(1)"]);
    let pid = |part: &str| {
        servers.ask(&[&format!(
            "select server_pid from plproxy_shared_connections where dbname = '{part}'"
        )])
    };
    let before = (pid("part0"), pid("part1"));
    session.ask(&["commit"]);
    tally.same("two phases: given back", IDLE, servers.states(IDLE));
    tally.check(
        "two phases: by one and the same connection",
        before == (pid("part0"), pid("part1")) && servers.ask(&["select add(0)"]) == "0",
        &format!("{before:?}"),
    );
    tally.same("two phases: on both", "2 1", servers.rows());
    session.ask(&["begin", "select add_all(2)"]);
    let error = session.run("select 1 / 0").sqlstate().map(str::to_owned);
    tally.same("an error", "22012", error.unwrap_or_default());
    tally.same(
        "an error: given back before the session says ROLLBACK",
        IDLE,
        servers.states(IDLE),
    );
    session.end();
    tally.same("an error: nothing is left", "0 0", servers.rows());
    let session = servers.session();
    session.ask(&["begin", "select add_all(2)"]);
    session.end();
    servers.states(IDLE);
    tally.same(
        "a session that ends: nothing is left",
        "0 0",
        servers.rows(),
    );
}

/// What began in a part that is rolled back is over with that.
fn savepoints(tally: &mut Tally, servers: &Servers) {
    let session = servers.session();
    session.ask(&[
        "begin",
        "select add(0)",
        "savepoint s",
        "select add(0)",
        "select add(1)",
        "rollback to s",
    ]);
    tally.same(
        "rolled back to a savepoint: what began there is given back",
        "part0 in use, part1 idle",
        servers.states("part0 in use, part1 idle"),
    );
    tally.same(
        "rolled back to a savepoint: others have that",
        "1",
        servers.impatient("select add(1)"),
    );
    session.ask(&["select add(1)", "release s", "commit"]);
    tally.same(
        "rolled back to a savepoint: the rest is committed",
        "1 2",
        servers.rows(),
    );
    session.end();
}

/// Where a partition's connections are in use for too long, others are found, or it is left out.
fn others_are_found(tally: &mut Tally, servers: &Servers) {
    let session = servers.session();
    session.ask(&["begin", "select look(0)"]);
    let any = "select distinct add_any(n) from generate_series(7, 7) n, generate_series(1, 8)";
    tally.same(
        "RUN ON ANY goes where one is free",
        "part1 7",
        servers.impatient(any),
    );
    tally.same(
        "SKIP FAILED leaves it out",
        "WARNING:  add_some(1): [part0] all 1 shared connections were in use for 0.2 s;\
         HINT:  Raise the cluster's shared_connections, or plproxy.lease_timeout.;part1 9",
        servers.impatient("select add_some(9)"),
    );
    tally.same(
        "ON ALL fails",
        "ERROR:  add_all(1): [part0] all 1 shared connections were in use for 0.2 s;\
         HINT:  Raise the cluster's shared_connections, or plproxy.lease_timeout.",
        servers.impatient("select add_all(9)"),
    );
    session.ask(&["select add_some(11)", "commit"]);
    tally.same(
        "who has it already goes on, and nothing else was done",
        "1 10",
        servers.rows(),
    );
    session.end();
}

/// Work on whole clusters has connections of its own.
fn beside(tally: &mut Tally, servers: &Servers) {
    let session = servers.session();
    session.ask(&["begin", "select look(0)"]);
    tally.same(
        "an atomic command has connections of its own",
        "0|t|1;1|t|1",
        servers.ask(&[
            "set plproxy.lease_timeout = '200ms'",
            "select * from plproxy_run_on_all('parts', 'insert into t values (1) returning n', atomic => true)",
        ]),
    );
    tally.same(
        "so have those of its session",
        "0|t|2;1|t|2",
        session.ask(&[
            "select * from plproxy_run_on_all('parts', 'insert into t values (2) returning n', atomic => true)",
        ]),
    );
    session.ask(&["select add(0)", "commit"]);
    tally.same("all is committed", "3 2", servers.rows());
    tally.same(
        "the session has none of its own",
        "0",
        session.ask(&["select count(*) from plproxy_get_connections()"]),
    );
    servers.ask(&["select plproxy_disconnect('parts', true)"]);
    session.ask(&["begin", "select add(1)"]);
    tally.same(
        "closed from elsewhere: when the transaction ends",
        "t;part1 in use",
        format!(
            "{};{}",
            servers.ask(&["select plproxy_disconnect('parts', true)"]),
            servers.states("part1 in use")
        ),
    );
    session.ask(&["commit"]);
    tally.same("then it is", "none", servers.states("none"));
    tally.same("after its work", "0 1", servers.rows());
    session.end();
}

/// With the keeper all connections end, and the transactions on them.
fn keeper(tally: &mut Tally, servers: &Servers) {
    let session = servers.session();
    session.ask(&["begin", "select add(0)", "select add(1)"]);
    let keeper = || {
        let family = servers.proxy.family();
        let mut keepers = family
            .into_iter()
            .filter(|process| process.title().contains("plproxy keeper"));
        keepers.next()
    };
    let before = until_some(keeper).expect("a keeper");
    before.terminate();
    before.wait();
    assert!(until_some(keeper).is_some(), "a new keeper");
    tally.check(
        "the keeper is terminated: the commit fails",
        session.ask(&["commit"]).starts_with("ERROR:  c"),
        &session.log().join(";"),
    );
    servers.states("none");
    tally.same(
        "the keeper is terminated: none commits",
        "0 0",
        servers.rows(),
    );
    tally.same("the keeper is terminated: the next works", "1 1", {
        session.ask(&["begin", "select add(0)", "select add(1)", "commit"]);
        servers.rows()
    });
    session.end();
}
