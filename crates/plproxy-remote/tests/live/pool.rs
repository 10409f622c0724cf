//! Connections between calls: how long they are kept, and in what state.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use plproxy_remote::{CallOptions, Endpoint, ErrorKind, Remote, Statement};

use crate::harness::*;
use crate::scripted::{self, complaint, ready};

fn idle(milliseconds: u64) -> CallOptions {
    CallOptions {
        idle_timeout: Some(Duration::from_millis(milliseconds)),
        ..CallOptions::default()
    }
}

fn pid_with(remote: &Remote, endpoint: &Rc<Endpoint>, options: &CallOptions) -> String {
    value(remote, endpoint, "select pg_backend_pid()::text", options)
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
    // Or without a call; not before its time, which may be over on a busy machine.
    let limit = Duration::from_millis(600);
    loop {
        let start = Instant::now();
        pid_with(&remote, &parts[0], &idle(600));
        remote.tidy();
        let early = remote.connections().len();
        if start.elapsed() < limit {
            assert_eq!(early, 3);
            break;
        }
    }
    std::thread::sleep(limit);
    remote.tidy();
    assert_eq!(remote.connections().len(), 2);
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
    let begun = Instant::now();
    // Forty of them within a tenth of the possible 400 ms would be a wonder. A machine that is so busy that this cannot be
    // told looks again.
    loop {
        let requests = parts.iter().map(|part| request(part, &[])).collect();
        drain(remote.start(&statement, requests, &options));
        // The age at which each was there for the last time, and that at which it was not there any more.
        let mut last_seen: HashMap<i32, (SystemTime, Duration)> = HashMap::new();
        let mut ends = Vec::new();
        loop {
            let looked = SystemTime::now();
            remote.tidy();
            let left: HashMap<_, _> = remote
                .connections()
                .iter()
                .map(|connection| (connection.process_id, connection.connected_at))
                .collect();
            let age = |since: SystemTime, at: SystemTime| at.duration_since(since).unwrap();
            let now = SystemTime::now();
            last_seen.retain(|process, (since, seen)| {
                if !left.contains_key(process) {
                    ends.push((*seen, age(*since, now)));
                }
                left.contains_key(process)
            });
            for (process, since) in left {
                last_seen.insert(process, (since, age(since, looked)));
            }
            if last_seen.is_empty() {
                break;
            }
            in_time(begun);
            std::thread::sleep(Duration::from_millis(5));
        }
        let first = ends.iter().map(|(_, gone)| *gone).min().unwrap();
        let last = ends.iter().map(|(seen, _)| *seen).max().unwrap();
        assert!(first >= Duration::from_millis(1800), "{ends:?}");
        if last > first + Duration::from_millis(100) {
            return;
        }
        in_time(begun);
    }
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

/// Has so many connections in use at once.
fn use_at_once(remote: &Remote, endpoint: &Rc<Endpoint>, count: usize) {
    let statement = Statement::call("select n::text from generate_series(1, 100000) n".into());
    let mut calls: Vec<_> = (0..count)
        .map(|_| {
            let requests = vec![request(endpoint, &[])];
            remote.start(&statement, requests, &CallOptions::default())
        })
        .collect();
    for call in &mut calls {
        call.next().unwrap();
    }
    calls.into_iter().for_each(|call| {
        drain(call);
    });
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn as_many_are_kept_as_were_needed_lately() {
    let _turn = turn();
    let remote = remote();
    let watcher = endpoint(&remote, "watcher", &server());
    let connstr = format!("{} application_name=surplus", server());
    let part = endpoint(&remote, "part", &connstr);
    use_at_once(&remote, &part, 12);
    let last = pid(&remote, &part);
    assert_eq!(remote.connections().len(), 12);
    remote.end_transaction();
    // Needed again before long: none was closed. Transactions that do not use the partition do not count.
    for _ in 0..4 {
        assert_eq!(pid(&remote, &part), last);
        remote.end_transaction();
        remote.end_transaction();
        pid(&remote, &watcher);
        remote.end_transaction();
    }
    assert_eq!(remote.connections().len(), 13);
    use_at_once(&remote, &part, 5);
    assert_eq!(remote.connections().len(), 13);
    remote.end_transaction();
    assert_eq!(remote.connections().len(), 6, "those of the last five");
    let last = pid(&remote, &part);
    for _ in 0..5 {
        assert_eq!(pid(&remote, &part), last);
        remote.end_transaction();
    }
    wait_for(&remote, &watcher, "surplus", 1);
    // The one that is left is the one that was used last.
    assert_eq!(pid(&remote, &part), last);
    assert_eq!(remote.connections().len(), 2);
}
