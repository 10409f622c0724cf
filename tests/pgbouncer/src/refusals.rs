//! Whatever the pooler refuses is said in its words, and no secret with it.

use plproxy_test_kit::{PgBouncer, Tally, wait_until};

use crate::setup::{PROGRAMS, Setup, TWO};

pub fn refused(tally: &mut Tally, setup: &Setup) {
    for program in PROGRAMS {
        let pooler = setup.pooler(
            &format!("no-{program}"),
            program,
            &[
                "--set",
                "pool_mode = transaction",
                "--set",
                "default_pool_size = 1",
                "--set",
                "query_wait_timeout = 10",
            ],
        );
        setup.go_by(&pooler, "");
        connections(tally, setup, program, &pooler);
        no_server_connection(tally, setup, program);
        too_many(tally, setup, program, &pooler);
        pooler.kill();
    }
}

fn connections(tally: &mut Tally, setup: &Setup, program: &str, pooler: &PgBouncer) {
    let connstr = setup.connstr(pooler);
    let said = setup.by_connstr(&connstr);
    tally.same(
        &format!("{program}: the start-up needs no ignore_startup_parameters"),
        "two 1",
        said.split('|').next().unwrap_or_default(),
    );
    setup.like(
        tally,
        &format!("{program}: options"),
        &[
            "unsupported startup parameter: options",
            "unsupported startup parameter: geqo",
            "unsupported startup parameter in options: options",
            "unsupported startup parameter in options: geqo",
        ],
        &setup.by_connstr(&format!("{connstr} options='-c geqo=off'")),
    );
    setup.like(
        tally,
        &format!("{program}: wrong database"),
        &[
            "database \"nowhere\" does not exist",
            "no such database: nowhere",
        ],
        &setup.by_connstr(&connstr.replace("dbname=part", "dbname=nowhere")),
    );
    setup.like(
        tally,
        &format!("{program}: wrong password"),
        &[
            "SASL authentication failed",
            "password authentication failed",
        ],
        &setup.by_connstr(&format!("{connstr} password=wrong")),
    );
}

/// The one server connection is taken for as long as it needs.
fn no_server_connection(tally: &mut Tally, setup: &Setup, program: &str) {
    let session = setup.proxy.session("proxy");
    let holder = session.send("select slow('holder', 300)");
    wait_until("the holder runs", || setup.running() == "1");
    setup.like(
        tally,
        &format!("{program}: no free server connection in time"),
        &["query_wait_timeout"],
        &setup.ask("select said from one(1)"),
    );
    setup.part.cancel("state = 'active' and query ~ 'slow'");
    setup.like(
        tally,
        &format!("{program}: whoever had it goes on to its own end"),
        &["REMOTE ERROR: canceling statement due to user request"],
        &holder.said(),
    );
    session.end();
}

/// Two sessions fill it, a third is one too many.
fn too_many(tally: &mut Tally, setup: &Setup, program: &str, pooler: &PgBouncer) {
    wait_until("all clients are gone", || {
        !pooler.admin("show clients").contains("|part|")
    });
    pooler.admin("set max_client_conn = 2");
    let sessions = [1, 2, 3].map(|level| (level, setup.proxy.session("proxy")));
    let mut said = Vec::new();
    for (level, session) in &sessions {
        said.push(session.ask(&[&format!("select said from one({level})")]));
    }
    for (level, session) in sessions.iter().rev() {
        said.push(session.ask(&[&format!("select 'still ' || said from one({level})")]));
    }
    setup.like(
        tally,
        &format!("{program}: too many clients"),
        &["no more connections allowed"],
        &said.join(";"),
    );
    let still: Vec<&str> = said
        .iter()
        .map(String::as_str)
        .filter(|said| said.starts_with("still"))
        .collect();
    tally.same(
        &format!("{program}: the sessions that were there go on"),
        "still one 2;still one 1",
        still.join(";"),
    );
}

