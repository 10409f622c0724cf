//! What a pause waits for goes on to its end.

use plproxy_test_kit::Tally;

use super::Servers;

pub fn joined(tally: &mut Tally, servers: &Servers) {
    for cluster in ["joined", "pooled"] {
        let within = servers.session();
        within.run("begin");
        within.run(&format!("select {cluster}_add(0)"));
        let pauses = servers.session();
        let pause = pauses.send(&format!(
            "select plproxy_pause('{cluster}', timeout => '50 s')"
        ));
        tally.check(
            &format!("{cluster}: a pause waits for a transaction"),
            servers.until_pausing(),
            &servers.ask("select * from plproxy_paused"),
        );
        let late = servers.session();
        let late = late.send(&format!("select {cluster}_add(2)"));
        tally.check("others wait", servers.until_waiting("1"), "none");
        // Partitions that it has reached, and others; after a savepoint, too.
        let said = within.ask(&[
            &format!("select {cluster}_add(0)"),
            &format!("select {cluster}_add(1)"),
            "savepoint s",
            &format!("select {cluster}_add(3)"),
            "rollback to s",
            &format!("select {cluster}_add(3)"),
            &format!("select count(*) from {cluster}_all(1)"),
        ]);
        tally.same("the transaction goes on", "0;1;3;3;4", said);
        tally.same(
            "still",
            "1",
            servers.ask("select under_way from plproxy_paused"),
        );
        within.run("commit");
        tally.same("with its end the pause holds", "", pause.said());
        tally.same(
            "nothing is under way",
            "0",
            servers.ask("select under_way from plproxy_paused"),
        );
        let next = within.send(&format!("select {cluster}_add(0)"));
        tally.check(
            "its next one waits",
            servers.until_waiting("2"),
            "it does not",
        );
        servers.ask(&format!("select plproxy_resume('{cluster}')"));
        tally.same(
            "both go on",
            "2;0",
            format!("{};{}", late.said(), next.said()),
        );

        within.run("begin");
        within.run(&format!("select {cluster}_add(0)"));
        tally.same(
            "another partition does not wait for it",
            "",
            servers.ask(&format!("select plproxy_pause('{cluster}', 1)")),
        );
        let next = within.send(&format!("select {cluster}_add(1)"));
        tally.check("but it for that", servers.until_waiting("1"), "it does not");
        servers.ask(&format!("select plproxy_resume('{cluster}', 1)"));
        tally.same("until it ends", "1", next.said());
        within.run("rollback");

        // One statement on all, or none.
        within.run("begin");
        within.run(&format!(
            "select count(*) from plproxy_run_on_all('{cluster}', 'select add(1)', true)"
        ));
        let said = servers.ask(&format!(
            "select plproxy_pause('{cluster}', timeout => '0.2 s')"
        ));
        let wanted = format!(
            "ERROR:  PL/Proxy function public.plproxy_pause(3): cluster '{cluster}' could not be paused in time, and goes on;\
             DETAIL:  Process {} has a call or a transaction under way there.",
            within.process.0
        );
        tally.same(
            "a command on all or none is waited for, and named",
            wanted,
            said,
        );
        tally.same(
            "nothing is paused",
            "0",
            servers.ask("select count(*) from plproxy_paused"),
        );
        within.run("rollback");
        tally.same("until its end", "", {
            servers.ask(&format!(
                "select plproxy_pause('{cluster}', timeout => '0')"
            ))
        });
        servers.ask(&format!("select plproxy_resume('{cluster}')"));
    }
}

pub fn cursor(tally: &mut Tally, servers: &Servers) {
    let within = servers.session();
    within.run("begin");
    within.run("declare c cursor for select streamed_rows(1)");
    tally.same("a stream begins", "1", within.send("fetch c").said());
    let pauses = servers.session();
    let pause = pauses.send("select plproxy_pause('streamed', timeout => '50 s')");
    tally.check(
        "a pause waits for it",
        servers.until_pausing(),
        "it does not",
    );
    tally.same("what is done beside it does not wait", "2;0", {
        within.ask(&["fetch c", "select streamed_add(0)"])
    });
    within.run("close c");
    tally.same("with its end the pause holds", "", pause.said());
    servers.ask("select plproxy_resume('streamed')");
    within.run("declare c cursor for select streamed_rows(1)");
    within.run("fetch c");
    let wanted = format!("Process {} has a call", within.process.0);
    let said = servers.ask("select plproxy_pause('streamed', 1, '100 ms')");
    tally.check("one in time is named", said.contains(&wanted), &said);
    tally.same("another partition is not in the way", "", {
        servers.ask("select plproxy_pause('streamed', 2, '100 ms')")
    });
    servers.ask("select plproxy_resume('streamed', 2)");
    // Ended by an error.
    within.run("select 1 / 0");
    within.run("rollback");
    tally.same("an error ends it, too", "", {
        servers.ask("select plproxy_pause('streamed', timeout => '0')")
    });
    servers.ask("select plproxy_resume('streamed')");
    // More at a time than are listed one by one.
    within.run("begin");
    for i in 0..12 {
        within.run(&format!("declare c{i} cursor for select streamed_rows(1)"));
        within.run(&format!("fetch c{i}"));
    }
    for i in 0..9 {
        within.run(&format!("close c{i}"));
    }
    let said = servers.ask("select plproxy_pause('streamed', timeout => '100 ms')");
    tally.check("of many the last", said.contains(&wanted), &said);
    within.run("rollback");
    tally.same("has an end", "", {
        servers.ask("select plproxy_pause('streamed', timeout => '0')")
    });
    servers.ask("select plproxy_resume('streamed')");
}

pub fn own(tally: &mut Tally, servers: &Servers) {
    let session = servers.session();
    session.run("begin");
    session.run("select joined_add(0)");
    let said = session.send("select plproxy_pause('joined')").said();
    let wanted = "ERROR:  PL/Proxy function public.plproxy_pause(3): cluster 'joined' is used by this session's own transaction";
    tally.check("nobody waits for himself", said.starts_with(wanted), &said);
    session.run("rollback");
    // Each waits for the other, but not for ever: the first that is told leaves the way to the other.
    let other = servers.session();
    for (session, cluster) in [(&session, "joined"), (&other, "pooled")] {
        session.run("begin");
        session.run(&format!("select {cluster}_add(0)"));
    }
    let one = session.send("select plproxy_pause('pooled', timeout => '1 s')");
    let two = other.send("select plproxy_pause('joined', timeout => '5 min')");
    let (one, two) = (one.said(), two.said());
    let is_in_time = one.contains("could not be paused in time");
    tally.check("one is told of the other", is_in_time, &one);
    tally.same("and the other's pause holds", "", two.trim());
    other.run("rollback");
    servers.ask("select plproxy_resume('joined')");
}
