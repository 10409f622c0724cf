//! Servers that go away, keep silent, or end in the middle.
//!
//! Long, as each way to go wrong is a test of its own over the same few helpers.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use plproxy_remote::{CallOptions, ErrorKind, Event, Statement};

use crate::harness::*;
use crate::scripted::{
    self, answer, complaint, described, done, greet, message, read_round, ready, row,
};

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_dead_connection_is_replaced_in_silence() {
    let _turn = turn();
    let remote = remote();
    let victim = endpoint(&remote, "victim", &server());
    let killer = endpoint(&remote, "killer", &server());
    let mut before = pid(&remote, &victim);
    for _ in 0..20 {
        let killed = ask(
            &remote,
            &killer,
            &format!("select pg_terminate_backend({before}, 60000)::text"),
        );
        assert_eq!(killed, "true");
        let now = pid(&remote, &victim);
        assert_ne!(now, before);
        before = now;
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_farewell_in_the_place_of_an_answer_means_that_nothing_ran() {
    let _turn = turn();
    let remote = remote();
    let farewell = |code| complaint(b'E', "FATAL", code, "terminating connection");
    // The first connection answers some rounds and says `last` then; all others answer. The second call's statement is the
    // second round, and its question which process this is the third.
    let check =
        |key: &str, process: &'static [u8], answered: usize, last: Vec<u8>, wanted: &str| {
            let connections = Arc::new(AtomicUsize::new(0));
            let count = connections.clone();
            let connstr = scripted::serve(move |mut stream| {
                if !greet(&mut stream) {
                    return;
                }
                let first = count.fetch_add(1, SeqCst) == 0;
                let mut rounds = 0;
                while read_round(&mut stream) {
                    rounds += 1;
                    let over = first && rounds > answered;
                    let bytes = match rounds {
                        _ if over => last.clone(),
                        3 => [row(&[process]), done()].concat(),
                        _ => answer(),
                    };
                    if stream.write_all(&bytes).is_err() || over {
                        return;
                    }
                }
            });
            let endpoint = endpoint(&remote, key, &connstr);
            let statement = Statement::call("select x".into());
            for _ in 0..answered.min(2) {
                assert_eq!(run(&remote, &endpoint, &statement, &[]).text(), "x");
            }
            let outcome = run(&remote, &endpoint, &statement, &[]);
            let found = match &outcome.error {
                None => outcome.text(),
                Some(error) => match &error.kind {
                    ErrorKind::Db(diagnostic) => diagnostic.sqlstate().to_owned(),
                    ErrorKind::Closed => "closed".to_owned(),
                    kind => panic!("{key}: {kind:?}"),
                },
            };
            assert_eq!(found, wanted, "{key}");
            let made = if wanted == "x" { 2 } else { 1 };
            assert_eq!(connections.load(SeqCst), made, "{key}");
        };
    check("shut down", b"77", 3, farewell("57P01"), "x");
    check("idle", b"77", 3, farewell("57P05"), "x");
    let notice = complaint(b'N', "WARNING", "01000", "soon");
    let both = [notice, farewell("57P01")].concat();
    check("after a notice", b"77", 3, both, "x");
    // It may have run.
    let bound = [message(b'1', b""), message(b'2', b"")].concat();
    let both = [bound, farewell("57P01")].concat();
    check("bound", b"77", 3, both, "57P01");
    check("crash", b"77", 3, farewell("57P02"), "57P02");
    check("refused", b"77", 3, farewell("08P01"), "08P01");
    check("without a word", b"77", 3, Vec::new(), "closed");
    // Of whom somebody in between speaks is not known.
    check("pooler", b"78", 3, farewell("57P01"), "57P01");
    check("not asked yet", b"77", 1, farewell("57P01"), "57P01");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn who_always_has_a_little_to_say_keeps_nobody() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    // Who connects is not alone.
    pid(&remote, &endpoint);
    let chatting = |notices: u32| {
        Statement::call(format!(
            "select count(*)::text from generate_series(1, {notices}) i, \
             lateral (select pg_temp.say(i), pg_sleep(0.03 + 0 * i)) s"
        ))
    };
    let (statement, endless) = (chatting(80), chatting(20_000));
    let say = "create function pg_temp.say(i int) returns int language plpgsql as \
               'begin raise notice ''%'', i; return i; end'";
    run(&remote, &endpoint, &Statement::select(say.into()), &[]);
    // A notice comes when it is raised.
    let start = Instant::now();
    let mut call = remote.start(
        &statement,
        vec![request(&endpoint, &[])],
        &CallOptions::default(),
    );
    let mut heard = Vec::new();
    while !matches!(call.next().unwrap(), Event::Finished) {
        heard.push(start.elapsed());
    }
    let took = start.elapsed();
    assert!(
        heard.len() > 40 && took > Duration::from_secs(1),
        "{took:?}"
    );
    assert!(heard[20] < took * 3 / 4, "{heard:?}");
    drop(call);
    // And the time is looked at all the same.
    let options = CallOptions {
        query_timeout: Some(Duration::from_millis(400)),
        ..CallOptions::default()
    };
    let start = Instant::now();
    let outcome = drain(remote.start(&endless, vec![request(&endpoint, &[])], &options));
    assert!(matches!(outcome.error().kind, ErrorKind::QueryTimeout));
    in_time(start);
    // A message that comes byte by byte.
    let connstr = scripted::serve(|mut stream| {
        if greet(&mut stream)
            && read_round(&mut stream)
            && stream.write_all(&answer()).is_ok()
            && read_round(&mut stream)
        {
            let long = message(b'A', &[0; 30_000]);
            for byte in long {
                if stream.write_all(&[byte]).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    });
    let slow = crate::harness::endpoint(&remote, "slow", &connstr);
    assert_eq!(run(&remote, &slow, &statement, &[]).text(), "x");
    let start = Instant::now();
    let outcome = drain(remote.start(&statement, vec![request(&slow, &[])], &options));
    assert!(matches!(outcome.error().kind, ErrorKind::QueryTimeout));
    in_time(start);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_fatal_error_is_told_and_the_connection_closed() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let statement = Statement::call(
        "select pg_terminate_backend(pg_backend_pid())::text from pg_sleep(0.05)".into(),
    );
    for _ in 0..5 {
        let error = run(&remote, &endpoint, &statement, &[]).error();
        let ErrorKind::Db(diagnostic) = error.kind else {
            panic!("not the server's error")
        };
        assert_eq!((diagnostic.sqlstate(), diagnostic.fatal), ("57P01", true));
        assert_eq!(remote.connections().len(), 0);
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn the_end_of_the_stream_is_told() {
    let _turn = turn();
    let remote = remote();
    let check = |key: &str, bytes: Vec<u8>| {
        let connstr = scripted::serve(move |mut stream| {
            if greet(&mut stream) && read_round(&mut stream) {
                let _ = stream.write_all(&bytes);
            }
        });
        let endpoint = endpoint(&remote, key, &connstr);
        let error = run(&remote, &endpoint, &Statement::call("select 1".into()), &[]).error();
        assert!(matches!(error.kind, ErrorKind::Closed), "{key}: {error:?}");
        assert!(
            error
                .to_string()
                .starts_with("server closed the connection unexpectedly\n")
        );
    };
    check("nothing", Vec::new());
    check("half a message", vec![b'1', 0, 0]);
    check("after a row", [described(1, 25), row(&[b"x"])].concat());
    check(
        "half a row",
        described(1, 25)
            .into_iter()
            .chain(row(&[b"long"]).into_iter().take(9))
            .collect(),
    );
    assert_eq!(remote.connections().len(), 0);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn an_answer_may_come_in_pieces() {
    let _turn = turn();
    let remote = remote();
    let answers = [
        answer(),
        [
            described(1, 25),
            row(&[b"x"]),
            complaint(b'E', "ERROR", "22012", "no"),
            ready(),
        ]
        .concat(),
        [
            complaint(b'N', "NOTICE", "00000", "so"),
            complaint(b'E', "ERROR", "22012", "no"),
            ready(),
        ]
        .concat(),
    ];
    for (at, answer) in answers.into_iter().enumerate() {
        let fails = at > 0;
        let connstr = scripted::serve(move |mut stream| {
            if !greet(&mut stream) {
                return;
            }
            while read_round(&mut stream) {
                for byte in &answer {
                    let _ = stream.write_all(&[*byte]);
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
        });
        let statement = Statement::call("select 1".into());
        for count in [1, 3] {
            let requests: Vec<_> = (0..count)
                .map(|part| request(&endpoint(&remote, &format!("{at} {part}"), &connstr), &[]))
                .collect();
            let options = CallOptions {
                query_timeout: Some(HANG),
                ..CallOptions::default()
            };
            let outcome = drain(remote.start(&statement, requests, &options));
            match outcome.error {
                None => assert!(!fails && outcome.rows.len() == count),
                Some(error) => {
                    assert!(fails && matches!(error.kind, ErrorKind::Db(_)), "{error:?}")
                }
            }
        }
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn silence_ends_by_timeouts() {
    let _turn = turn();
    let remote = remote();
    let statement = Statement::call("select 'x'::text from pg_sleep(600)".into());
    let limit = Duration::from_millis(600);
    let check =
        |key: &str, connstr: &str, options: CallOptions, expected: fn(&ErrorKind) -> bool| {
            let endpoint = endpoint(&remote, key, connstr);
            for count in [1, 3] {
                let requests = vec![request(&endpoint, &[]); count];
                let start = Instant::now();
                let error = drain(remote.start(&statement, requests, &options)).error();
                assert!(start.elapsed() >= limit, "{key}");
                in_time(start);
                assert!(expected(&error.kind), "{key}: {error:?}");
                assert_eq!(error.request, Some(0));
            }
            assert_eq!(remote.connections().len(), 0, "{key}");
        };
    let query = CallOptions {
        query_timeout: Some(limit),
        ..CallOptions::default()
    };
    let connect = CallOptions {
        connect_timeout: Some(limit),
        ..CallOptions::default()
    };
    check("a long statement", &server(), query.clone(), |kind| {
        matches!(kind, ErrorKind::QueryTimeout)
    });
    let silent = scripted::serve(|mut stream| {
        if greet(&mut stream) {
            scripted::stay_silent(stream);
        }
    });
    check("a silent server", &silent, query, |kind| {
        matches!(kind, ErrorKind::QueryTimeout)
    });
    let mute = scripted::serve(scripted::stay_silent);
    check(
        "no start-up",
        &mute,
        connect.clone(),
        |kind| matches!(kind, ErrorKind::ConnectTimeout { message } if message.ends_with("failed: timeout expired")),
    );
    let (unreachable, _sockets) = scripted::unreachable();
    check(
        "no host",
        &unreachable,
        connect,
        |kind| matches!(kind, ErrorKind::ConnectTimeout { message } if message.ends_with("failed: timeout expired")),
    );
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_timeout_also_stops_the_server() {
    let _turn = turn();
    let remote = remote();
    let observer = endpoint(&remote, "observer", &server());
    let statement = Statement::call("select 'x'::text from pg_sleep(600) /* out of time */".into());
    let options = CallOptions {
        query_timeout: Some(Duration::from_millis(200)),
        ..CallOptions::default()
    };
    let requests = vec![request(&endpoint(&remote, "a", &server()), &[])];
    drain(remote.start(&statement, requests, &options)).error();
    until(&remote, &observer, &running("/* out of time"), "0");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_cancel_request_stays_open_until_it_is_taken() {
    let _turn = turn();
    let (tell, told) = mpsc::channel();
    let connstr = scripted::serve(move |mut stream| {
        if greet(&mut stream) {
            scripted::stay_silent(stream);
            return;
        }
        // The request has been read; a pooler may need longer to pass it on than the call waits.
        let moment = Duration::from_secs(1);
        stream.set_read_timeout(Some(moment)).unwrap();
        let _ = tell.send(stream.read(&mut [0]).map_err(|error| error.kind()));
    });
    let remote = remote();
    let options = CallOptions {
        query_timeout: Some(Duration::from_millis(200)),
        ..CallOptions::default()
    };
    let requests = vec![request(&endpoint(&remote, "a", &connstr), &[])];
    let statement = Statement::call("select 'x'::text".into());
    drain(remote.start(&statement, requests, &options)).error();
    assert_eq!(
        told.recv_timeout(HANG),
        Ok(Err(std::io::ErrorKind::WouldBlock)),
        "the client hung up on its cancel request"
    );
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn the_first_error_stops_the_others() {
    let _turn = turn();
    let remote = remote();
    let statement = Statement::call("select (1 / $1::int4)::text from pg_sleep($2::float8)".into());
    let endpoints: Vec<_> = (0..8)
        .map(|at| endpoint(&remote, &at.to_string(), &server()))
        .collect();
    for endpoint in &endpoints {
        pid(&remote, endpoint);
    }
    let requests: Vec<_> = endpoints
        .iter()
        .enumerate()
        .map(|(at, endpoint)| {
            let params = if at == 5 {
                [text("0"), text("0.2")]
            } else {
                [text("1"), text("600")]
            };
            request(endpoint, &params)
        })
        .collect();
    let fail = || {
        let start = Instant::now();
        let error =
            drain(remote.start(&statement, requests.clone(), &CallOptions::default())).error();
        assert_eq!(error.request, Some(5));
        assert!(
            matches!(&error.kind, ErrorKind::Db(diagnostic) if diagnostic.sqlstate() == "22012"),
            "{error:?}"
        );
        in_time(start);
        remote.connections().len()
    };
    // Those that are not done within half a second are closed, as they may be on a busy machine.
    for _ in 0..2 {
        assert!(
            (0..20).any(|_| fail() == 8),
            "cancelled statements leave their connections"
        );
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn an_open_transaction_is_not_handed_on() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let statement = Statement::select("begin".into());
    let outcome = drain(remote.start(&statement, vec![request(&endpoint, &[])], &unprepared()));
    // What it does would not be committed.
    assert!(matches!(outcome.error().kind, ErrorKind::Unsupported(_)));
    assert_eq!(remote.connections().len(), 0);
    execute(&remote, &endpoint, "select 1");
    assert_eq!(remote.connections().len(), 1);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn another_encoding_is_not_handed_on() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    for encoding in ["UTF8", "LATIN1"] {
        execute(
            &remote,
            &endpoint,
            &format!("select set_config('client_encoding', '{encoding}', false)"),
        );
        assert_eq!(
            remote.connections().len(),
            usize::from(encoding == "UTF8"),
            "{encoding}"
        );
    }
    assert_eq!(ask(&remote, &endpoint, "select 'äö'::text"), "äö");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_slow_partition_does_not_hold_the_others_up() {
    let _turn = turn();
    let remote = remote();
    let statement = Statement::call(
        "select n::text from pg_sleep($1::float8), generate_series(1, 20000) n".into(),
    );
    let slow = request(&endpoint(&remote, "slow", &server()), &[text("600")]);
    let quick = request(&endpoint(&remote, "quick", &server()), &[text("0")]);
    let mut call = remote.start(&statement, vec![slow, quick], &CallOptions::default());
    let start = Instant::now();
    loop {
        match call.next().unwrap() {
            Event::Rows { request, done, .. } if done && request == 1 => break,
            Event::RequestDone { request: 1, .. } => break,
            Event::Rows { request, .. } => assert_eq!(request, 1),
            _ => {}
        }
    }
    in_time(start);
    call.cancel(Duration::from_millis(500));
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn copy_is_refused() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    for sql in ["copy pg_class to stdout", "copy pg_class from stdin"] {
        let statement = Statement::select(sql.into());
        let error = run(&remote, &endpoint, &statement, &[]).error();
        assert!(
            matches!(error.kind, ErrorKind::Protocol(_)),
            "{sql}: {error:?}"
        );
        assert_eq!(ask(&remote, &endpoint, "select 'well'::text"), "well");
    }
}
