//! What waits for the end of a pause, what does not, and what ends the wait before.

use plproxy_test_kit::{Session, Tally, until_is};

use super::Servers;

/// What goes to partition 1, or to all.
const REACH: [&str; 5] = [
    "select plain_add(1)",
    "select count(*) from plain_all(1)",
    "select count(*) from plain_split(array[0, 1, 2])",
    "select bool_and(success) from plproxy_run_on_all('plain', 'select add(1)')",
    "select count(*) from generate_series(1, 3) i, plain_add(i % 2)",
];
/// What does not.
const REACH_NOT: [&str; 2] = [
    "select plain_add(0)",
    "select count(*) from plain_split(array[0, 2])",
];
/// What is to work while there is a pause.
const TOOLS: [&str; 6] = [
    "select bool_and(ok) from plproxy_check_cluster('plain')",
    "select bool_and(ok) from plproxy_check_functions('plain')",
    "select bool_and(ok) from plproxy_check_function('plain_add(int)')",
    "select count(*) = 1 from plproxy_route('plain_add(int)', '1')",
    "select count(*) = 0 from plproxy_recover_prepared('joined')",
    "select count(*) > 0 from plproxy_stat_partitions",
];

pub fn what(tally: &mut Tally, servers: &Servers) {
    servers
        .proxy
        .execute("postgres", &["create database second"]);
    servers.set_up(&servers.proxy, "second");
    for (pause, waits, goes_on) in [
        ("'plain', 1", &REACH[..], &REACH_NOT[..]),
        ("'plain'", &[&REACH[..], &REACH_NOT].concat(), &[]),
    ] {
        // Of sessions that have called before, and of new ones.
        let sessions: Vec<Session> = waits.iter().map(|_| servers.session()).collect();
        for session in &sessions {
            session.run("select plain_add(2)");
        }
        servers.ask(&format!("select plproxy_pause({pause})"));
        let before = servers.calls(1);
        let calls: Vec<_> = sessions
            .iter()
            .zip(waits)
            .map(|(session, call)| session.send(call))
            .collect();
        let late = servers.session();
        let late = late.send("select plain_add(1)");
        let wanted = (waits.len() + 1).to_string();
        tally.check(
            &format!("{pause}: all that go there wait"),
            servers.until_waiting(&wanted),
            &servers.ask("select * from plproxy_paused"),
        );
        let event = "select distinct wait_event_type || ' ' || wait_event from pg_stat_activity
            where pid in (select pid from pg_stat_activity where query ~ 'plain_' and state = 'active' and pid <> pg_backend_pid())";
        let wanted = if servers.proxy.major() < 17 {
            "Extension Extension"
        } else {
            "Extension PlproxyPaused"
        };
        let seen = until_is(wanted, || servers.ask(event));
        tally.same("their wait event", wanted, seen);
        for call in goes_on {
            let said = servers.ask(call);
            tally.check(&format!("{pause}: {call}"), !said.contains("ERROR"), &said);
        }
        for call in TOOLS {
            tally.same(&format!("{pause}: {call}"), "t", servers.ask(call));
        }
        tally.same("another cluster", "1", servers.ask("select joined_add(1)"));
        let other = servers.proxy.ask("second", &["select plain_add(3)"]);
        tally.same("another database", "3", other);
        let after = servers
            .parts
            .ask("part1", &["select count(*) from t where at <> 1"]);
        tally.same("nothing came there", "0", after);
        let count = servers.calls(1);
        // The call of the other cluster.
        let wanted = before.parse::<u32>().unwrap_or(0) + 1;
        tally.same("nor counted", wanted.to_string(), count);
        tally.same("resumed from another session", "t", {
            servers.ask(&format!("select plproxy_resume({pause})"))
        });
        let errors: Vec<_> = calls
            .into_iter()
            .filter_map(|call| call.wait().error)
            .collect();
        tally.check("all go on", errors.is_empty(), &format!("{errors:?}"));
        tally.same("the late one, too", "1", late.said());
        tally.check("nobody waits", servers.until_waiting("0"), "somebody does");
    }
}

pub fn any(tally: &mut Tally, servers: &Servers) {
    for part in [0, 2, 3] {
        servers.ask(&format!("select plproxy_pause('plain', {part})"));
    }
    tally.same(
        "RUN ON ANY goes where nothing is paused",
        "part1 1",
        servers.ask("set statement_timeout = '30s'; select string_agg(distinct plain_any(1), ' ') from generate_series(1, 50)"),
    );
    tally.same(
        "all resume",
        "t",
        servers.ask("select plproxy_resume('plain')"),
    );
}