/// A PgBouncer that refuses the simple protocol: whatever is asked is one statement, and goes by the extended one.
pub fn extended(tally: &mut Tally, setup: &Setup) {
    setup.part.execute(
        "part",
        &["create function root() returns float8 language sql as $$ select sqrt(2::float8) $$"],
    );
    for program in PROGRAMS {
        let checks = "select function, partition, ok, problem from plproxy_check_functions('parts') order by 1";
        let options = [&TWO[..], &["--set", "pool_mode = transaction"]].concat();
        let simple = setup.pooler(&format!("simple-{program}"), program, &options);
        setup.go_by(&simple, "");
        let expected = setup.ask(checks);
        simple.kill();

        let options = [&options[..], &["--set", "disable_pqexec = 1"]].concat();
        let pooler = setup.pooler(&format!("extended-{program}"), program, &options);
        let name = format!("{program}, disable_pqexec");
        for options in [
            "",
            "prepared_statements 'auto'",
            "reset_query 'discard all'",
        ] {
            setup.go_by(&pooler, options);
            let comma = if options.is_empty() { "" } else { ", " };
            setup.all_right(
                tally,
                &format!("{name}{comma}{options}"),
                setup.calls / 8,
                2,
            );
        }
        setup.go_by(&pooler, "");
        same(
            tally,
            setup,
            &name,
            "remote errors come from their own calls",
            "select stumble(100)",
            "0",
        );
        same(
            tally,
            setup,
            &name,
            "all digits of numbers from a SELECT body",
            "select root_by_select(); select root_by_select()",
            "1.4142135623730951;1.4142135623730951",
        );
        attributes(tally, setup, &name, &pooler);
        same(
            tally,
            setup,
            &name,
            "plproxy_check_functions finds the same without it",
            checks,
            &expected,
        );
        administration(tally, setup, &name);
        setup.go_by(&pooler, "reset_query 'reset all; discard temp'");
        same(
            tally,
            setup,
            &name,
            "a reset query of several statements costs the connection, not the call",
            "select said from one(1); select said from one(2)",
            "one 1;one 2",
        );
        pooler.kill();
    }
}

fn same(tally: &mut Tally, setup: &Setup, name: &str, what: &str, statements: &str, wanted: &str) {
    tally.same(&format!("{name}: {what}"), wanted, setup.ask(statements));
}

fn attributes(tally: &mut Tally, setup: &Setup, name: &str, pooler: &PgBouncer) {
    let ask = |attributes: &str| {
        let connstr = setup.connstr(pooler);
        setup.by_connstr(&format!("{connstr} target_session_attrs={attributes}"))
    };
    for attributes in ["any", "read-write", "primary", "prefer-standby"] {
        tally.same(
            &format!("{name}: target_session_attrs={attributes}"),
            "two 1",
            ask(attributes).split('|').next().unwrap_or_default(),
        );
    }
    for attributes in ["read-only", "standby"] {
        setup.like(
            tally,
            &format!("{name}: target_session_attrs={attributes}"),
            &[
                "session is not read-only",
                "server is not in hot standby mode",
            ],
            &ask(attributes),
        );
    }
}

fn administration(tally: &mut Tally, setup: &Setup, name: &str) {
    same(
        tally,
        setup,
        name,
        "plproxy_check_cluster",
        "select partition, ok, error from plproxy_check_cluster('parts')",
        "0|t|",
    );
    same(
        tally,
        setup,
        name,
        "plproxy_check_function",
        "select partition, ok, problem from plproxy_check_function('one(int)')",
        "0|t|",
    );
    same(
        tally,
        setup,
        name,
        "plproxy_run_on_all",
        "select result from plproxy_run_on_all('parts', 'select 1 + 1;')
            union all select result from plproxy_run_on_all('parts', 'create temp table u (n int)')",
        "2;CREATE TABLE",
    );
    // What docs/pgbouncer.md says cannot be done.
    for (what, statement) in [
        ("several statements", "'select 1; select 2'"),
        ("an atomic command", "'select 1', atomic => true"),
    ] {
        setup.like(
            tally,
            &format!("{name}: {what}"),
            &["PQexec disallowed", "server closed the connection"],
            &setup.ask(&format!(
                "select result from plproxy_run_on_all('parts', {statement})"
            )),
        );
    }
}
