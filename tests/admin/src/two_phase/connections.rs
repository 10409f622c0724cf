//! Connections are used again within a transaction, as if they were new, and closed with it.

use plproxy_test_kit::{Tally, until_is};

use crate::stages::{Stages, WORK, tell};

pub fn run(tally: &mut Tally, stages: &Stages) {
    let connections = || {
        let count = "select count(*) from pg_stat_activity where datname = 'part' and pid <> pg_backend_pid()";
        tell(&stages.a, "part", &[count])
    };
    let session = stages.begin_session(&stages.proxy);
    for number in 1..=5 {
        session.send(WORK);
        stages.wait_state(&format!("0|{number} 0|{number}"));
    }
    // The session that has looked may not have gone yet.
    tally.same(
        "five commands, one connection",
        "1",
        until_is("1", connections),
    );
    session.send("savepoint s");
    session.send(WORK);
    stages.wait_state("0|6 0|6");
    session.send("rollback to s");
    tally.same(
        "a savepoint",
        "0|5 0|5",
        until_is("0|5 0|5", || stages.state()),
    );
    tally.same("it keeps the connection", "1", until_is("1", connections));
    for command in [
        "set work_mem = ''1MB''; select current_setting(''work_mem'')",
        "select current_setting(''work_mem'')",
    ] {
        session.send(&format!(
            "select result from plproxy_run_on_all('parts', '{command}', atomic => true)"
        ));
    }
    session.send("commit");
    let log = session.end();
    let sizes: Vec<&str> = log
        .iter()
        .map(String::as_str)
        .filter(|line| {
            line.strip_suffix("MB")
                .is_some_and(|size| size.parse::<u32>().is_ok())
        })
        .collect();
    tally.same(
        "nothing of one command is left for the next",
        "1MB;1MB;4MB;4MB",
        sizes.join(";"),
    );
    tally.same("all are committed", "5|0 5|0", stages.state());
    tally.same(
        "and the connections closed",
        "0",
        until_is("0", connections),
    );
    stages.clear();
}
