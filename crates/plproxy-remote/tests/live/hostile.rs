//! Servers that do not keep to the protocol: each fails the call and no more.

use std::io::Write;
use std::time::{Duration, Instant};

use plproxy_remote::{COPY, CallOptions, ErrorKind, Remote, Statement};

use crate::harness::*;
use crate::scripted::{self, answering, complaint, described, message, read_startup, ready, row};

/// Runs a statement against a server and expects an error, not for want of time, and with little memory.
fn check(remote: &Remote, name: &str, connstr: &str) -> ErrorKind {
    check_within(HANG, remote, name, connstr)
}

/// The same with that time.
fn check_within(time: Duration, remote: &Remote, name: &str, connstr: &str) -> ErrorKind {
    let endpoint = endpoint(remote, name, connstr);
    reset_peak();
    let before = status("VmHWM");
    let start = Instant::now();
    let options = CallOptions {
        query_timeout: Some(time),
        connect_timeout: Some(time),
        ..CallOptions::default()
    };
    let statement = Statement::call("select r::text from f() r".into());
    let error = drain(remote.start(&statement, vec![request(&endpoint, &[])], &options)).error();
    let growth = status("VmHWM").saturating_sub(before);
    in_time(start);
    assert!(growth < 8192, "{name}: {growth} KiB");
    assert_eq!(
        remote.connections().len(),
        0,
        "{name}: the connection was kept"
    );
    error.kind
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn broken_answers_fail_the_call() {
    let _turn = turn();
    let remote = remote();
    let done = scripted::done();
    let garbage: Vec<u8> = (0..4096_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let cases: [(&str, Vec<u8>); 21] = [
        ("garbage", garbage),
        ("text", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        (
            "two gigabytes",
            [described(1, 25), vec![b'D', 0x7f, 0xff, 0xff, 0xff]].concat(),
        ),
        (
            "four gigabytes",
            [described(1, 25), vec![b'D', 0xff, 0xff, 0xff, 0xff]].concat(),
        ),
        ("no length", vec![b'1', 0, 0, 0, 0]),
        ("a wrong length", vec![b'1', 0, 0, 0, 9, 1, 2, 3, 4, 5]),
        (
            "too few columns",
            [described(2, 25), row(&[b"x"]), done.clone()].concat(),
        ),
        (
            "too many columns",
            [described(1, 25), row(&[b"x", b"y"]), done.clone()].concat(),
        ),
        (
            "a value beyond the row",
            [described(1, 25), message(b'D', &[0, 1, 0, 0, 0, 9, 1])].concat(),
        ),
        (
            "a description cut short",
            [
                message(b'1', b""),
                message(b'2', b""),
                message(b'T', &[0, 9, b'c', 0]),
            ]
            .concat(),
        ),
        (
            "a description of nothing",
            [message(b'1', b""), message(b'2', b""), message(b'T', &[])].concat(),
        ),
        (
            "two descriptions",
            [described(1, 25), described(1, 25), done.clone()].concat(),
        ),
        (
            "rows of nothing",
            [
                message(b'1', b""),
                message(b'2', b""),
                message(b'n', b""),
                row(&[b"x"]),
            ]
            .concat(),
        ),
        (
            "ready twice",
            [described(1, 25), done.clone(), ready()].concat(),
        ),
        (
            "copy in",
            [
                message(b'1', b""),
                message(b'2', b""),
                message(b'G', &[0, 0, 0]),
            ]
            .concat(),
        ),
        (
            "copy out",
            [
                described(1, 25),
                message(b'H', &[0, 0, 0]),
                message(b'd', b"x"),
                message(b'c', b""),
            ]
            .concat(),
        ),
        (
            "a transaction left open",
            [
                described(1, 25),
                row(&[b"x"]),
                message(b'C', b"SELECT 1\0"),
                message(b'Z', b"T"),
            ]
            .concat(),
        ),
        (
            "a transaction that failed",
            [
                described(1, 25),
                row(&[b"x"]),
                message(b'C', b"SELECT 1\0"),
                message(b'Z', b"E"),
            ]
            .concat(),
        ),
        ("an error without fields", message(b'E', &[0])),
        ("an error without end", message(b'E', b"SERROR\0")),
        ("authentication again", message(b'R', &[0, 0, 0, 3])),
    ];
    for (name, bytes) in cases {
        let kind = check(&remote, name, &answering(bytes));
        let is_right = match &kind {
            ErrorKind::Protocol(_) => true,
            ErrorKind::Unsupported(_) => name.starts_with("a transaction"),
            _ => false,
        };
        assert!(is_right, "{name}: {kind:?}");
        assert_eq!(
            kind.to_string() == COPY,
            name.starts_with("copy"),
            "{name}: {kind}"
        );
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_promised_gigabyte_takes_no_memory() {
    let _turn = turn();
    let remote = remote();
    let bytes = [described(1, 25), vec![b'D', 0x3f, 0xff, 0xff, 0xff, 0, 1]].concat();
    let time = Duration::from_secs(2);
    let kind = check_within(time, &remote, "a promise", &answering(bytes));
    assert!(matches!(kind, ErrorKind::QueryTimeout), "{kind:?}");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn settings_without_end_are_refused() {
    let _turn = turn();
    let remote = remote();
    let connstr = scripted::serve(|mut stream| {
        if scripted::greet(&mut stream) && scripted::read_round(&mut stream) {
            for at in 0_u64.. {
                if stream
                    .write_all(&message(b'S', format!("setting{at}\0value\0").as_bytes()))
                    .is_err()
                {
                    return;
                }
            }
        }
    });
    let kind = check(&remote, "settings", &connstr);
    assert!(matches!(kind, ErrorKind::Protocol(_)), "{kind:?}");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_setting_between_two_rows_holds_for_those_behind_it() {
    let _turn = turn();
    let remote = remote();
    // Servers before 14 report a setting at once, and not behind the statement.
    let setting = |name: &str, value: &str| message(b'S', format!("{name}\0{value}\0").as_bytes());
    let dates = Some("SQL, DMY".to_owned());
    for (name, after, behind) in [
        ("dates", setting("DateStyle", "SQL, DMY"), dates),
        ("others", setting("application_name", "x"), None),
    ] {
        // Short rows are handed over as a copy, long ones with all that has come in.
        for length in [1, 20_000] {
            let first = vec![b'a'; length];
            let answer = [
                described(1, 25),
                row(&[&first]),
                after.clone(),
                row(&[b"b"]),
                scripted::done(),
            ]
            .concat();
            let endpoint = endpoint(&remote, &format!("{name} {length}"), &answering(answer));
            let statement = Statement::call("select r::text from f() r".into());
            // It is known for the next statement, too.
            for before in [None, behind.clone()] {
                let requests = vec![request(&endpoint, &[])];
                let outcome = drain(remote.start(&statement, requests, &unprepared()));
                assert_eq!(outcome.texts(), ["a".repeat(length), "b".to_owned()]);
                let dates = (outcome.dates.first(), outcome.dates.last());
                assert_eq!(dates, (Some(&before), Some(&behind)), "{name} {length}");
            }
        }
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn notices_of_the_log_in_take_little_memory() {
    let _turn = turn();
    let remote = remote();
    let connstr = scripted::serve(|mut stream| {
        let welcome = [
            message(b'R', &[0, 0, 0, 0]),
            message(b'N', b"C00000\0M\0\0").repeat(60_000),
            message(b'K', &[0, 0, 0, 77, 0, 0, 0, 88]),
            ready(),
        ];
        if read_startup(&mut stream)
            && stream.write_all(&welcome.concat()).is_ok()
            && scripted::read_round(&mut stream)
        {
            let _ = stream.write_all(&scripted::answer());
        }
    });
    let endpoint = endpoint(&remote, "notices", &connstr);
    reset_peak();
    let before = status("VmHWM");
    let statement = Statement::call("select r::text from f() r".into());
    let requests = vec![request(&endpoint, &[])];
    let outcome = drain(remote.start(&statement, requests, &unprepared()));
    assert_eq!(outcome.texts(), ["x"]);
    assert!((10..1000).contains(&outcome.notices.len()));
    let growth = status("VmHWM").saturating_sub(before);
    assert!(growth < 8192, "{growth} KiB");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn unknown_types_are_not_asked_about() {
    let _turn = turn();
    let remote = remote();
    // The server counts what it is asked: one statement, whatever types it mentions.
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = asked.clone();
    let answer = [
        described(3, 4_000_000_000),
        row(&[b"1", b"2", b"3"]),
        scripted::done(),
    ]
    .concat();
    let connstr = scripted::serve(move |mut stream| {
        if scripted::greet(&mut stream) {
            while scripted::read_round(&mut stream) {
                count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let _ = stream.write_all(&answer);
            }
        }
    });
    let endpoint = endpoint(&remote, "a", &connstr);
    let statement = Statement::call("select 1".into());
    let outcome = run(&remote, &endpoint, &statement, &[]);
    assert_eq!(outcome.texts(), ["1"]);
    assert_eq!(
        outcome.columns[0].as_ref().unwrap()[2].type_oid,
        4_000_000_000
    );
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn broken_start_ups_fail_the_call() {
    let _turn = turn();
    let remote = remote();
    let check_start = |name: &str, bytes: Vec<u8>, more: Vec<u8>, expected: &str| {
        let connstr = scripted::serve(move |mut stream| {
            if read_startup(&mut stream) && stream.write_all(&bytes).is_ok() {
                let mut left = 64 << 20;
                while !more.is_empty() && left > 0 && stream.write_all(&more).is_ok() {
                    left -= more.len().min(left);
                }
                scripted::stay_silent(stream);
            }
        });
        let kind = check(&remote, name, &connstr);
        assert!(kind.to_string().contains(expected), "{name}: {kind:?}");
        assert!(!format!("{kind:?}").contains("sesame"), "{name}: {kind:?}");
    };
    let nothing = Vec::new;
    check_start(
        "text",
        b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec(),
        nothing(),
        "failed: ",
    );
    check_start(
        "fatal",
        complaint(b'E', "FATAL", "53300", "sorry, too many clients already"),
        nothing(),
        "failed: FATAL:  sorry, too many",
    );
    check_start(
        "an unknown method",
        message(b'R', &[0, 0, 0, 99]),
        nothing(),
        "authentication",
    );
    check_start(
        "kerberos",
        message(b'R', &[0, 0, 0, 2]),
        nothing(),
        "Kerberos 5 authentication not supported",
    );
    check_start(
        "an empty mechanism list",
        message(b'R', &[0, 0, 0, 10, 0]),
        nothing(),
        "SASL",
    );
    check_start(
        "notices",
        message(b'R', &[0, 0, 0, 0]),
        complaint(b'N', "NOTICE", "00000", &"x".repeat(9000)),
        "too much before it was ready",
    );
    // What protocol 3.2 has and 3.0, which is asked for, has not.
    check_start(
        "a long cancel key",
        [message(b'R', &[0, 0, 0, 0]), message(b'K', &[7; 4 + 32])].concat(),
        nothing(),
        "failed: ",
    );
    check_start(
        "another protocol",
        [
            message(b'v', &[0, 3, 0, 2, 0, 0, 0, 0]),
            message(b'R', &[0, 0, 0, 0]),
        ]
        .concat(),
        nothing(),
        "failed: ",
    );
    check_start(
        "a promise",
        [message(b'R', &[0, 0, 0, 0]), vec![b'N', 0x3f, 0, 0, 0]].concat(),
        nothing(),
        "impossible length",
    );
    let kind = check(
        &remote,
        "hashing for ever",
        &scripted::serve(|mut stream| {
            let mechanisms = message(b'R', &[&[0, 0, 0, 10][..], b"SCRAM-SHA-256\0\0"].concat());
            if !read_startup(&mut stream) || stream.write_all(&mechanisms).is_err() {
                return;
            }
            let Some(nonce) = scripted::read_nonce(&mut stream) else {
                return;
            };
            let first = format!("r={nonce}more,s=c2FsdHNhbHQ=,i=4000000000");
            let _ = stream.write_all(&message(
                b'R',
                &[&[0, 0, 0, 11][..], first.as_bytes()].concat(),
            ));
            scripted::stay_silent(stream);
        }),
    );
    assert!(
        kind.to_string()
            .contains("iterations of SCRAM, and no more than 100000 are accepted"),
        "{kind:?}"
    );
}
