//! Connections that are lost by a restart, and those that are replaced by age.

use plproxy_test_kit::Tally;

use crate::setup::{Setup, TWO};

/// Restarts between the calls of one session: of the pooler, both ways, and of the server behind it.
pub fn restarts(tally: &mut Tally, setup: &Setup) {
    for (name, program, mode, options) in [
        ("restart-transaction", "newer", "transaction", ""),
        (
            "restart-prepared",
            "newer",
            "transaction",
            "prepared_statements 'on'",
        ),
        ("restart-session", "newer", "session", ""),
        ("restart-statement", "newer", "statement", ""),
        ("restart-old", "debian", "transaction", ""),
    ] {
        let pool_mode = format!("pool_mode = {mode}");
        let pooler = setup.pooler(name, program, &[&TWO[..], &["--set", &pool_mode]].concat());
        setup.go_by(&pooler, options);
        calls_after(tally, setup, name, "pooler.sh restart", &|| {
            pooler.restart()
        });
        calls_after(tally, setup, name, "pooler.sh restart shutdown", &|| {
            pooler.shut_down_and_restart();
        });
        calls_after(tally, setup, name, "server.sh restart part", &|| {
            setup.part.restart()
        });
        pooler.kill();
    }
}

fn calls_after(tally: &mut Tally, setup: &Setup, name: &str, what: &str, restart: &dyn Fn()) {
    let session = setup.proxy.session("proxy");
    let mut wanted = Vec::new();
    for number in 1..=5 {
        for function in ["one", "two"] {
            session.run(&format!("select said from {function}({number})"));
            wanted.push(format!("{function} {number}"));
        }
        restart();
    }
    session.run("select said from two(6)");
    wanted.push("two 6".to_owned());
    tally.same(
        &format!("{name}: a call after each of 5 times {what}"),
        wanted.join(";"),
        session.end().join(";"),
    );
}

/// Connections that are replaced by age, in a pool of transactions.
pub fn lifetime(tally: &mut Tally, setup: &Setup) {
    let pooler = setup.pooler(
        "aged",
        "newer",
        &[&TWO[..], &["--set", "pool_mode = transaction"]].concat(),
    );
    setup.go_by(&pooler, "connection_lifetime '1'");
    let logins = || pooler.log().matches("login attempt: db=part").count();
    let before = logins();
    let session = setup.proxy.session("proxy");
    // Older than a second, which is what the option says.
    let aged = "select pg_sleep(1.1)";
    let calls = "select errors, wrong from hammer(1, 500)";
    for statement in [calls, aged, calls, aged, calls] {
        session.run(statement);
    }
    let clients = pooler.admin("show clients");
    session.run("select errors, wrong from hammer(1, 10)");
    tally.same(
        "connection_lifetime: old connections go, no error",
        "0|0;;0|0;;0|0;0|0",
        session.end().join(";"),
    );
    // One, and perhaps one whose end the pooler has not noticed yet.
    let connected = clients
        .lines()
        .filter(|line| line.contains("|part|"))
        .count();
    tally.check(
        "connection_lifetime: they are closed",
        connected <= 2,
        &clients,
    );
    let after = logins();
    tally.check(
        "connection_lifetime: three connections or more were made",
        after - before >= 3,
        &format!("{before}, then {after}"),
    );
    pooler.kill();
}
