//! What ends a pause besides its end, and what does not.

use plproxy_test_kit::{Tally, until_is};

use super::{SETTINGS, Servers};

const PAUSED: &str = "select count(*) from plproxy_paused";

pub fn by_itself(tally: &mut Tally, servers: &Servers) {
    servers.proxy.execute(
        "postgres",
        &[
            "set plproxy.max_pause = '2s'",
            "select plproxy_pause('plain')",
        ],
    );
    let call = servers.session();
    let call = call.send("select plain_add(1)");
    tally.same("max_pause ends a pause", "1", call.said());
    tally.same("which is gone", "0", servers.ask(PAUSED));
    tally.same(
        "and cannot be resumed",
        "f",
        servers.ask("select plproxy_resume('plain')"),
    );
    let within = servers.session();
    within.run("begin");
    within.run("select joined_add(0)");
    let said = servers.proxy.ask(
        "postgres",
        &[
            "set plproxy.max_pause = '1s'",
            "select plproxy_pause('joined', timeout => '1 hour')",
        ],
    );
    let wanted = "ERROR:  PL/Proxy function public.plproxy_pause(3): the pause of cluster 'joined' has ended before all calls had;DETAIL:  Process ";
    tally.check("also one that still waits", said.starts_with(wanted), &said);
    within.run("rollback");
}

pub fn without_its_session(tally: &mut Tally, servers: &Servers) {
    let session = servers.session();
    session.run("begin");
    session.run("select plproxy_pause('plain', 2)");
    session.run("rollback");
    tally.same("a pause outlives its transaction", "1", servers.ask(PAUSED));
    servers.ask(&format!(
        "select pg_terminate_backend({})",
        session.process.0
    ));
    session.process.wait();
    tally.same("and its session", "1", servers.ask(PAUSED));
    tally.same(
        "anybody ends it",
        "t",
        servers.ask("select plproxy_resume('plain', 2)"),
    );
}

pub fn given_up(tally: &mut Tally, servers: &Servers) {
    let within = servers.session();
    let call = within.send("select plain_sleep(1)");
    for how in ["cancel", "terminate", "timeout"] {
        let pauses = servers.session();
        if how == "timeout" {
            pauses.run("set statement_timeout = '1s'");
        }
        let pause = pauses.send("select plproxy_pause('plain', timeout => '50 s')");
        let is_there = how == "timeout" || servers.until_pausing();
        tally.check(
            &format!("{how}: a pause waits for a call"),
            is_there,
            "it does not",
        );
        match how {
            "cancel" => pauses.cancel(),
            "terminate" => {
                servers.ask(&format!(
                    "select pg_terminate_backend({})",
                    pauses.process.0
                ));
            }
            _ => (),
        }
        let said = pause.said();
        tally.check(
            &format!("{how}: it is given up"),
            said.contains("due to"),
            &said,
        );
        let left = until_is("0", || servers.ask(PAUSED));
        tally.same("and nothing is paused", "0", left);
        tally.same("calls go on", "2", servers.ask("select plain_add(2)"));
    }
    let said = servers.ask("select plproxy_pause('plain', timeout => '0')");
    let wanted = format!(
        "ERROR:  PL/Proxy function public.plproxy_pause(3): cluster 'plain' could not be paused in time, and goes on;\
         DETAIL:  Process {} has a call or a transaction under way there.",
        within.process.0
    );
    tally.same("who is in the way is named", wanted, said);
    // Somebody else resumes while it waits.
    let pauses = servers.session();
    let pause = pauses.send("select plproxy_pause('plain', timeout => '50 s')");
    servers.until_pausing();
    tally.same(
        "it is resumed meanwhile",
        "t",
        servers.ask("select plproxy_resume('plain')"),
    );
    let said = pause.said();
    tally.check(
        "which it tells",
        said.contains("has ended before all calls had"),
        &said,
    );
    within.cancel();
    call.wait();
    tally.same(
        "a cancelled call is over",
        "",
        servers.ask("select plproxy_pause('plain', timeout => '5 s')"),
    );
    servers.ask("select plproxy_resume('plain')");
}

pub fn lost_calls(tally: &mut Tally, servers: &Servers) {
    let session = servers.session();
    session.run("begin");
    session.run("select joined_add(0)");
    let call = session.send("select plain_sleep(1)");
    until_is("1", || {
        servers.ask("select count(*) from pg_stat_activity where query ~ '^select plain_sleep' and state = 'active'")
    });
    servers.ask(&format!(
        "select pg_terminate_backend({})",
        session.process.0
    ));
    call.wait();
    session.process.wait();
    for cluster in ["plain", "joined"] {
        tally.same(
            &format!("what a terminated session had is over: {cluster}"),
            "",
            servers.ask(&format!(
                "select plproxy_pause('{cluster}', timeout => '0')"
            )),
        );
    }
    // A crash takes the memory along, pauses and calls alike.
    let session = servers.session();
    session.run("begin");
    session.run("select pooled_add(0)");
    servers.proxy.crash(session.process);
    tally.same("a crash forgets pauses", "0", servers.ask(PAUSED));
    tally.same(
        "and calls",
        "",
        servers.ask("select plproxy_pause('pooled', timeout => '0')"),
    );
    tally.same("and all works", "t;1", {
        servers.proxy.ask(
            "postgres",
            &["select plproxy_resume('pooled')", "select pooled_add(1)"],
        )
    });
}

pub fn standby(tally: &mut Tally, servers: &Servers) {
    let standby = servers.run.start_standby(
        "standby",
        &servers.proxy,
        &[
            &SETTINGS[..],
            &["--set", "shared_preload_libraries = 'plproxy'"],
        ]
        .concat(),
    );
    let ask = |statement| standby.ask("postgres", &[statement]);
    tally.same("a standby", "t", ask("select pg_is_in_recovery()"));
    tally.same("calls", "1", ask("select plain_add(1)"));
    tally.same("pauses", "", ask("select plproxy_pause('plain')"));
    let call = standby.session("postgres");
    let call = call.send("select plain_add(1)");
    let waiting = until_is("1", || ask("select waiting from plproxy_paused"));
    tally.same("what is called there waits", "1", waiting);
    tally.same("but not here", "1", servers.ask("select plain_add(1)"));
    tally.same("resumes", "t", ask("select plproxy_resume('plain')"));
    tally.same("and goes on", "1", call.said());
    standby.stop("fast");
}

pub fn restarts(tally: &mut Tally, servers: &Servers) {
    servers.ask("select plproxy_pause('plain')");
    servers.proxy.restart();
    tally.same("a restart forgets pauses", "0;1", {
        servers
            .proxy
            .ask("postgres", &[PAUSED, "select plain_add(1)"])
    });
}
