//! Waiting for a connection with others in hand.

use plproxy_test_kit::{Tally, until_is};

use super::{IDLE, Servers};

/// Two transactions that each have what the other needs: the one with the shorter patience fails, and the other goes on.
pub fn knot(tally: &mut Tally, servers: &Servers) {
    let (first, second) = (servers.session(), servers.session());
    first.ask(&[
        "set plproxy.lease_timeout = '500ms'",
        "begin",
        "select add(0)",
    ]);
    second.ask(&[
        "set plproxy.lease_timeout = '100s'",
        "begin",
        "select add(1)",
    ]);
    let waits = second.send("select add(0)");
    servers.wait_waiting(&second);
    let answer = first.run("select add(1)");
    tally.same(
        "a knot of two: lease_timeout ends it",
        "53300 ERROR:  PL/Proxy function public.add(1): [part1] all 1 shared connections were in use for 0.5 s",
        format!(
            "{} {}",
            answer.sqlstate().unwrap_or_default(),
            answer.lines().first().map_or("", String::as_str)
        ),
    );
    tally.same("a knot of two: the other gets it", "0", waits.said());
    tally.same("a knot of two: and commits", "", second.ask(&["commit"]));
    tally.same("a knot of two: only that", "1 1", servers.rows());
    // In a part of the transaction, what was had before stays.
    first.ask(&["rollback", "begin", "select add(0)", "savepoint s"]);
    second.ask(&["begin", "select add(1)"]);
    first.run("select add(1)");
    first.ask(&["rollback to s"]);
    tally.same(
        "a knot in a part of a transaction: the rest stands",
        "part0 in use, part1 in use",
        servers.states("part0 in use, part1 in use"),
    );
    second.ask(&["commit"]);
    tally.same(
        "a knot in a part of a transaction: it goes on",
        "1",
        first.ask(&["select add(1)", "commit"]),
    );
    tally.same(
        "a knot in a part of a transaction: all is there",
        "1 2",
        servers.rows(),
    );
    first.end();
    second.end();
}

/// Calls to all partitions take the connections in one order, whatever the partitions' own is, so that there is no knot of them.
pub fn no_knot(tally: &mut Tally, servers: &Servers) {
    let sessions = ["look_at_many", "look_at_turned"].map(|function| {
        let session = servers.session();
        session.run("set plproxy.lease_timeout = '60s'");
        let work = session.send(&format!(
            "do $$ begin
                for i in 1 .. 1000 loop
                    perform {function}(i);
                    commit;
                    perform pg_sleep(0.0001);
                end loop;
            end $$"
        ));
        (session, work)
    });
    for (session, work) in sessions {
        tally.same(
            "calls to all partitions at the same time: no knot",
            "",
            work.said(),
        );
        session.end();
    }
}

/// What ends a wait ends the transaction, which gives back what it has.
pub fn ends(tally: &mut Tally, servers: &Servers) {
    let holder = servers.session();
    holder.ask(&["begin", "select look(1)"]);
    let begin = || {
        let session = servers.session();
        session.ask(&["begin", "select add(0)"]);
        session
    };
    let waits = || {
        let session = begin();
        let waits = session.send("select add(1)");
        servers.wait_waiting(&session);
        (session, waits)
    };
    let mut is_over = |what: &str, wanted: &str, said: String| {
        let said = said.split(';').next().unwrap_or_default().to_owned();
        tally.same(&format!("a wait in a transaction: {what}"), wanted, said);
        tally.same(
            &format!("a wait in a transaction: {what}: what it had is given back"),
            "1",
            servers.ask(&["select look(0) + 1"]),
        );
    };
    let (session, pending) = waits();
    session.cancel();
    is_over(
        "cancel",
        "ERROR:  canceling statement due to user request",
        pending.said(),
    );
    session.end();
    let session = begin();
    session.ask(&["set statement_timeout = '500ms'"]);
    is_over(
        "statement_timeout",
        "ERROR:  canceling statement due to statement timeout",
        session.ask(&["select add(1)"]),
    );
    session.end();
    let (session, pending) = waits();
    servers
        .proxy
        .terminate(&format!("pid = {}", session.process.0));
    is_over(
        "terminate",
        "FATAL:  terminating connection due to administrator command",
        pending.said(),
    );
    session.end();
    servers.set("add query_timeout '5'");
    let session = begin();
    let said = session.ask(&["select add(1)"]);
    servers.set("drop query_timeout");
    is_over(
        "query_timeout",
        "ERROR:  PL/Proxy function public.add(1): [part1] query timeout",
        said,
    );
    session.end();
    let (session, pending) = waits();
    holder.ask(&["commit"]);
    tally.same("a wait in a transaction: it is served", "1", pending.said());
    tally.same(
        "a wait in a transaction: and commits",
        "",
        session.ask(&["commit"]),
    );
    tally.same(
        "a wait in a transaction: all the rest is rolled back",
        "1 1",
        servers.rows(),
    );
    session.end();
    // A session that is killed takes all others with it.
    holder.ask(&["begin", "select look(1)"]);
    let (session, pending) = waits();
    servers.proxy.crash(session.process);
    let _lost = pending.said();
    session.end();
    holder.end();
    tally.same(
        "a wait in a transaction: its session is killed",
        "0 0",
        until_is("0 0", || {
            let count = |part| servers.parts.ask(part, &["select count(*) from t"]);
            format!("{} {}", count("part0"), count("part1"))
        }),
    );
    tally.same(
        "a wait in a transaction: and the next works",
        "0;1",
        servers.ask(&["select look(0)", "select look(1) + 1"]),
    );
    servers.states(IDLE);
    servers.rows();
}
