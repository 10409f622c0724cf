//! All names of wait events that the server has room for are taken, or all but one. Whoever asks for one more then is told so
//! with the lock of the names held. From PostgreSQL 17 on.

use std::fs;
use std::process::Command;

use plproxy_test_kit::{Tally, until_is};

use crate::servers::Servers;

const LIBRARY: &str = r#"
#include "postgres.h"
#include "fmgr.h"
#include "utils/wait_event.h"
PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(take_names);
Datum take_names(PG_FUNCTION_ARGS)
{
    for (int i = 0; i < PG_GETARG_INT32(0); i++)
        WaitEventExtensionNew(psprintf("Taken%d", i));
    PG_RETURN_VOID();
}
"#;

/// Those who look for it find it in pg_stat_activity.
const SLEEPS: &str = "select sleeps(600)";

pub fn run(tally: &mut Tally, servers: &Servers) {
    let source = servers.run.path().join("names.c");
    let library = servers.run.path().join("names.so");
    fs::write(&source, LIBRARY).expect("the source");
    let include = servers.proxy.tool("pg_config", &["--includedir-server"]);
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", &format!("-I{}", include.trim()), "-o"])
        .args([&library, &source])
        .status();
    assert!(
        compiled.is_ok_and(|status| status.success()),
        "names.c does not build"
    );
    servers.proxy.execute(
        "postgres",
        &[&format!(
            "create function take_names(n int) returns void language c as '{}'",
            library.display()
        )],
    );
    for taken in [126, 127] {
        take(tally, servers, taken);
    }
    servers.proxy.restart();
}

fn take(tally: &mut Tally, servers: &Servers, taken: u32) {
    let ask = |statements: &[&str]| servers.ask(statements);
    servers.proxy.restart();
    ask(&[&format!("select take_names({taken})")]);
    tally.same(
        &format!("{taken} names are taken"),
        taken.to_string(),
        ask(&["select count(*) from pg_wait_events where name like 'Taken%'"]),
    );
    // A session that waits for itself stops the test here.
    tally.same(
        "a session calls all the same",
        "1;2",
        ask(&["select one_part(1)", "select one_part(2)"]),
    );
    let session = servers.proxy.session("postgres");
    session.send(SLEEPS);
    let of_session = format!("from pg_stat_activity where pid = {}", session.process.0);
    let wait =
        format!("select wait_event_type || ' ' || wait_event {of_session} and query = '{SLEEPS}'");
    let seen = until_is("Extension Extension", || ask(&[&wait]));
    tally.check(
        "its waits are those of any extension",
        seen == "Extension Extension",
        &seen,
    );
    ask(&[&format!(
        "select pg_terminate_backend({})",
        session.process.0
    )]);
    let left = until_is("0", || ask(&[&format!("select count(*) {of_session}")]));
    tally.check("and it can be ended", left == "0", &left);
    session.end();
    let said = ask(&["select take_names(128)"]);
    tally.same(
        "the names can be asked for",
        "ERROR:  too many custom wait events",
        said.split(';').next().unwrap_or_default(),
    );
    let looked = ask(&["select count(*) > 126 from pg_wait_events"]);
    tally.check("and looked at", looked == "t", &looked);
}
