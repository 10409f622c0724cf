//! What a server says while a connection rests.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use plproxy_remote::{
    CallOptions, ErrorKind, Event, Prepared, Script, ScriptOptions, Statement, Step, Target,
};

use crate::harness::*;
use crate::scripted::{self, answer, complaint, done, greet, message, read_round, ready};

/// Long enough that the pool looks at a connection before it is used again.
const REST: Duration = Duration::from_millis(30);

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_notification_leaves_the_session_as_it_is() {
    let _turn = turn();
    let remote = remote();
    let listener = endpoint(&remote, "listener", &server());
    let other = endpoint(&remote, "other", &server());
    execute(&remote, &listener, "listen c");
    execute(&remote, &listener, "create temp table t as select 1 as n");
    execute(&remote, &listener, "select pg_advisory_lock(4711)");
    let first = pid(&remote, &listener);
    // One, some, and more than fit into the sockets' buffers and one look.
    for (count, length) in [(1, 10), (100, 100), (3000, 7000)] {
        execute(
            &remote,
            &other,
            &format!(
                "select pg_notify('c', i || repeat('x', {length})) from generate_series(1, {count}) i"
            ),
        );
        for _ in 0..5 {
            std::thread::sleep(REST);
            assert_eq!(pid(&remote, &listener), first, "{count} times {length}");
        }
    }
    assert_eq!(ask(&remote, &listener, "select n::text from t"), "1");
    let held = "select count(*)::text from pg_locks where locktype = 'advisory' and objid = 4711";
    assert_eq!(ask(&remote, &other, held), "1");
    // Now that it was heard out, it is still seen to be gone.
    execute(
        &remote,
        &other,
        &format!("select pg_terminate_backend({first}, 5000)"),
    );
    assert_ne!(pid(&remote, &listener), first);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_notification_leaves_an_errands_session_as_it_is() {
    let _turn = turn();
    let remote = remote();
    let listener = endpoint(&remote, "listener", &server());
    let run = |target: Target, sql: &str| {
        let script = Script {
            target,
            steps: vec![Step::Run(sql.into())],
        };
        let mut running = remote.scripts(vec![script], &ScriptOptions::default());
        while !matches!(running.next(), Event::Finished) {}
        let outcome = running.outcomes().remove(0);
        assert!(outcome.error().is_none(), "{:?}", outcome.error());
        outcome
    };
    let outcome = run(Target::New(listener.clone()), "listen d; begin; commit");
    let session = outcome.session.unwrap();
    execute(&remote, &listener, "notify d");
    std::thread::sleep(REST);
    let outcome = run(Target::Session(session), "select 1");
    assert!(outcome.session.is_some());
}

/// Settings, notices and notifications, which come whenever they like.
fn unasked() -> Vec<u8> {
    [
        message(b'A', b"\0\0\0\x07channel\0payload\0"),
        complaint(b'N', "NOTICE", "00000", "by the way"),
        message(b'S', b"IntervalStyle\0iso_8601\0"),
    ]
    .concat()
}

/// A server that has more to say than the answer; and how often it was connected to.
fn talking(rounds: Vec<Vec<Vec<u8>>>) -> (String, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    let connstr = scripted::serve(move |mut stream| {
        let _ = stream.set_nodelay(true);
        if !greet(&mut stream) {
            return;
        }
        count.fetch_add(1, SeqCst);
        for pieces in &rounds {
            if !read_round(&mut stream) {
                return;
            }
            for (at, piece) in pieces.iter().enumerate() {
                if at > 0 {
                    std::thread::sleep(REST / 3);
                }
                if stream.write_all(piece).is_err() {
                    return;
                }
            }
        }
        read_round(&mut stream);
    });
    (connstr, connections)
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn messages_in_pieces_are_put_together() {
    let _turn = turn();
    let said = unasked();
    for cut in 0..=said.len() {
        let (before, after) = said.split_at(cut);
        // The first part comes with the answer, or after it; the second with the next answer.
        for together in [true, false] {
            let first = if together {
                vec![[&answer()[..], before].concat()]
            } else {
                vec![answer(), before.to_vec()]
            };
            let second = vec![[after, &answer()[..]].concat()];
            let (connstr, connections) = talking(vec![first, second]);
            let remote = remote();
            let talker = endpoint(&remote, "talker", &connstr);
            let statement = Statement::call("select 'x'::text".into());
            let run = || {
                let requests = vec![request(&talker, &[])];
                drain(remote.start(&statement, requests, &unprepared()))
            };
            let mut notices = run().notices;
            std::thread::sleep(REST);
            let outcome = run();
            notices.extend(outcome.notices.iter().cloned());
            assert_eq!(outcome.text(), "x", "{cut} {together}");
            assert_eq!(notices.len(), 1, "{cut} {together}");
            assert_eq!(notices[0].message, "by the way");
            assert_eq!(connections.load(SeqCst), 1, "{cut} {together}");
        }
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn the_client_library_gets_whole_messages() {
    let _turn = turn();
    let said = unasked();
    for cut in [1, 4, 5, 9, said.len() - 1] {
        let (before, after) = said.split_at(cut);
        let reset = [message(b'C', b"RESET\0"), ready()].concat();
        // What is cut by the end of an answer, of either engine's. The rest comes by itself.
        let rounds = vec![
            vec![[&answer()[..], before].concat(), after.to_vec()],
            vec![[&reset[..], before].concat(), after.to_vec()],
            vec![answer()],
            vec![reset.clone()],
        ];
        let (connstr, connections) = talking(rounds);
        let remote = remote();
        let talker = endpoint(&remote, "talker", &connstr);
        let options = CallOptions {
            prepared: Prepared::Off,
            ..resetting("reset all")
        };
        for _ in 0..2 {
            assert_eq!(value(&remote, &talker, "select 'x'::text", &options), "x");
            std::thread::sleep(REST);
        }
        assert_eq!(connections.load(SeqCst), 1, "{cut}");
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn anything_else_ends_it() {
    let _turn = turn();
    let fatal = complaint(b'E', "FATAL", "57P01", "terminating connection");
    for what in [
        fatal.clone(),
        [unasked(), fatal].concat(),
        complaint(b'E', "ERROR", "XX000", "out of turn"),
        ready(),
        done(),
        message(b'~', b""),
        message(b'N', b"no notice"),
        b"A\x7f\xff\xff\xff".to_vec(),
        vec![0; 100],
    ] {
        let shown = what.escape_ascii().to_string();
        let [connections, heard, said] = [0; 3].map(|_| Arc::new(AtomicUsize::new(0)));
        let (count, answer_heard, all_said) = (connections.clone(), heard.clone(), said.clone());
        // It says so when the answer was heard: before, it would be a part of that.
        let connstr = scripted::serve(move |mut stream| {
            let _ = stream.set_nodelay(true);
            if !greet(&mut stream) {
                return;
            }
            let number = count.fetch_add(1, SeqCst) + 1;
            if !read_round(&mut stream) || stream.write_all(&answer()).is_err() {
                return;
            }
            while answer_heard.load(SeqCst) < number {
                std::thread::sleep(REST / 10);
            }
            let _ = stream.write_all(&what);
            all_said.fetch_add(1, SeqCst);
            read_round(&mut stream);
        });
        let remote = remote();
        let talker = endpoint(&remote, "talker", &connstr);
        for at in 1..=3 {
            assert_eq!(ask(&remote, &talker, "select 'x'::text"), "x");
            assert_eq!(connections.load(SeqCst), at, "{shown}");
            heard.store(at, SeqCst);
            while said.load(SeqCst) < at {
                std::thread::sleep(REST / 10);
            }
            std::thread::sleep(REST);
        }
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn who_never_stops_talking_is_bounded() {
    let _turn = turn();
    for what in [
        message(b'A', b"\0\0\0\x07channel\0payload\0"),
        complaint(b'N', "NOTICE", "00000", &"again and again ".repeat(50)),
    ] {
        let connstr = scripted::serve(move |mut stream| {
            if !greet(&mut stream) || !read_round(&mut stream) {
                return;
            }
            let many = what.repeat(100);
            let mut sent = stream.write_all(&answer());
            while sent.is_ok() {
                sent = stream.write_all(&many);
            }
        });
        let remote = remote();
        let talker = endpoint(&remote, "talker", &connstr);
        assert_eq!(ask(&remote, &talker, "select 'x'::text"), "x");
        std::thread::sleep(REST);
        reset_peak();
        let before = status("VmRSS");
        let options = CallOptions {
            query_timeout: Some(Duration::from_millis(300)),
            ..CallOptions::default()
        };
        let statement = Statement::call("select 'x'::text".into());
        let start = Instant::now();
        let outcome = drain(remote.start(&statement, vec![request(&talker, &[])], &options));
        let kind = outcome.error().kind;
        assert!(matches!(kind, ErrorKind::QueryTimeout), "{kind:?}");
        assert!(start.elapsed() < Duration::from_secs(20));
        let grown = status("VmHWM").saturating_sub(before);
        // The notices are this test's to keep, and are counted, too; the server's thread has its own.
        assert!(grown < 200_000, "{grown} kB");
    }
}
