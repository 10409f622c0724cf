//! What is refused.

use plproxy_test_kit::Tally;

use super::{SETTINGS, Servers};

pub fn without_preloading(tally: &mut Tally, servers: &Servers) {
    let bare = servers.run.start("bare", &SETTINGS);
    servers.set_up(&bare, "postgres");
    let ask = |statement: &str| bare.ask("postgres", &[statement]);
    for function in ["pause", "resume"] {
        tally.same(
            &format!("plproxy_{function} needs shared memory"),
            format!(
                "ERROR:  plproxy_{function} needs plproxy in shared_preload_libraries;HINT:  Set shared_preload_libraries = 'plproxy' and restart the server."
            ),
            ask(&format!("select plproxy_{function}('plain')")),
        );
    }
    tally.same(
        "nothing is paused",
        "0",
        ask("select count(*) from plproxy_paused"),
    );
    tally.same("calls go on", "1", ask("select plain_add(1)"));
    bare.stop("fast");
}

pub fn arguments(tally: &mut Tally, servers: &Servers) {
    let pause = "ERROR:  PL/Proxy function public.plproxy_pause(3): ";
    let resume = "ERROR:  PL/Proxy function public.plproxy_resume(2): ";
    for (call, wanted) in [
        (
            "pause('nowhere')",
            "ERROR:  Pl/Proxy: cluster not found: nowhere".to_owned(),
        ),
        ("pause(null)", format!("{pause}cluster must not be NULL")),
        (
            "pause('plain', 4)",
            format!("{pause}partition must be from 0 to 3"),
        ),
        (
            "pause('plain', -1)",
            format!("{pause}partition must be from 0 to 3"),
        ),
        (
            "pause('plain', 2147483647)",
            format!("{pause}partition must be from 0 to 3"),
        ),
        (
            "pause('plain', timeout => null)",
            format!("{pause}timeout must not be NULL"),
        ),
        (
            "pause('plain', timeout => '-1 ms')",
            format!("{pause}timeout must be from 0 to 1 day"),
        ),
        (
            "pause('plain', timeout => '-1 month 40 days')",
            format!("{pause}timeout must be from 0 to 1 day"),
        ),
        (
            "pause('plain', timeout => '25 hours')",
            format!("{pause}timeout must be from 0 to 1 day"),
        ),
        (
            "pause('plain', timeout => '170000000 years')",
            format!("{pause}timeout must be from 0 to 1 day"),
        ),
        (
            "resume('nowhere')",
            "ERROR:  Pl/Proxy: cluster not found: nowhere".to_owned(),
        ),
        ("resume(null)", format!("{resume}cluster must not be NULL")),
        (
            "resume('plain', -1)",
            format!("{resume}partition must not be negative"),
        ),
        ("resume('plain')", "f".to_owned()),
        ("resume('plain', 3)", "f".to_owned()),
        ("pause('plain', timeout => '0')", String::new()),
        ("resume('plain')", "t".to_owned()),
        ("resume('plain')", "f".to_owned()),
    ] {
        let said = servers.ask(&format!("select plproxy_{call}"));
        let said = said.split(';').next().unwrap_or_default();
        tally.same(call, wanted, said);
    }
    let ask = |statement| servers.ask(statement);
    tally.same("a partition", "", ask("select plproxy_pause('plain', 1)"));
    let already = ask("select plproxy_pause('plain', 1)");
    let wanted =
        format!("{pause}partition 1 of cluster 'plain' is paused already;DETAIL:  Process ");
    tally.check("not twice", already.starts_with(&wanted), &already);
    let already = ask("select plproxy_pause('plain')");
    tally.check(
        "nor with all others",
        already.starts_with(&wanted),
        &already,
    );
    tally.same("another one", "", ask("select plproxy_pause('plain', 2)"));
    tally.same(
        "the other is none",
        "f",
        ask("select plproxy_resume('plain', 0)"),
    );
    tally.same("one resumes", "t", ask("select plproxy_resume('plain', 1)"));
    tally.same("and all", "t", ask("select plproxy_resume('plain')"));
    tally.same(
        "none is left",
        "0",
        ask("select count(*) from plproxy_paused"),
    );
    ask("select plproxy_pause('plain')");
    let already = ask("select plproxy_pause('plain', 3)");
    let wanted = format!("{pause}cluster 'plain' is paused already;");
    tally.check(
        "a paused cluster's partition",
        already.starts_with(&wanted),
        &already,
    );
    tally.same(
        "does not resume alone",
        format!(
            "{resume}partition 3 of cluster 'plain' is paused with all others;HINT:  Resume the whole cluster, without a partition."
        ),
        ask("select plproxy_resume('plain', 3)").split(";CONTEXT").next().unwrap_or_default(),
    );
    tally.same(
        "a row says so",
        "postgres|plain|||0|0|t",
        ask("select database, cluster, partition, null, waiting, under_way,
            until - since = interval '60 s' and since between now() - interval '1 min' and now() from plproxy_paused"),
    );
    tally.same("which ends", "t", ask("select plproxy_resume('plain')"));
    let range = servers.ask("set plproxy.max_pause = 0");
    tally.check(
        "the setting has limits",
        range.contains("0 s is outside the valid range for parameter \"plproxy.max_pause\""),
        &range,
    );
}

pub fn rights(tally: &mut Tally, servers: &Servers) {
    servers.proxy.execute(
        "postgres",
        &[
            "create role ann login",
            "create role eve login",
            "grant execute on function plproxy_pause, plproxy_resume to eve",
        ],
    );
    let ask = |role: &str, statement: &str| {
        let said = servers
            .proxy
            .ask("postgres", &[&format!("set role {role}"), statement]);
        said.split(';').next().unwrap_or_default().to_owned()
    };
    for (call, denied) in [
        ("select plproxy_pause('plain')", "function plproxy_pause"),
        ("select plproxy_resume('plain')", "function plproxy_resume"),
        ("select * from plproxy_paused", "view plproxy_paused"),
        ("select * from plproxy_paused()", "function plproxy_paused"),
    ] {
        let wanted = format!("ERROR:  permission denied for {denied}");
        tally.same(call, wanted, ask("ann", call));
    }
    let denied = "ERROR:  permission denied for foreign server plain";
    tally.same(
        "only who may use it",
        denied,
        ask("eve", "select plproxy_pause('plain')"),
    );
    servers.ask("select plproxy_pause('plain')");
    tally.same(
        "and resumes it",
        denied,
        ask("eve", "select plproxy_resume('plain')"),
    );
    servers.ask("grant usage on foreign server plain to eve");
    tally.same(
        "who may does",
        "t",
        ask("eve", "select plproxy_resume('plain')"),
    );
    tally.same("both", "", ask("eve", "select plproxy_pause('plain')"));
    servers.ask("alter server plain rename to away");
    tally.same(
        "of a name that is gone, too",
        "t",
        ask("eve", "select plproxy_resume('plain')"),
    );
    servers.ask("alter server away rename to plain");
    // What somebody else has paused stays so, even where there is no right on the cluster any more that could be looked at.
    servers.ask("select plproxy_pause('plain')");
    servers.ask("alter server plain rename to away");
    tally.same(
        "of a name that is gone, only one's own",
        "ERROR:  Pl/Proxy: cluster not found: plain",
        ask("eve", "select plproxy_resume('plain')"),
    );
    tally.same(
        "but for superusers",
        "t",
        servers.ask("select plproxy_resume('plain')"),
    );
    servers.ask("alter server away rename to plain");
    cluster_of_functions(tally, servers);
}

/// Rights on functions that define a cluster are looked at by calling them.
fn cluster_of_functions(tally: &mut Tally, servers: &Servers) {
    servers.proxy.execute(
        "postgres",
        &[
            "create schema plproxy",
            "create table public.versions as select 1 as version",
            "create function plproxy.get_cluster_version(text) returns int language sql as 'select version from versions'",
            "create function plproxy.get_cluster_config(text, out key text, out val text) returns setof record language sql as
                'select null::text, null::text where false'",
            "create function plproxy.get_cluster_partitions(text) returns setof text language sql as $$ select 'host=127.0.0.1'::text $$",
            "revoke execute on function plproxy.get_cluster_partitions from public",
        ],
    );
    let eve = |statements: &[&str]| {
        let all = [&["set role eve"], statements].concat();
        let said = servers.proxy.ask("postgres", &all);
        said.split(';').next().unwrap_or_default().to_owned()
    };
    let resume = "select plproxy_resume('of_functions')";
    let resume_anywhere = "select public.plproxy_resume('of_functions')";
    servers.ask("select plproxy_pause('of_functions')");
    tally.same(
        "not who may not use their schema",
        "ERROR:  permission denied for schema plproxy",
        eve(&[resume]),
    );
    servers.ask("grant usage on schema plproxy to eve");
    servers.ask("grant select on versions to eve");
    tally.same(
        "nor who may not execute one",
        "ERROR:  permission denied for function get_cluster_partitions",
        eve(&[resume]),
    );
    tally.same(
        "nor who has another one fail before",
        "ERROR:  relation \"versions\" does not exist",
        eve(&["set search_path = pg_temp", resume_anywhere]),
    );
    servers.ask("grant execute on function plproxy.get_cluster_partitions to eve");
    tally.same("who may does", "t", eve(&[resume]));
    servers.proxy.execute(
        "postgres",
        &["drop schema plproxy cascade", "drop table versions"],
    );
}