/// One that cannot be reached has others try, but none that is paused.
pub fn lame(tally: &mut Tally, servers: &Servers) {
    let part = |number: usize| servers.parts.connstr(&format!("part{number}"));
    servers.proxy.execute(
        "postgres",
        &[
            &format!("create server lame foreign data wrapper plproxy options (modular_mapping '1', p0 'host=127.0.0.1 port=1 dbname=nowhere',
                p1 '{}', p2 '{}')", part(1), part(2)),
            "create user mapping for public server lame options (user 'postgres')",
            "create function lame_any() returns text language plproxy as $$ cluster 'lame'; run on any; select current_database()::text; $$",
            "select plproxy_pause('lame', 1)",
        ],
    );
    // Each session knows anew which partition it could not reach.
    let said: Vec<String> = (0..12).map(|_| servers.ask("select lame_any()")).collect();
    tally.check(
        "a call that moves does not come there",
        said.iter().all(|it| it == "part2"),
        &format!("{said:?}"),
    );
    servers.ask("select plproxy_resume('lame')");
    servers.ask("drop server lame cascade");
}

/// Partitions of one connection string are one, until they are not.
pub fn twins(tally: &mut Tally, servers: &Servers) {
    let part = |number: usize| servers.parts.connstr(&format!("part{number}"));
    servers.proxy.execute(
        "postgres",
        &[
            &format!("create server twins foreign data wrapper plproxy options (p0 '{}', p1 '{}', p2 '{}', p3 '{}')",
                part(0), part(1), part(0), part(1)),
            "create user mapping for public server twins options (user 'postgres')",
            "create function twins_at(at int) returns text language plproxy as $$ cluster 'twins'; run on at; select current_database()::text; $$",
            "create function twins_sleep(at int) returns int language plproxy as $$ cluster 'twins'; run on at; select 1 from pg_sleep(600); $$",
        ],
    );
    let session = servers.session();
    let sleeps = session.send("select twins_sleep(0)");
    until_is("1", || {
        servers.ask("select count(*) from pg_stat_activity where query ~ '^select twins_sleep' and state = 'active'")
    });
    let first = until_is("wanted", || {
        let said = servers.ask("select plproxy_pause('twins', 2, '100 ms')");
        servers.ask("select plproxy_resume('twins')");
        let wanted = format!("Process {} has a call", session.process.0);
        if said.contains(&wanted) {
            "wanted".to_owned()
        } else {
            said
        }
    });
    tally.same("a call of one is in the way of the other", "wanted", first);
    session.cancel();
    sleeps.wait();
    servers.ask("select plproxy_pause('twins', 2)");
    let zero = session.send("select twins_at(0)");
    tally.check(
        "the other one waits, too",
        servers.until_waiting("1"),
        "it does not",
    );
    tally.same("others do not", "part1", servers.ask("select twins_at(3)"));
    servers.proxy.execute(
        "postgres",
        &[&format!(
            "alter server twins options (set p2 '{}')",
            part(2)
        )],
    );
    tally.same(
        "once they are two it goes on",
        "part0",
        servers.ask("select twins_at(0)"),
    );
    let two = servers.session();
    let two = two.send("select twins_at(2)");
    tally.check(
        "the paused one waits",
        servers.until_waiting("2"),
        "it does not",
    );
    servers.ask("select plproxy_resume('twins', 2)");
    tally.same(
        "until the end",
        "part0;part2",
        format!("{};{}", zero.said(), two.said()),
    );
    servers.ask("drop server twins cascade");
}

pub fn ends(tally: &mut Tally, servers: &Servers) {
    servers.ask("select plproxy_pause('plain')");
    tally.same(
        "statement_timeout",
        "ERROR:  canceling statement due to statement timeout",
        servers.proxy.ask(
            "postgres",
            &["set statement_timeout = '300ms'", "select plain_add(1)"],
        ),
    );
    let session = servers.session();
    let call = session.send("select plain_add(1)");
    tally.check("one waits", servers.until_waiting("1"), "none");
    session.cancel();
    tally.same(
        "cancel",
        "ERROR:  canceling statement due to user request",
        call.said(),
    );
    let nested = session.send(
        "do $$ begin perform plain_add(1); exception when query_canceled then raise notice 'caught'; end $$",
    );
    tally.check("one waits again", servers.until_waiting("1"), "none");
    session.cancel();
    tally.same("a cancel that is caught", "NOTICE:  caught", nested.said());
    let call = session.send("select plain_add(1)");
    tally.check("the session waits anew", servers.until_waiting("1"), "none");
    servers.ask(&format!(
        "select pg_terminate_backend({})",
        session.process.0
    ));
    let said = call.said();
    let wanted = "FATAL:  terminating connection due to administrator command";
    tally.check("terminate", said.starts_with(wanted), &said);
    tally.check(
        "it does not wait any more",
        servers.until_waiting("0"),
        "it does",
    );
    servers.ask("alter server plain options (add query_timeout '1')");
    tally.same(
        "query_timeout",
        "ERROR:  PL/Proxy function public.plain_add(1): [plain] query timeout;DETAIL:  The call has waited for the end of a pause.",
        servers.ask("select plain_add(1)"),
    );
    servers.ask("alter server plain options (drop query_timeout)");
    servers.ask("select plproxy_resume('plain')");
    tally.same("and calls work", "1", servers.ask("select plain_add(1)"));
}
