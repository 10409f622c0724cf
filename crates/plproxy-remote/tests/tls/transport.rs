//! Calls over TLS: cancelling, size, rest, memory.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use plproxy_remote::{CallOptions, Encoding, ErrorKind, Event, Remote, Statement};
use plproxy_test_kit::wait_until;

use crate::harness::*;
use crate::negotiation::answer_and_stay;
use crate::oracle::*;
use crate::relay::{Relay, through};

fn verified() -> String {
    format!(
        "{} sslmode=verify-full sslrootcert={} host=good.test hostaddr=127.0.0.1",
        with_tls("any"),
        file("ca.crt")
    )
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn values_of_every_size() {
    let _turn = turn();
    let remote = remote();
    let server = endpoint(&remote, "server", &verified());
    let echo = Statement::call("select $1::text".into());
    for size in [0, 1, 16_383, 16_384, 16_385, 1 << 20, 64 << 20] {
        let value: String = "0123456789abcdef".chars().cycle().take(size).collect();
        let outcome = run(&remote, &server, &echo, &[text(&value)]);
        assert!(outcome.error.is_none(), "{size}: {:?}", outcome.error);
        assert!(outcome.text() == value, "{size}");
    }
    let rows = Statement::call("select i::text from generate_series(1, 200000) i".into());
    let texts = run(&remote, &server, &rows, &[]).texts();
    assert!(
        texts
            .iter()
            .enumerate()
            .all(|(at, text)| *text == (at + 1).to_string())
    );
    assert_eq!(texts.len(), 200_000);
    assert_eq!(remote.connections().len(), 1);
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn a_cancel_goes_the_same_way() {
    let _turn = turn();
    let remote = Remote::new(|| FLAG.load(SeqCst), Encoding::UTF8).unwrap();
    let (port, seen) = Relay::new("cn").start();
    let connstr = format!(
        "{} sslmode=verify-full sslrootcert={}",
        through(port, "good.test"),
        file("ca.crt")
    );
    let relayed = endpoint(&remote, "relayed", &connstr);
    let plain = endpoint(&remote, "plain", &without_tls());
    let sleep = Statement::call("select 'x'::text from pg_sleep(600) /* over TLS */".into());
    let requests = vec![request(&relayed, &[])];
    let mut call = remote.start(&sleep, requests, &CallOptions::default());
    when_running(without_tls(), "/* over TLS", 1, || FLAG.store(true, SeqCst));
    assert!(matches!(call.next().unwrap(), Event::Interrupted));
    FLAG.store(false, SeqCst);
    call.cancel(HANG);
    assert!(matches!(call.next().unwrap(), Event::Finished));
    drop(call);
    until(&remote, &plain, &running("/* over TLS"), "0");
    assert!(seen.cancels.load(SeqCst) >= 1);
    assert_eq!(seen.plain.load(SeqCst), 0, "a key in plain text");
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn a_server_that_never_stops_talking() {
    let _turn = turn();
    let remote = remote();
    // Notifications, which go to nobody; notices; bytes of TLS without a pause either way.
    let notification: &[u8] = b"A\0\0\0\x0a\0\0\0\x07\0\0";
    let notice: &[u8] = b"N\0\0\0\x1fSNOTICE\0VNOTICE\0C00000\0Mx\0\0";
    for (at, message) in [notification, notice].into_iter().enumerate() {
        let (port, _) = Relay::new("cn").floods(message).start();
        let connstr = format!("{} sslmode=require", through(port, "h"));
        let talker = endpoint(&remote, &at.to_string(), &connstr);
        let options = CallOptions {
            query_timeout: Some(Duration::from_millis(300)),
            ..CallOptions::default()
        };
        let statement = Statement::call("select 'x'::text".into());
        let start = Instant::now();
        let outcome = drain(remote.start(&statement, vec![request(&talker, &[])], &options));
        let error = outcome.error().kind;
        assert!(matches!(error, ErrorKind::QueryTimeout), "{error:?}");
        let mut call = remote.start(
            &statement,
            vec![request(&talker, &[])],
            &CallOptions::default(),
        );
        if at == 1 {
            assert!(matches!(call.next().unwrap(), Event::Notice { .. }));
            call.cancel(Duration::from_millis(200));
        }
        in_time(start);
    }
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn a_large_result_is_cancelled_at_once() {
    let _turn = turn();
    let remote = remote();
    let server = endpoint(&remote, "server", &verified());
    let statement = Statement::call("select generate_series(1, 1000000000000)::text".into());
    let mut call = remote.start(
        &statement,
        vec![request(&server, &[])],
        &CallOptions::default(),
    );
    assert!(matches!(call.next().unwrap(), Event::Rows { .. }));
    let start = Instant::now();
    call.cancel(Duration::from_millis(500));
    in_time(start);
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn a_connection_at_rest() {
    let _turn = turn();
    // This server gives tickets after the handshake, which are no reason to give it up.
    let (port, seen) = Relay::new("cn").start();
    let remote = remote();
    let relayed = endpoint(
        &remote,
        "relayed",
        &format!("{} sslmode=require", through(port, "h")),
    );
    for _ in 0..20 {
        assert_eq!(ask(&remote, &relayed, "select 'in'::text"), "in");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(seen.tls.load(SeqCst), 1);
    // A farewell ends it, within TLS.
    remote.close_all();
    wait_until("the farewell arrives", || seen.farewells.load(SeqCst) == 1);
    let server = endpoint(&remote, "server", &verified());
    let other = endpoint(&remote, "other", &with_tls("postgres"));
    // What a server may say at any time is no reason either, however much of it there is.
    execute(&remote, &server, "listen c");
    let listener = pid(&remote, &server);
    for (count, length) in [(1, 10), (100, 100), (3000, 7000)] {
        execute(
            &remote,
            &other,
            &format!(
                "select pg_notify('c', i || repeat('x', {length})) from generate_series(1, {count}) i"
            ),
        );
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(30));
            assert_eq!(pid(&remote, &server), listener, "{count} times {length}");
        }
    }
    // One that the server has left is replaced before anything is sent on it.
    for _ in 0..10 {
        let pid = pid(&remote, &server);
        execute(
            &remote,
            &other,
            &format!("select pg_terminate_backend({pid}, 60000)"),
        );
        assert_ne!(pid, self::pid(&remote, &server));
    }
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn idle_connections_are_small() {
    let _turn = turn();
    // In a process of its own: memory that other tests gave back would hide some of it, or make it look like more.
    const ALONE: &str = "PLPROXY_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "transport::idle_connections_are_small"])
            .args(["--ignored", "--nocapture"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success(), "{said}");
        return;
    }
    let remote = remote();
    let mut held = Vec::new();
    let mut connect = |count: usize, of: &str, connstr: &str| {
        let before = status("RssAnon");
        for at in 0..count {
            let server = endpoint(&remote, &format!("{of}{at}"), connstr);
            ask(&remote, &server, "select repeat('x', 100000)::text");
            held.push(server.hold());
        }
        (status("RssAnon").saturating_sub(before)) / count as u64
    };
    // What is taken once is not looked at.
    connect(4, "first", &verified());
    let plain = connect(32, "plain", &without_tls());
    let tls = connect(32, "tls", &verified());
    assert_eq!(remote.connections().len(), 68);
    assert!(plain < 32, "{plain} kB plain");
    assert!(tls < plain + 100, "{plain} kB plain, {tls} kB with TLS");
}

static FLAG: AtomicBool = AtomicBool::new(false);

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn an_interrupt_ends_a_handshake() {
    let _turn = turn();
    let remote = Remote::new(|| FLAG.load(SeqCst), Encoding::UTF8).unwrap();
    for (at, answer) in [&b""[..], b"S"].into_iter().enumerate() {
        let port = answer_and_stay(answer);
        let connstr = format!("{} sslmode=require", through(port, "h"));
        let silent = endpoint(&remote, &at.to_string(), &connstr);
        let statement = Statement::call("select 'x'::text".into());
        let mut call = remote.start(
            &statement,
            vec![request(&silent, &[])],
            &CallOptions::default(),
        );
        std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(150));
            FLAG.store(true, SeqCst);
        });
        let start = Instant::now();
        assert!(matches!(call.next().unwrap(), Event::Interrupted));
        in_time(start);
        call.cancel(Duration::from_millis(500));
        FLAG.store(false, SeqCst);
        assert!(matches!(call.next().unwrap(), Event::Finished));
    }
}

/// Looks at the flag until it is raised.
static LOOKS: AtomicI64 = AtomicI64::new(i64::MAX);

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn an_interrupt_at_any_look_leaves_the_connection() {
    let _turn = turn();
    let remote = Remote::new(|| LOOKS.fetch_sub(1, SeqCst) <= 0, Encoding::UTF8).unwrap();
    let server = endpoint(&remote, "server", &verified());
    let pid = pid(&remote, &server);
    let statement = Statement::call("select 'x'::text".into());
    let mut interrupted = Vec::new();
    for looks in 0..100 {
        let requests = vec![request(&server, &[])];
        let mut call = remote.start(&statement, requests, &CallOptions::default());
        LOOKS.store(looks, SeqCst);
        interrupted.push(matches!(call.next().unwrap(), Event::Interrupted));
        LOOKS.store(i64::MAX, SeqCst);
        call.cancel(HANG);
        drop(call);
        assert_eq!(remote.connections().len(), 1, "at look {looks}");
        assert_eq!(pid, self::pid(&remote, &server), "at look {looks}");
    }
    assert_eq!(interrupted.first(), Some(&true));
    assert_eq!(interrupted.last(), Some(&false));
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn nothing_is_left_in_the_process() {
    let _turn = turn();
    let remote = remote();
    let errors = || openssl::error::ErrorStack::get().errors().len();
    for connstr in [
        verified(),
        verified().replace("good.test", "bad.test"),
        verified().replace("ca.crt", "other-ca.crt"),
        verified().replace("ca.crt", "client.key"),
    ] {
        // Somebody else's error must not be taken for ours, and ours must not stay.
        let _ = openssl::x509::X509::from_pem(b"nothing").map_err(|error| error.put());
        let _ = ours(&remote, &connstr, PROTECTION);
        assert_eq!(errors(), 0, "{connstr}");
    }
    assert_eq!(ours(&remote, &verified(), PROTECTION).unwrap(), "TLSv1.3");
}
