//! What connections run before they rest.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use plproxy_remote::{CallOptions, Encoding, ErrorKind, Event, Prepared, Remote, Reset, Statement};

use crate::harness::*;
use crate::scripted::{self, answer, complaint, greet, message, read_round, ready, row};

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_reset_takes_the_state_away() {
    let _turn = turn();
    for encoding in [Encoding::UTF8, Encoding::SQL_ASCII] {
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
    let seen = run("select length(text(123))::text", &secretly);
    assert_eq!(seen, "333333");
    assert_eq!(run("select chr(120)", &CallOptions::default()), "xxxxxx");
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
        query_timeout: Some(Duration::from_secs(2)),
        ..resetting("select pg_sleep(600)")
    };
    pid(&remote, &endpoint);
    let start = Instant::now();
    let outcome = drain(remote.start(&statement, vec![request(&endpoint, &[])], &options));
    assert_eq!(outcome.text(), "x");
    in_time(start);
    assert_eq!(remote.connections().len(), 0);
    wait_for(&remote, &watcher, "endless", 0);
    // By an interrupt.
    let mut call = remote.start(
        &statement,
        vec![request(&endpoint, &[])],
        &resetting("select pg_sleep(600)"),
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
    let outcome = drain(remote.start(&bad, requests, &resetting("select pg_sleep(600)")));
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
    // Every other round is a reset, and answered at great length.
    let connstr = scripted::serve(move |mut stream| {
        if !greet(&mut stream) {
            return;
        }
        let columns = message(b'T', b"\0\x01c\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\0\0\0\0\0\0");
        let rows = row(&[&[b'x'; 1000]]).repeat(100);
        while read_round(&mut stream) {
            if seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
                let _ = stream.write_all(&answer());
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
fn an_answer_that_is_there_is_not_lost_to_the_timeout() {
    let _turn = turn();
    let remote = remote();
    let limit = Duration::from_millis(130);
    let options = CallOptions {
        query_timeout: Some(limit),
        prepared: Prepared::Off,
        ..CallOptions::default()
    };
    let after_each = CallOptions {
        reset: Some(Reset::new("reset all")),
        ..options.clone()
    };
    let after_error = CallOptions {
        reset_after_error: Some(Reset::all()),
        ..options
    };
    let error = [complaint(b'E', "ERROR", "22012", "no"), ready()].concat();
    // A reset after an error is waited for; one that the limit finds under way is not.
    for (key, said, options, kept) in [
        ("good", answer(), after_each, 0),
        ("bad", error, after_error, 1),
    ] {
        let (tell, told) = mpsc::channel();
        let connstr = scripted::serve(move |mut stream| {
            if !greet(&mut stream) || !read_round(&mut stream) {
                return;
            }
            let _ = stream.write_all(&answer());
            if !read_round(&mut stream) {
                return;
            }
            let _ = stream.write_all(&said);
            let _ = tell.send(());
            if kept == 1 && read_round(&mut stream) {
                std::thread::sleep(Duration::from_millis(50));
                let _ = stream.write_all(&[message(b'C', b"RESET\0"), ready()].concat());
            }
            scripted::stay_silent(stream);
        });
        let endpoint = endpoint(&remote, key, &connstr);
        assert_eq!(ask(&remote, &endpoint, "select 'connected'"), "x");
        // The limit is overdue when the answer is found.
        before_next_wait(&remote, move || {
            told.recv_timeout(HANG).unwrap();
            std::thread::sleep(limit);
        });
        let statement = Statement::call("select 'x'::text".into());
        let outcome = drain(remote.start(&statement, vec![request(&endpoint, &[])], &options));
        match key {
            "good" => assert_eq!(outcome.text(), "x"),
            _ => assert_eq!(outcome.diagnostic().sqlstate(), "22012"),
        }
        assert_eq!(remote.connections().len(), kept, "{key}");
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_reset_does_not_wait_for_the_caller() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let observer = crate::harness::endpoint(&remote, "observer", &server());
    let lock = Statement::call("select 'x'::text from pg_advisory_lock(77)".into());
    let free =
        "select (count(*) = 0)::text from pg_locks where locktype = 'advisory' and objid = 77";
    let options = resetting("select pg_advisory_unlock_all()");
    // By a new connection, and by one that rested.
    for _ in 0..3 {
        let mut call = remote.start(&lock, vec![request(&endpoint, &[])], &options);
        assert!(matches!(
            call.next().unwrap(),
            Event::Rows { done: true, .. }
        ));
        // As a cursor does, it takes its time.
        let start = Instant::now();
        while ask(&remote, &observer, free) != "true" {
            in_time(start);
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(drain(call).error.is_none());
        assert_eq!(remote.connections().len(), 2);
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_timeout_takes_no_rows_away() {
    let _turn = turn();
    let remote = remote();
    let limit = Duration::from_millis(300);
    let options = CallOptions {
        query_timeout: Some(limit),
        ..resetting("reset all")
    };
    // More than one batch, and no more than a socket holds for its reader.
    let statements = [
        "select repeat('x', 100)::text from generate_series(1, 400) /* rows */",
        "select repeat('x', 100 / (401 - n))::text from generate_series(1, 401) n /* rows */",
    ];
    let watching = crate::harness::remote();
    let watcher = endpoint(&watching, "watcher", &server());
    let start = Instant::now();
    let mut seen = 0;
    while seen < 12 {
        let endpoint = endpoint(&remote, &(seen / 4).to_string(), &server());
        let statement = Statement::call(statements[seen % 2].into());
        let begun = Instant::now();
        let mut call = remote.start(&statement, vec![request(&endpoint, &[])], &options);
        let mut rows = 0;
        let end = loop {
            match call.next() {
                Ok(Event::Rows { batch, .. }) => {
                    if rows == 0 {
                        // All of it has come when the caller turns back to it, after the time.
                        until(&watching, &watcher, &running("/* rows"), "0");
                        std::thread::sleep(limit.saturating_sub(begun.elapsed()));
                    }
                    rows += batch.len();
                }
                Ok(Event::Finished) => break None,
                Ok(_) => {}
                Err(error) => break Some(error),
            }
        };
        match end.as_ref().map(|error| &error.kind) {
            None => assert_eq!((rows, seen % 2), (400, 0)),
            Some(ErrorKind::Db(diagnostic)) => {
                assert_eq!((diagnostic.sqlstate(), seen % 2), ("22012", 1));
            }
            // The machine is too busy for the first of them to come in time.
            Some(ErrorKind::QueryTimeout) if rows == 0 => {
                in_time(start);
                continue;
            }
            Some(other) => panic!("{other:?} after {rows} rows"),
        }
        assert!(end.is_none_or(|error| error.request == Some(0)));
        seen += 1;
    }
}
