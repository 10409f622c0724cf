//! Room for ten partitions: what has none, and who gives his to whom; the counts are reset.

use plproxy_test_kit::Tally;

use crate::servers::{PARTITIONS, RESET, Servers};

const INFO: &str = "select * from plproxy_stat_info";

pub fn reset(tally: &mut Tally, servers: &Servers) {
    let ask = |statements: &[&str]| servers.ask(statements);
    tally.same(
        "sixteen partitions are called",
        "16",
        ask(&["select count(*) from sixteen()"]),
    );
    tally.same(
        "ten have room, the calls to the others are counted in all",
        "10|7",
        ask(&["select partitions, untracked_calls from plproxy_stat_info"]),
    );
    let session = servers.proxy.session("postgres");
    session.run("select count(*) from sixteen()");
    servers.proxy.execute("postgres", &["create role d_other"]);
    tally.same(
        "nobody may reset unless it is granted",
        "ERROR:  permission denied for function plproxy_stat_reset",
        ask(&["set role d_other", RESET]),
    );
    tally.same(
        "or look",
        "ERROR:  permission denied for view plproxy_stat_partitions",
        ask(&["set role d_other", "select * from plproxy_stat_partitions"]),
    );
    tally.same("a reset", "", ask(&[RESET]));
    tally.same("empties all", "all sessions|10|0|0|0|0|0|0|0", ask(&[INFO]));
    tally.same(
        "a session that was there before counts on",
        "2",
        session.ask(&["select one_part(2)"]),
    );
    tally.same(
        "where there is room now",
        "parts 2 127.0.0.1 part2 1 1 0 1 0 0 all sessions",
        ask(&[PARTITIONS]),
    );
    servers.proxy.ask("other", &["select one_part(2)"]);
    ask(&[RESET]);
    tally.same(
        "another database's stay",
        "1",
        servers
            .proxy
            .ask("other", &["select sum(calls) from plproxy_stat_partitions"]),
    );
    // Sessions on it that have ended may not have gone yet.
    servers
        .proxy
        .execute("postgres", &["drop database other with (force)"]);
    let room = "select partitions, functions from plproxy_stat_info";
    tally.same("until it is dropped", "1|1", ask(&[room]));
    ask(&[RESET]);
    tally.same("and the next reset comes", "0|0", ask(&[room]));
    session.end();
}

/// A role that was granted nothing may call what everybody may, here with a connection string of its own.
pub fn by_use(tally: &mut Tally, servers: &Servers) {
    let ask = |statements: &[&str]| servers.ask(statements);
    servers.proxy.execute(
        "postgres",
        &["create function anywhere(connstr text) returns int language plproxy as $$ connect connstr; select 1; $$"],
    );
    ask(&["select one_part(n) from generate_series(0, 2) n"]);
    let real = "parts 0 1, parts 1 1, parts 2 1";
    let of_parts =
        "select string_agg(concat_ws(' ', cluster, partition, calls), ', ' order by partition)
        from plproxy_stat_partitions where cluster = 'parts'";
    let of_many =
        "select count(*), count(*) filter (where cluster = 'many') from plproxy_stat_partitions";
    let calls_by = |role: &str, times: u32, connstr: &str| {
        let work = format!(
            "do $$ begin
                for i in 1 .. {times} loop
                    for twice in 1 .. 2 loop
                        begin perform anywhere(format({connstr}, i % 4, i)); exception when others then null; end;
                    end loop;
                end loop;
            end $$"
        );
        servers
            .proxy
            .execute("postgres", &[&format!("set role {role}"), &work]);
    };
    let failing = "'host=127.0.0.1 port=1 dbname=failing_%2$s'";
    calls_by("d_other", 200, failing);
    tally.same(
        "a role without a grant fills what is free",
        "10",
        ask(&["select partitions from plproxy_stat_info"]),
    );
    tally.same("and drives out no partition", real, ask(&[of_parts]));
    let leading = format!(
        "'host=127.0.0.1 port={} dbname=part%1$s user=postgres options=''-c plproxy.none=%2$s'''",
        servers.parts.port()
    );
    calls_by("postgres", 8, &leading);
    tally.same(
        "a connection string that leads somewhere has room then",
        "4",
        ask(&[
            "select count(*) from plproxy_stat_partitions where cluster is null and connects > 0",
        ]),
    );
    tally.same(
        "at the cost of those that led nowhere",
        real,
        ask(&[of_parts]),
    );
    ask(&["select count(*) from sixteen()"]);
    tally.same(
        "partitions of a cluster have room at the cost of both, and none goes for another",
        format!("{real};10|7"),
        ask(&[of_parts, of_many]),
    );
    tally.same(
        "every call is counted somewhere",
        (3 + 400 + 16 + 16).to_string(),
        ask(&["select sum(calls) + (select untracked_calls from plproxy_stat_info) from plproxy_stat_partitions"]),
    );
    calls_by("d_other", 100, failing);
    tally.same(
        "failures after that have none",
        format!("{real};10|7"),
        ask(&[of_parts, of_many]),
    );
}

pub fn settings(tally: &mut Tally, servers: &Servers) {
    tally.same(
        "settings are shown",
        "-1;10;off",
        servers.ask(&[
            "show plproxy.log_min_duration",
            "show plproxy.max_tracked_partitions",
            "show plproxy.standard_sqlstates",
        ]),
    );
    tally.same(
        "the room is the server's",
        "ERROR:  parameter \"plproxy.max_tracked_partitions\" cannot be changed without restarting the server",
        servers.ask(&["set plproxy.max_tracked_partitions = 5"]),
    );
    servers
        .proxy
        .configure("plproxy.max_tracked_partitions = 0");
    servers.proxy.restart();
    tally.same(
        "with no room nothing is counted",
        "1;all sessions|0|0|0|2|0|0|0|0",
        servers.ask(&["select one_part(1)", INFO]),
    );
}
