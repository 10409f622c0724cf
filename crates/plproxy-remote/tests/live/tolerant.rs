//! Calls that go on when a request fails, and requests that are run once more, elsewhere.

use std::rc::Rc;
use std::time::{Duration, Instant};

use plproxy_remote::{CallOptions, Endpoint, ErrorKind, Event, Remote, Statement};

use crate::harness::*;
use crate::scripted;

fn tolerant() -> CallOptions {
    CallOptions {
        tolerant: true,
        ..CallOptions::default()
    }
}

fn live(remote: &Remote, name: &str) -> Rc<Endpoint> {
    endpoint(
        remote,
        name,
        &format!("{} application_name={name}", server()),
    )
}

/// Nobody listens there.
fn dead(remote: &Remote, key: &str) -> Rc<Endpoint> {
    endpoint(remote, key, "host=127.0.0.1 port=1 user=u dbname=d")
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn the_others_go_on() {
    let _turn = turn();
    let remote = remote();
    let statement =
        Statement::call("select (1000 / ($1::int4 - n))::text from generate_series(1, 3) n".into());
    let here = live(&remote, "tolerant");
    for _ in 0..3 {
        let requests = vec![
            request(&here, &[text("9")]),
            request(&dead(&remote, "dead"), &[text("9")]),
            request(&here, &[text("2")]),
            request(&here, &[text("5")]),
        ];
        let mut outcome = drain(remote.start(&statement, requests, &tolerant()));
        assert!(outcome.error.is_none());
        outcome.failed.sort_by_key(|(request, _)| *request);
        let [(1, ErrorKind::Connect { .. }), (2, ErrorKind::Db(error))] = &outcome.failed[..]
        else {
            panic!("{:?}", outcome.failed);
        };
        assert_eq!(error.sqlstate(), "22012");
        outcome.done.sort_unstable();
        assert_eq!(outcome.done, [0, 3]);
        let rows = |wanted: usize| {
            outcome
                .rows
                .iter()
                .filter(move |(r, _)| *r == wanted)
                .count()
        };
        assert_eq!((rows(0), rows(3)), (3, 3));
    }
    // All connections are at rest again, those of the failed statements, too.
    assert!(remote.connections().iter().all(|one| !one.in_use));
    assert_eq!(remote.connections().len(), 3);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_request_goes_elsewhere() {
    let _turn = turn();
    let remote = remote();
    let statement = Statement::call("select $1::text".into());
    let here = live(&remote, "elsewhere");
    for count in [1, 2, 5] {
        let nowhere: Vec<_> = (0..count)
            .map(|n| dead(&remote, &format!("dead{n}")))
            .collect();
        let requests = nowhere
            .iter()
            .map(|dead| request(dead, &[text("x")]))
            .collect();
        let mut call = remote.start(&statement, requests, &tolerant());
        let (mut rows, mut failed) = (0, 0);
        loop {
            match call.next().expect("no error") {
                Event::RequestFailed {
                    request: at,
                    unreached,
                    ..
                } => {
                    assert!(unreached);
                    failed += 1;
                    // A second one that is of no use, before the good one.
                    let to = if failed <= count { &nowhere[0] } else { &here };
                    call.restart(at, request(to, &[text("x")]), None);
                }
                Event::Rows { batch, .. } => rows += batch.len(),
                Event::Finished => break,
                _ => {}
            }
        }
        assert_eq!((rows, failed), (count, 2 * count));
        assert!(nowhere.iter().all(|dead| dead.is_avoided()) && !here.is_avoided());
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_statement_that_has_begun_is_not_unreached() {
    let _turn = turn();
    let remote = remote();
    let here = live(&remote, "begun");
    for sql in [
        "select (1 / 0)::text",
        "select pg_terminate_backend(pg_backend_pid())::text",
    ] {
        let statement = Statement::call(sql.into());
        let mut call = remote.start(&statement, vec![request(&here, &[])], &tolerant());
        let unreached = loop {
            match call.next().expect("no error") {
                Event::RequestFailed { unreached, .. } => break unreached,
                Event::Finished => panic!("{sql} did not fail"),
                _ => {}
            }
        };
        assert!(!unreached, "{sql}");
        assert!(matches!(call.next(), Ok(Event::Finished)));
    }
    assert!(!here.is_avoided());
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn the_time_of_the_call_counts_while_nobody_is_reached() {
    let _turn = turn();
    let remote = remote();
    let silent = endpoint(&remote, "silent", &scripted::serve(scripted::stay_silent));
    let statement = Statement::call("select 'x'::text".into());
    let options = CallOptions {
        query_timeout: Some(Duration::from_secs(1)),
        ..tolerant()
    };
    let start = Instant::now();
    let outcome = drain(remote.start(&statement, vec![request(&silent, &[])], &options));
    in_time(start);
    assert!(start.elapsed() >= Duration::from_millis(900));
    assert!(matches!(outcome.error().kind, ErrorKind::QueryTimeout));
    // What was given up after so long is avoided.
    assert!(silent.is_avoided());
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn what_has_answered_is_told_before_the_time_is_over() {
    let _turn = turn();
    let remote = remote();
    let here = live(&remote, "answered");
    let statement = Statement::call("select $1::text from pg_sleep($1::float8)".into());
    let options = CallOptions {
        query_timeout: Some(Duration::from_secs(8)),
        ..tolerant()
    };
    let start = Instant::now();
    let requests = ["600", "0", "0.1"].map(|time| request(&here, &[text(time)]));
    let outcome = drain(remote.start(&statement, requests.into(), &options));
    in_time(start);
    let mut done = outcome.done.clone();
    done.sort_unstable();
    assert_eq!(done, [1, 2]);
    let error = outcome.error();
    assert!(matches!(error.kind, ErrorKind::QueryTimeout));
    assert_eq!(error.request, Some(0));
}
