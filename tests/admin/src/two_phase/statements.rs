//! Statements are what the partition reads, whatever the proxy takes them for; roles that the command takes on.

use plproxy_test_kit::{Tally, until_is};

use crate::stages::Stages;

pub fn run(tally: &mut Tally, stages: &Stages) {
    // From 19 on there is one reading only.
    if stages.b.major() < 19 {
        another_reading(tally, stages);
    }
    let said = stages.ask_proxy(&[
        "select from plproxy_run_on_all('parts', 'do $$ begin insert into t values (1); commit; end $$', atomic => true)",
    ]);
    tally.same(
        "a procedure that commits",
        "ERROR:  public.plproxy_run_on_all(3): [part] REMOTE ERROR: invalid transaction termination",
        said.split(";CONTEXT").next().unwrap_or_default(),
    );
    tally.same("nothing of that, either", "0|0 0|0", stages.state());
    tally.same(
        "many statements",
        "0|3;1|3",
        stages.ask_proxy(&["select partition, result from plproxy_run_on_all('parts',
            'insert into t values (1); /* ; */ insert into t values (2), (3);; -- the last
            select count(*) from t;', atomic => true)"]),
    );
    tally.same("all of them", "3|0 3|0", stages.state());
    stages.clear();
}

fn another_reading(tally: &mut Tally, stages: &Stages) {
    stages.b.execute(
        "part",
        &["alter database part set standard_conforming_strings = off"],
    );
    let wanted = "ERROR:  public.plproxy_run_on_all(3): [part] REMOTE ERROR: cannot insert multiple commands into a prepared statement";
    let atomic = |command: &str| {
        stages.ask_proxy(&[&format!(
            "select from plproxy_run_on_all('parts', $${command}$$, atomic => true)"
        )])
    };
    tally.same(
        "another reading",
        wanted,
        atomic(r"select '\''; commit; --'"),
    );
    tally.same(
        "another reading: as the first of several",
        wanted,
        atomic(r"insert into t values (1); select '\''; commit; --'; select 1"),
    );
    tally.same(
        "a setting that the command changes",
        wanted,
        atomic(
            r"insert into t values (1);
            set standard_conforming_strings = off; select '\''; commit; --'",
        ),
    );
    tally.same("nothing of it is done", "0|0 0|0", stages.state());
    stages.b.execute(
        "part",
        &["alter database part reset standard_conforming_strings"],
    );
}

/// A role that the command takes on is not what the prepared transaction belongs to, or nobody could end it.
pub fn roles(tally: &mut Tally, stages: &Stages) {
    for server in stages.partitions() {
        server.execute(
            "part",
            &[
                "create role clerk",
                "grant all on t to clerk",
                "create role app login",
                "grant clerk to app",
                "grant execute on function pg_control_system() to app",
            ],
        );
    }
    let map_to = |role: &str| {
        let mapping =
            format!("alter user mapping for public server parts options (set user '{role}')");
        stages.proxy.execute("postgres", &[&mapping]);
    };
    map_to("app");
    tally.same(
        "SET ROLE",
        "0|clerk;1|clerk",
        stages.ask_proxy(&["select partition, result from plproxy_run_on_all('parts',
            'set role clerk; insert into t values (1); select current_user', atomic => true)"]),
    );
    tally.same("committed as who logged in", "1|0 1|0", stages.state());
    let session = stages.begin_session(&stages.proxy);
    session.send(
        "select count(*) from plproxy_run_on_all('parts', 'set role clerk; insert into t values (1)', atomic => true)",
    );
    until_is("1|1 1|1", || stages.state());
    tally.same(
        "prepared as who logged in",
        "app|app",
        stages.on_partitions("part", "select owner from pg_prepared_xacts", "|"),
    );
    stages.proxy.crash(session.process);
    session.end();
    tally.same(
        "the recovery may end it",
        "0|rolled back;1|rolled back",
        stages.recover(),
    );
    map_to("postgres");
    stages.clear();
}
