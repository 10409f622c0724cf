//! Connections between calls: how long they are kept, and in what state.

use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use plproxy_remote::{
    CallOptions, Encoding, Endpoint, ErrorKind, Event, Prepared, Remote, Reset, Statement,
};

use crate::harness::*;
use crate::scripted::{self, complaint, described, greet, message, read_round, ready, row};

fn idle(milliseconds: u64) -> CallOptions {
    CallOptions {
        idle_timeout: Some(Duration::from_millis(milliseconds)),
        ..CallOptions::default()
    }
}

fn resetting(sql: &str) -> CallOptions {
    CallOptions {
        reset: Some(Reset::new(sql)),
        ..CallOptions::default()
    }
}

fn value(remote: &Remote, endpoint: &Rc<Endpoint>, sql: &str, options: &CallOptions) -> String {
    let statement = Statement::call(sql.into());
    drain(remote.start(&statement, vec![request(endpoint, &[])], options)).text()
}

fn pid_with(remote: &Remote, endpoint: &Rc<Endpoint>, options: &CallOptions) -> String {
    value(remote, endpoint, "select pg_backend_pid()::text", options)
}

/// Waits until only so many of the server's processes have that name and were given a statement: a connection that was made
/// when its call was over already rests unused.
fn wait_for(remote: &Remote, watcher: &Rc<Endpoint>, name: &str, wanted: usize) {
    let sql = format!(
        "select count(*)::text from pg_stat_activity where application_name = '{name}' and query <> ''"
    );
    let start = Instant::now();
    while ask(remote, watcher, &sql) != wanted.to_string() {
        let late = start.elapsed() >= Duration::from_secs(10);
        let what = format!(
            "select string_agg(format('%s %s %s', state, clock_timestamp() - query_start, query), '; ') \
             from pg_stat_activity where application_name = '{name}'"
        );
        assert!(!late, "still there: {}", ask(remote, watcher, &what));
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn the_idle_are_closed_by_the_next_call_to_anybody() {
    let _turn = turn();
    let remote = remote();
    let watcher = endpoint(&remote, "watcher", &server());
    let connstr = format!("{} application_name=idle", server());
    let parts: Vec<_> = (0..5)
        .map(|at| endpoint(&remote, &format!("idle {at}"), &connstr))
        .collect();
    let kept = endpoint(&remote, "kept", &server());
    let kept_pid = pid(&remote, &kept);
    let statement = Statement::call("select 'x'::text".into());
    let requests = parts.iter().map(|part| request(part, &[])).collect();
    drain(remote.start(&statement, requests, &idle(100)));
    std::thread::sleep(Duration::from_millis(120));
    pid(&remote, &watcher);
    assert_eq!(remote.connections().len(), 2);
    wait_for(&remote, &watcher, "idle", 0);
    assert_eq!(pid(&remote, &kept), kept_pid);
    // Or without a call.
    pid_with(&remote, &parts[0], &idle(100));
    remote.tidy();
    let early = remote.connections().len();
    std::thread::sleep(Duration::from_millis(120));
    remote.tidy();
    assert_eq!((early, remote.connections().len()), (3, 2));
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn use_starts_the_time_anew() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let limit = Duration::from_millis(600);
    let first = pid_with(&remote, &endpoint, &idle(600));
    for _ in 0..4 {
        let start = Instant::now();
        std::thread::sleep(limit / 3);
        let now = pid_with(&remote, &endpoint, &idle(600));
        // On a machine that is too busy the time was over, and there is nothing to be seen.
        if start.elapsed() >= limit {
            break;
        }
        assert_eq!(now, first);
    }
    // Off again.
    let now = pid_with(&remote, &endpoint, &CallOptions::default());
    std::thread::sleep(limit + Duration::from_millis(50));
    assert_eq!(pid_with(&remote, &endpoint, &CallOptions::default()), now);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn lifetimes_of_many_do_not_end_together() {
    let _turn = turn();
    let remote = remote();
    let options = CallOptions {
        connection_lifetime: Some(Duration::from_secs(2)),
        ..CallOptions::default()
    };
    let parts: Vec<_> = (0..40)
        .map(|at| endpoint(&remote, &at.to_string(), &server()))
        .collect();
    let statement = Statement::call("select 'x'::text".into());
    let requests = parts.iter().map(|part| request(part, &[])).collect();
    let begun = Instant::now();
    drain(remote.start(&statement, requests, &options));
    let made = begun.elapsed();
    let mut ends = Vec::new();
    let mut left = remote.connections().len();
    assert_eq!(left, 40);
    while left > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{left} still there"
        );
        std::thread::sleep(Duration::from_millis(5));
        remote.tidy();
        let now = remote.connections().len();
        ends.extend(std::iter::repeat_n(begun.elapsed(), left - now));
        left = now;
    }
    let (first, last) = (ends[0], ends[ends.len() - 1]);
    assert!(first >= Duration::from_millis(1800), "{first:?}");
    // Forty of them within a tenth of the possible 400 ms would be a wonder.
    assert!(
        last - first > Duration::from_millis(100).max(made),
        "{first:?} {last:?}"
    );
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn endpoints_that_are_let_go_are_closed() {
    let _turn = turn();
    let remote = remote();
    let watcher = endpoint(&remote, "watcher", &server());
    let watching = watcher.hold();
    let connstr = format!("{} application_name=let_go", server());
    let endpoint = endpoint(&remote, "a", &connstr);
    let (one, two) = (endpoint.hold(), endpoint.hold());
    let first = pid(&remote, &endpoint);
    drop(one);
    assert_eq!(pid(&remote, &endpoint), first);
    // Let go and held again before the next call: nothing happens.
    drop(two);
    let three = endpoint.hold();
    assert_eq!(pid(&remote, &endpoint), first);
    drop(three);
    pid(&remote, &watcher);
    wait_for(&remote, &watcher, "let_go", 0);
    assert_eq!(remote.connections().len(), 1);
    // One that is in use is closed after its use.
    let endpoint = crate::harness::endpoint(&remote, "a", &connstr);
    let hold = endpoint.hold();
    let statement = Statement::call("select 'x'::text from pg_sleep(0.05)".into());
    let call = remote.start(
        &statement,
        vec![request(&endpoint, &[])],
        &CallOptions::default(),
    );
    drop(hold);
    pid(&remote, &watcher);
    assert_eq!(drain(call).text(), "x");
    assert_eq!(remote.connections().len(), 1);
    drop(watching);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn dead_connections_are_replaced_a_thousand_times() {
    let _turn = turn();
    let remote = remote();
    let killer = endpoint(&remote, "killer", &server());
    let connstr = format!("{} application_name=victim", server());
    let parts: Vec<_> = (0..50)
        .map(|at| endpoint(&remote, &at.to_string(), &connstr))
        .collect();
    let statement = Statement::call("select 'x'::text".into());
    let requests: Vec<_> = parts.iter().map(|part| request(part, &[])).collect();
    for _ in 0..21 {
        let outcome = drain(remote.start(&statement, requests.clone(), &CallOptions::default()));
        assert_eq!(outcome.texts().len(), 50);
        let killed = ask(
            &remote,
            &killer,
            "select count(*) filter (where pg_terminate_backend(pid))::text \
             from pg_stat_activity where application_name = 'victim'",
        );
        assert_eq!(killed, "50");
        wait_for(&remote, &killer, "victim", 0);
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_reset_takes_the_state_away() {
    let _turn = turn();
    for encoding in [Encoding::Utf8, Encoding::Raw] {
        let remote = Remote::new(|| false, encoding).unwrap();
        let endpoint = endpoint(&remote, "a", &server());
        let first = pid(&remote, &endpoint);
        let leave = "select concat(set_config('work_mem', '321kB', false), pg_advisory_lock(7))";
        let found = "select concat_ws(' ', nullif(current_setting('work_mem'), '321kB') is null, \
             (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()), \
             (select count(*) from pg_prepared_statements))";
        value(&remote, &endpoint, leave, &CallOptions::default());
        assert_eq!(
            value(&remote, &endpoint, found, &CallOptions::default()),
            "t 1 0"
        );
        for sql in [
            "discard all",
            "reset all; select pg_advisory_unlock_all(); select 1, 2",
        ] {
            value(&remote, &endpoint, leave, &resetting(sql));
            assert_eq!(
                value(&remote, &endpoint, found, &CallOptions::default()),
                "f 0 0",
                "{sql}"
            );
        }
        assert_eq!(pid(&remote, &endpoint), first);
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn prepared_statements_outlive_a_reset_that_leaves_them() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let first = pid(&remote, &endpoint);
    let run = |sql: &str, options: &CallOptions| {
        let statement = Statement::call(sql.into());
        let mut seen = String::new();
        for _ in 0..6 {
            seen += &drain(remote.start(&statement, vec![request(&endpoint, &[])], options)).text();
        }
        seen
    };
    let count = "select count(*)::text from pg_prepared_statements";
    assert_eq!(run(count, &resetting("reset all")), "001111");
    // One that drops them: nothing is prepared, and what was is forgotten.
    assert_eq!(run(count, &resetting("discard all")), "100000");
    assert_eq!(remote.connections()[0].prepared_statements, 0);
    assert_eq!(run(count, &CallOptions::default()), "011111");
    // One that drops them behind our backs.
    execute(
        &remote,
        &endpoint,
        "create function pg_temp.secretly() returns int language plpgsql as \
         $$ begin execute 'deal' || 'locate all'; return 1; end $$",
    );
    let secretly = resetting("select pg_temp.secretly()");
    let seen = run("select length('abc')::text", &secretly);
    assert_eq!(seen, "333333");
    assert_eq!(run("select 'x'::text", &CallOptions::default()), "xxxxxx");
    assert_eq!(pid(&remote, &endpoint), first);
    let on = CallOptions {
        prepared: Prepared::On,
        ..resetting("deallocate all")
    };
    assert_eq!(run(count, &on), "100000");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn an_error_leaves_no_state_where_that_is_wanted() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let options = CallOptions {
        reset_after_error: Some(Reset::all()),
        ..CallOptions::default()
    };
    let first = pid(&remote, &endpoint);
    let count = Statement::call("select count(*)::text from pg_prepared_statements".into());
    let prepared = || drain(remote.start(&count, vec![request(&endpoint, &[])], &options)).text();
    let before: Vec<_> = (0..6).map(|_| prepared()).collect();
    assert_eq!(before.concat(), "001111");
    let leave = "select concat(set_config('work_mem', '321kB', false), pg_advisory_lock(7))";
    let found = "select concat_ws(' ', current_setting('work_mem') = '321kB', \
         (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()))";
    let bad = Statement::call("select (1 / 0)::text".into());
    value(&remote, &endpoint, leave, &options);
    assert_eq!(value(&remote, &endpoint, found, &options), "t 1");
    let outcome = drain(remote.start(&bad, vec![request(&endpoint, &[])], &options));
    assert!(outcome.notices.is_empty());
    assert_eq!(outcome.diagnostic().sqlstate(), "22012");
    assert_eq!(value(&remote, &endpoint, found, &options), "f 0");
    let after: Vec<_> = (0..3).map(|_| prepared()).collect();
    assert_eq!(after.concat(), "111");
    assert_eq!(pid(&remote, &endpoint), first);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_reset_that_fails_is_told_and_costs_the_connection() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let statement = Statement::call("select pg_backend_pid()::text".into());
    let mut before = String::new();
    for (sql, notices) in [
        ("discard everything", 1),
        ("begin", 0),
        ("select pg_terminate_backend(pg_backend_pid())", 0),
        ("copy (select 1) to stdout", 0),
        ("set client_encoding = latin1", 0),
    ] {
        for _ in 0..3 {
            let options = resetting(sql);
            let outcome = drain(remote.start(&statement, vec![request(&endpoint, &[])], &options));
            assert_eq!(outcome.notices.len(), notices, "{sql}");
            let now = outcome.text();
            assert_ne!(now, before, "{sql}");
            assert_eq!(remote.connections().len(), 0, "{sql}");
            before = now;
        }
    }
    // After an error, too, which is the one that is told.
    let bad = Statement::call("select (1 / 0)::text".into());
    let outcome = drain(remote.start(
        &bad,
        vec![request(&endpoint, &[])],
        &resetting("discard everything"),
    ));
    assert_eq!(outcome.diagnostic().sqlstate(), "22012");
    assert_eq!(remote.connections().len(), 0);
    let outcome = drain(remote.start(&bad, vec![request(&endpoint, &[])], &resetting("reset all")));
    assert_eq!(outcome.diagnostic().sqlstate(), "22012");
    assert_eq!(remote.connections().len(), 1);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_reset_without_an_end_is_stopped_and_the_call_stands() {
    let _turn = turn();
    let remote = remote();
    let watcher = endpoint(&remote, "watcher", &server());
    let connstr = format!("{} application_name=endless", server());
    let endpoint = endpoint(&remote, "a", &connstr);
    let statement = Statement::call("select 'x'::text".into());
    let options = CallOptions {
        query_timeout: Some(Duration::from_millis(300)),
        ..resetting("select pg_sleep(60)")
    };
    let start = Instant::now();
    let outcome = drain(remote.start(&statement, vec![request(&endpoint, &[])], &options));
    assert_eq!(outcome.text(), "x");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(remote.connections().len(), 0);
    wait_for(&remote, &watcher, "endless", 0);
    // By an interrupt.
    let mut call = remote.start(
        &statement,
        vec![request(&endpoint, &[])],
        &resetting("select pg_sleep(60)"),
    );
    assert!(matches!(call.next().unwrap(), Event::Rows { .. }));
    call.cancel(Duration::from_millis(80));
    assert!(matches!(call.next().unwrap(), Event::Finished));
    wait_for(&remote, &watcher, "endless", 0);
    // By another partition's failure.
    let bad = Statement::call(
        "select (1 / (1 - nullif(current_setting('application_name'), 'endless')::text::int))::text"
            .into(),
    );
    let failing = crate::harness::endpoint(
        &remote,
        "failing",
        &format!("{} application_name=1", server()),
    );
    let requests = vec![request(&endpoint, &[]), request(&failing, &[])];
    let outcome = drain(remote.start(&bad, requests, &resetting("select pg_sleep(60)")));
    assert_eq!(outcome.diagnostic().sqlstate(), "22012");
    wait_for(&remote, &watcher, "endless", 0);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_reset_runs_once_a_call_and_bounds_its_memory() {
    let _turn = turn();
    let remote = remote();
    let rounds = Arc::new(AtomicUsize::new(0));
    let seen = rounds.clone();
    let answer = [
        described(1, 25),
        row(&[b"x"]),
        message(b'C', b"SELECT 1\0"),
        ready(),
    ]
    .concat();
    // Every other round is a reset, and answered at great length.
    let connstr = scripted::serve(move |mut stream| {
        if !greet(&mut stream) {
            return;
        }
        let columns = message(b'T', b"\0\x01c\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\0\0\0\0\0\0");
        let rows = row(&[&[b'x'; 1000]]).repeat(100);
        while read_round(&mut stream) {
            if seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
                let _ = stream.write_all(&answer);
                continue;
            }
            let _ = stream.write_all(&columns);
            for _ in 0..500 {
                let _ = stream.write_all(&rows);
            }
            let _ = stream.write_all(&[message(b'C', b"SELECT 50000\0"), ready()].concat());
        }
    });
    let endpoint = endpoint(&remote, "a", &connstr);
    let options = CallOptions {
        prepared: Prepared::Off,
        ..resetting("select * from everything")
    };
    reset_peak();
    let before = status("VmHWM");
    for turn in 1..4 {
        assert_eq!(value(&remote, &endpoint, "select 1", &options), "x");
        assert_eq!(rounds.load(Ordering::Relaxed), 2 * turn);
    }
    let growth = status("VmHWM").saturating_sub(before);
    assert!(growth < 4096, "{growth} KiB");
    assert_eq!(remote.connections().len(), 1);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_read_only_error_costs_the_connections() {
    let _turn = turn();
    let remote = remote();
    let refusing = scripted::answering(
        [
            complaint(
                b'E',
                "ERROR",
                "25006",
                "cannot execute in a read-only transaction",
            ),
            ready(),
        ]
        .concat(),
    );
    let endpoint = endpoint(&remote, "a", &refusing);
    let statement = Statement::call("select 1".into());
    for _ in 0..3 {
        let error = run(&remote, &endpoint, &statement, &[]).error();
        assert!(matches!(error.kind, ErrorKind::Db(_)), "{error:?}");
        assert_eq!(remote.connections().len(), 0);
    }
    // Those at rest are to the same server.
    let endpoint = crate::harness::endpoint(
        &remote,
        "b",
        &format!("{} options='-c default_transaction_read_only=on'", server()),
    );
    let requests = vec![request(&endpoint, &[]), request(&endpoint, &[])];
    let call = Statement::call("select pg_backend_pid()::text from pg_sleep(0.1)".into());
    let before = drain(remote.start(&call, requests, &CallOptions::default())).texts();
    assert_eq!(remote.connections().len(), 2);
    let read_only = Statement::call("select relname::text from pg_class limit 1 for update".into());
    let outcome = run(&remote, &endpoint, &read_only, &[]);
    assert_eq!(outcome.diagnostic().sqlstate(), "25006");
    assert_eq!(remote.connections().len(), 0);
    assert!(!before.contains(&pid(&remote, &endpoint)));
}
