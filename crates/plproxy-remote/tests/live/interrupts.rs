//! Interrupts, cancelling, and calls that are given up.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use plproxy_remote::{CallOptions, Encoding, Event, Remote, Request, Statement};

use crate::harness::*;
use crate::scripted;

static FLAG: AtomicBool = AtomicBool::new(false);
static LOOKS: AtomicU32 = AtomicU32::new(0);

fn flag() -> bool {
    LOOKS.fetch_add(1, SeqCst);
    FLAG.load(SeqCst)
}

/// Raises the flag after a while.
fn raise_after(delay: Duration) {
    FLAG.store(false, SeqCst);
    std::thread::spawn(move || {
        std::thread::sleep(delay);
        FLAG.store(true, SeqCst);
    });
}

fn sleepers(remote: &Remote, count: usize) -> Vec<Request> {
    (0..count)
        .map(|at| request(&endpoint(remote, &at.to_string(), &server()), &[]))
        .collect()
}

/// Waits for the interrupt, which without a signal the clock finds.
fn check(remote: &Remote, requests: Vec<Request>) {
    let statement = Statement::call("select 'x'::text from pg_sleep(600)".into());
    let mut call = remote.start(&statement, requests, &CallOptions::default());
    let start = Instant::now();
    let delay = Duration::from_millis(150);
    raise_after(delay);
    assert!(matches!(call.next().unwrap(), Event::Interrupted));
    assert!(start.elapsed() >= delay);
    call.cancel(Duration::from_millis(500));
    in_time(start);
    FLAG.store(false, SeqCst);
    assert!(matches!(call.next().unwrap(), Event::Finished));
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn an_interrupt_ends_every_kind_of_wait() {
    let _turn = turn();
    let remote = Remote::new(flag, Encoding::UTF8).unwrap();
    check(&remote, sleepers(&remote, 1));
    check(&remote, sleepers(&remote, 8));
    // While a server keeps silent from the start.
    let silent = endpoint(&remote, "silent", &scripted::serve(scripted::stay_silent));
    check(&remote, vec![request(&silent, &[])]);
    // While the packets go nowhere.
    let (unreachable, _sockets) = scripted::unreachable();
    let nowhere = endpoint(&remote, "nowhere", &unreachable);
    check(&remote, vec![request(&nowhere, &[])]);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn what_was_cancelled_is_finished_and_not_late() {
    let _turn = turn();
    let remote = Remote::new(flag, Encoding::UTF8).unwrap();
    let statement = Statement::call("select 'x'::text from pg_sleep(600) /* not late */".into());
    let limit = Duration::from_secs(3);
    let options = CallOptions {
        query_timeout: Some(limit),
        ..CallOptions::default()
    };
    for count in [1, 3] {
        let mut call = remote.start(&statement, sleepers(&remote, count), &options);
        when_running(server(), "/* not late", count, || FLAG.store(true, SeqCst));
        assert!(matches!(call.next().unwrap(), Event::Interrupted));
        FLAG.store(false, SeqCst);
        call.cancel(HANG);
        std::thread::sleep(limit);
        assert!(matches!(call.next().unwrap(), Event::Finished));
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_flag_that_stays_up_does_not_make_it_spin() {
    let _turn = turn();
    let remote = Remote::new(flag, Encoding::UTF8).unwrap();
    FLAG.store(true, SeqCst);
    LOOKS.store(0, SeqCst);
    let statement = Statement::call("select 'x'::text from pg_sleep(600)".into());
    let mut call = remote.start(&statement, sleepers(&remote, 1), &CallOptions::default());
    let start = Instant::now();
    // It is reminded, every 10 ms at the most.
    for _ in 0..50 {
        assert!(matches!(call.next().unwrap(), Event::Interrupted));
    }
    let took = start.elapsed();
    FLAG.store(false, SeqCst);
    assert!(took > Duration::from_millis(250), "{took:?}");
    in_time(start);
    assert!(LOOKS.load(SeqCst) < 2000, "{}", LOOKS.load(SeqCst));
    call.cancel(HANG);
    assert!(matches!(call.next().unwrap(), Event::Finished));
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn cancelling_stops_the_servers_and_keeps_the_connections() {
    let _turn = turn();
    let remote = remote();
    let statement = Statement::call("select 'x'::text from pg_sleep(600) /* cancel me */".into());
    let observer = endpoint(&remote, "observer", &server());
    let active = &running("/* cancel me");
    let flagged = Remote::new(flag, Encoding::UTF8).unwrap();
    let mut call = flagged.start(&statement, sleepers(&flagged, 16), &CallOptions::default());
    when_running(server(), "/* cancel me", 16, || FLAG.store(true, SeqCst));
    assert!(matches!(call.next().unwrap(), Event::Interrupted));
    FLAG.store(false, SeqCst);
    assert_eq!(ask(&remote, &observer, active), "16");
    let start = Instant::now();
    call.cancel(2 * HANG);
    in_time(start);
    assert_eq!(ask(&remote, &observer, active), "0");
    drop(call);
    assert_eq!(
        flagged
            .connections()
            .iter()
            .filter(|connection| !connection.in_use)
            .count(),
        16
    );
    for request in sleepers(&flagged, 16) {
        assert_eq!(
            ask(&flagged, &request.endpoint, "select 'well'::text"),
            "well"
        );
    }
    assert_eq!(flagged.connections().len(), 16);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_dropped_call_hangs_up() {
    let _turn = turn();
    let remote = Remote::new(flag, Encoding::UTF8).unwrap();
    // So many rows that their end cannot be waited for.
    let statement =
        Statement::call("select generate_series(1, 1000000000000)::text /* hung up */".into());
    let mut call = remote.start(&statement, sleepers(&remote, 2), &CallOptions::default());
    assert!(matches!(call.next().unwrap(), Event::Rows { .. }));
    let start = Instant::now();
    drop(call);
    in_time(start);
    assert_eq!(remote.connections().len(), 0);
    let observer = endpoint(&remote, "observer", &server());
    until(&remote, &observer, &running("/* hung up"), "0");
    remote.close_endpoint(&observer);
    for request in sleepers(&remote, 2) {
        assert_eq!(
            ask(&remote, &request.endpoint, "select 'well'::text"),
            "well"
        );
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_call_within_a_call_has_a_connection_of_its_own() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let statement = Statement::call("select n::text from generate_series(1, 100000) n".into());
    let mut call = remote.start(
        &statement,
        vec![request(&endpoint, &[])],
        &CallOptions::default(),
    );
    let mut rows = 0;
    let mut batches = 0;
    loop {
        match call.next().unwrap() {
            Event::Rows { batch, .. } => {
                rows += batch.len();
                batches += 1;
                if batches % 10 == 0 {
                    assert_eq!(ask(&remote, &endpoint, "select 'inner'::text"), "inner");
                }
            }
            Event::Finished => break,
            _ => {}
        }
    }
    assert_eq!(rows, 100_000);
    assert!(batches >= 10);
    assert_eq!(remote.connections().len(), 2);
    remote.close_endpoint(&endpoint);
    assert_eq!(remote.connections().len(), 0);
}

/// How many sessions have begun.
fn sessions(remote: &Remote, watcher: &std::rc::Rc<plproxy_remote::Endpoint>) -> u64 {
    let sql = "select sessions::text from pg_stat_database where datname = current_database()";
    ask(remote, watcher, sql).parse().unwrap()
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn one_more_session_cancels_all_statements_of_a_server() {
    let _turn = turn();
    let remote = remote();
    let watcher = endpoint(&remote, "watcher", &server());
    let flagged = Remote::new(flag, Encoding::UTF8).unwrap();
    let requests = sleepers(&flagged, 40);
    let pids = Statement::call("select pg_backend_pid()::text".into());
    let pids = || drain(flagged.start(&pids, requests.clone(), &CallOptions::default())).texts();
    let mut before = pids();
    std::thread::sleep(Duration::from_millis(100));
    let begun = sessions(&remote, &watcher);
    let statement = Statement::call("select 'x'::text from pg_sleep(600)".into());
    let mut call = flagged.start(&statement, requests.clone(), &CallOptions::default());
    raise_after(Duration::from_millis(300));
    assert!(matches!(call.next().unwrap(), Event::Interrupted));
    FLAG.store(false, SeqCst);
    // Longer than it takes on any machine.
    call.cancel(Duration::from_secs(20));
    drop(call);
    // All are at rest again, the same ones.
    assert_eq!(flagged.connections().len(), 40);
    let mut after = pids();
    before.sort();
    after.sort();
    assert_eq!(before, after);
    // A session is counted when it ends.
    let start = Instant::now();
    while sessions(&remote, &watcher) == begun {
        assert!(start.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn what_cancels_too_late_hits_nothing_else() {
    let _turn = turn();
    let remote = remote();
    let admin = endpoint(&remote, "admin", &server());
    execute(&remote, &admin, "drop database if exists slow");
    execute(&remote, &admin, "create database slow");
    let slow = format!("{} dbname=slow", server());
    // The statement that cancels looks at this view, which takes longer than it is waited for.
    let inside = endpoint(&remote, "inside", &slow);
    let view = "select rtrim(pg_get_viewdef('pg_catalog.pg_stat_activity'::regclass), ';')";
    let view = ask(&remote, &inside, view);
    for sql in [
        "set allow_system_table_mods = on",
        &format!(
            "create or replace view pg_catalog.pg_stat_activity as {view} \
             cross join (select pg_catalog.pg_sleep(1) offset 0) as late"
        ),
    ] {
        execute(&remote, &inside, sql);
    }
    let requests: Vec<Request> = (0..16)
        .map(|at| request(&endpoint(&remote, &format!("slow {at}"), &slow), &[]))
        .collect();
    let pids = Statement::call("select pg_backend_pid()::text".into());
    let pids = drain(remote.start(&pids, requests.clone(), &unprepared())).texts();
    // One fails, and the others are cancelled.
    let with_pid = |known: &Request| request(&known.endpoint, &[text(&pids[3])]);
    let statement = Statement::call(
        "select (1 / (pg_backend_pid() - $1::int))::text \
         from pg_sleep(case when pg_backend_pid() = $1::int then 0.1 else 600 end)"
            .into(),
    );
    let failing = requests.iter().map(with_pid).collect();
    let error = drain(remote.start(&statement, failing, &unprepared())).diagnostic();
    assert_eq!(&error.code, b"22012");
    // Nobody cancels this one.
    let statement = Statement::call("select 'x'::text from pg_sleep(2)".into());
    let outcome = drain(remote.start(&statement, requests, &unprepared()));
    assert_eq!(outcome.texts().len(), 16);
    remote.close_all();
    execute(&remote, &admin, "drop database slow with (force)");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn nobody_elses_statement_is_cancelled() {
    let _turn = turn();
    let remote = remote();
    let watcher = endpoint(&remote, "watcher", &server());
    // Somebody else, of the same role.
    let victim = std::thread::spawn(|| {
        let remote = crate::harness::remote();
        let endpoint = endpoint(&remote, "victim", &server());
        ask(
            &remote,
            &endpoint,
            "select 'unharmed'::text from pg_sleep(4)",
        )
    });
    let find = "select coalesce(max(pid), 0)::text from pg_stat_activity \
                where query like '%unharmed%' and pid <> pg_backend_pid() and state = 'active'";
    let start = Instant::now();
    let pid = loop {
        let pid: i32 = ask(&remote, &watcher, find).parse().unwrap();
        if pid > 0 {
            break pid;
        }
        assert!(start.elapsed() < Duration::from_secs(10));
    };
    // Who stands in between says that this is the process of all the others.
    let flagged = Remote::new(flag, Encoding::UTF8).unwrap();
    let relay = scripted::relay_with_process_id(move |_| pid);
    let requests: Vec<Request> = (0..10)
        .map(|at| request(&endpoint(&flagged, &at.to_string(), &relay), &[]))
        .collect();
    let statement = Statement::call("select 'x'::text from pg_sleep(2)".into());
    let mut call = flagged.start(&statement, requests, &CallOptions::default());
    raise_after(Duration::from_millis(300));
    assert!(matches!(call.next().unwrap(), Event::Interrupted));
    FLAG.store(false, SeqCst);
    call.cancel(Duration::from_millis(500));
    drop(call);
    assert_eq!(victim.join().unwrap(), "unharmed");
}
