//! The way to TLS: what servers may answer, and what they may not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use crate::harness::*;
use crate::oracle::*;
use crate::relay::{Relay, through};

/// A server that lets `script` play each connection; its port.
pub fn play(script: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let script = script.clone();
            std::thread::spawn(move || script(stream));
        }
    });
    port
}

/// Answers the request and says no more.
pub fn answer_and_stay(answer: &'static [u8]) -> u16 {
    play(move |mut stream| {
        let mut request = [0; 8];
        if stream.read_exact(&mut request).is_ok() && stream.write_all(answer).is_ok() {
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
        }
    })
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn wrong_answers() {
    let _turn = turn();
    for (answer, words) in [
        (
            &b"N"[..],
            "server does not support SSL, but SSL was required",
        ),
        (b"X", "received invalid response to SSL negotiation: X"),
        // An error of the server's, whose words nobody vouches for.
        (
            b"E\0\0\0\x1fSFATAL\0C28000\0Mcome on in\0\0",
            "server sent an error response during SSL exchange",
        ),
        // Bytes that somebody puts in, to be taken for the server's after the handshake.
        (
            b"SR\0\0\0\x08\0\0\0\0",
            "received unencrypted data after SSL response",
        ),
    ] {
        let port = answer_and_stay(answer);
        for mode in ["require", "prefer"] {
            if answer == b"N" && mode == "prefer" {
                continue;
            }
            let connstr = format!("{} sslmode={mode}", through(port, "h"));
            // libpq would first end a handshake that never ends, with that one.
            if answer.first() == Some(&b'S') {
                fails(&connstr, words);
            } else {
                both_fail(&connstr, words);
            }
        }
    }
    // Garbage in the place of TLS, and no more bytes.
    let port = play(|mut stream| {
        let mut bytes = [0; 8];
        if stream.read_exact(&mut bytes).is_ok() && stream.write_all(b"S").is_ok() {
            // Not before the client has begun.
            let _ = stream.read_exact(&mut bytes);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    both_fail(
        &format!("{} sslmode=require", through(port, "h")),
        "SSL error: wrong version number\nThis may indicate",
    );
    for (script, words) in [
        (0, "server closed the connection unexpectedly"),
        (1, "SSL SYSCALL error: "),
    ] {
        let port = play(move |mut stream| {
            let mut bytes = [0; 8];
            let _ = stream.read_exact(&mut bytes);
            let _ = stream.write_all(&b"S"[..script]);
            if script == 1 {
                let _ = stream.read(&mut [0; 4096]);
            }
        });
        both_fail(&format!("{} sslmode=require", through(port, "h")), words);
    }
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn the_weak_mode_goes_on_without() {
    let _turn = turn();
    // The handshake fails, and the second attempt, on the same address, asks for nothing.
    let (port, seen) = Relay::new("foreign").start();
    let connstr = format!(
        "{} sslmode=prefer sslrootcert={}",
        through(port, "h"),
        file("ca.crt")
    );
    let error = ours(&remote(), &connstr, PROTECTION).unwrap_err();
    assert!(error.contains("certificate verify failed"), "{error}");
    assert_eq!(error.matches("failed: ").count(), 3, "{error}");
    assert_eq!((seen.plain.load(SeqCst), seen.tls.load(SeqCst)), (1, 0));
    // The strong one does not.
    fails(
        &connstr.replace("prefer", "require"),
        "certificate verify failed",
    );
    assert_eq!((seen.plain.load(SeqCst), seen.tls.load(SeqCst)), (1, 0));
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn direct_negotiation() {
    let _turn = turn();
    let postgresql = Some(&b"\x0apostgresql"[..]);
    let direct = |protocol: Option<&'static [u8]>| {
        let (port, _) = Relay::new("cn").direct(protocol).start();
        format!(
            "{} sslnegotiation=direct sslmode=verify-full sslrootcert={}",
            through(port, "good.test"),
            file("ca.crt")
        )
    };
    assert_eq!(
        ours(&remote(), &direct(postgresql), "select 'in'").unwrap(),
        "in"
    );
    fails(
        &direct(None),
        "direct SSL connection was established without ALPN protocol negotiation extension",
    );
    fails(
        &direct(postgresql).replace("verify-full", "prefer"),
        "weak sslmode \"prefer\" may not be used with sslnegotiation=direct",
    );
    // Servers before PostgreSQL 17 know only the other way.
    let usual = format!("{} sslmode=require", with_tls("any"));
    let direct = format!("{usual} sslnegotiation=direct");
    let query = "select (current_setting('server_version_num')::int >= 170000)::text";
    if ours(&remote(), &usual, query).unwrap() == "true" {
        assert_eq!(ours(&remote(), &direct, query).unwrap(), "true");
    } else {
        fails(&direct, "SSL ");
    }
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn silence_ends_in_time() {
    let _turn = turn();
    for answer in [&b""[..], b"S"] {
        let port = answer_and_stay(answer);
        let connstr = format!("{} sslmode=require connect_timeout=2", through(port, "h"));
        let start = Instant::now();
        fails(&connstr, "timeout expired");
        assert!(start.elapsed() >= Duration::from_millis(1900));
        in_time(start);
    }
}
