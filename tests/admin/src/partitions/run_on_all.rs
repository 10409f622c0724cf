//! SQL on all partitions.

use plproxy_test_kit::{Server, Tally, until_is};

use super::Servers;
use crate::stages::tell;

fn on_all(command: &str) -> String {
    format!("select * from plproxy_run_on_all('parts', {command})")
}

pub fn results(tally: &mut Tally, servers: &Servers) {
    let all = |commands: &[&str]| {
        let statements: Vec<String> = commands.iter().map(|command| on_all(command)).collect();
        servers.ask(&statements.iter().map(String::as_str).collect::<Vec<_>>())
    };
    tally.same(
        "run_on_all: a value, or the command tag",
        "0|t|CREATE TABLE;1|t|CREATE TABLE;0|t|INSERT 0 3;1|t|INSERT 0 3;0|t|3;1|t|3",
        all(&[
            "'create table t (n int)'",
            "'insert into t select generate_series(1, 3)'",
            "'select 1; select count(*) from t'",
        ]),
    );
    tally.same(
        "run_on_all: a NULL, no row, nothing",
        "0|t|;1|t|;0|t|SELECT 0;1|t|SELECT 0;0|t|;1|t|",
        all(&["'select null, 1'", "'select 1 where false'", "''"]),
    );
    tally.same(
        "run_on_all: one string is one transaction",
        "0|f|ERROR:  division by zero;1|f|ERROR:  division by zero;0|t|3;1|t|3",
        all(&["'delete from t; select 1/0'", "'select count(*) from t'"]),
    );
    tally.same(
        "run_on_all: what cannot run in a transaction block",
        "0|t|VACUUM;1|t|VACUUM;0|t|CREATE DATABASE;1|t|CREATE DATABASE",
        all(&["'vacuum t'", "'create database other'"]),
    );
    tally.same(
        "run_on_all: COPY is no command for all",
        "0|f;1|f",
        servers.ask(&[
            "select partition, success from plproxy_run_on_all('parts', 'copy t to stdout')",
        ]),
    );
    tally.same(
        "run_on_all: a million rows, of which one is wanted",
        "0|t|1;1|t|1",
        all(&["'select n from generate_series(1, 1000000) n'"]),
    );
}

pub fn sessions(tally: &mut Tally, servers: &Servers) {
    let sleepers = servers.proxy.session("postgres");
    sleepers.send(&on_all("'select pg_sleep(600) /* at once */'"));
    let asleep = |server: &Server| {
        let count = "select count(*) from pg_stat_activity where query ~ '/. at once' and wait_event = 'PgSleep'";
        tell(server, "part", &[count])
    };
    tally.same(
        "run_on_all: all at once",
        "1 1 1",
        format!(
            "{} {} {}",
            until_is("1", || asleep(&servers.a)),
            until_is("1", || asleep(&servers.b)),
            asleep(&servers.a)
        ),
    );
    servers.proxy.cancel("query ~ 'at once'");
    sleepers.end();
    servers.proxy.execute(
        "postgres",
        &[
            "create function part_setting(name text) returns setof text language plproxy as
            $$ cluster 'parts'; run on all; select current_setting(name); $$",
        ],
    );
    let setting = "select part_setting('session_authorization')";
    tally.same(
        "run_on_all: nothing of it stays in the session",
        "postgres;postgres;0|t|SET;1|t|SET;postgres;postgres",
        servers.ask(&[
            setting,
            &on_all("'set session authorization limited'"),
            setting,
        ]),
    );
    let begun = servers.ask(&[&on_all("'begin'")]);
    let idle = "select count(*) from pg_stat_activity where state like 'idle in transaction%'";
    tally.same(
        "run_on_all: nor on the partition",
        "0|f|the statement has begun a transaction, which is rolled back;1|f|the statement has begun a transaction, which is \
         rolled back;0",
        format!(
            "{begun};{}",
            until_is("0", || tell(&servers.a, "part", &[idle]))
        ),
    );
}

pub fn timeouts(tally: &mut Tally, servers: &Servers) {
    let running = |server: &Server, what: &str| {
        let count = format!(
            "select count(*) from pg_stat_activity
            where state = 'active' and query like '%{what}%' and pid <> pg_backend_pid()"
        );
        tell(server, "part", &[&count])
    };
    let option = |change: &str| {
        let server = format!("alter server parts options ({change})");
        servers.proxy.execute("postgres", &[&server]);
    };
    // It is for the other partition's short statement, too, on a slow machine.
    option("add query_timeout '10'");
    let sleeps_on_a = format!(
        "$$do 'begin if inet_server_port() = {} then perform pg_sleep(60); end if; end'; select 'done'$$",
        servers.a.port()
    );
    tally.same(
        "run_on_all: query_timeout is for each",
        "0|f|query timeout;1|t|done",
        servers.ask(&[&on_all(&sleeps_on_a)]),
    );
    tally.same(
        "run_on_all: and ends the statement there",
        "0",
        until_is("0", || running(&servers.a, "pg_sleep(60)")),
    );
    option("drop query_timeout");
    let sleeper = servers.proxy.session("postgres");
    sleeper.ask(&["set statement_timeout = '500ms'"]);
    tally.same(
        "run_on_all: statement_timeout ends it",
        "ERROR:  canceling statement due to statement timeout",
        sleeper.send(&on_all("'select pg_sleep(61)'")).said(),
    );
    let left = servers
        .partitions()
        .map(|server| until_is("0", || running(server, "pg_sleep(61)")));
    tally.same(
        "run_on_all: and cancels what runs on the partitions",
        "0 0",
        left.join(" "),
    );
}
