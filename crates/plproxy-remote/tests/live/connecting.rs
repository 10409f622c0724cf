//! Connection strings, authentication, and what is said when no connection can be made.

use plproxy_remote::{CallOptions, ErrorKind, Remote, Statement};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};

use crate::harness::*;
use crate::scripted;

fn failure(remote: &Remote, connstr: &str) -> ErrorKind {
    let endpoint = endpoint(remote, connstr, connstr);
    let statement = Statement::call("select 1".into());
    let outcome = run(remote, &endpoint, &statement, &[]);
    let kind = outcome.error().kind;
    for shown in [
        kind.to_string(),
        format!("{kind:?}"),
        format!("{endpoint:?}"),
    ] {
        assert!(
            !shown.contains("sesame") && !shown.contains("wrong-word"),
            "a secret shows: {shown}"
        );
    }
    kind
}

/// A port on which nobody listens.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// The test server's words with something else said.
fn server_with(words: &str) -> String {
    format!("{} {words}", server())
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn refusals_are_told_in_libpqs_words() {
    let _turn = turn();
    let remote = remote();
    let port = free_port();
    let hint = "\n\tIs the server running on that host and accepting TCP/IP connections?";
    let check = |connstr: &str, expected: &str| {
        let kind = failure(&remote, connstr);
        assert!(matches!(kind, ErrorKind::Connect { .. }), "{kind:?}");
        assert_eq!(kind.to_string(), expected);
    };
    check(
        &format!("host=127.0.0.1 port={port} user=u password=sesame"),
        &format!(
            "connection to server at \"127.0.0.1\", port {port} failed: Connection refused{hint}"
        ),
    );
    check(
        &format!("host=one,two hostaddr=127.0.0.1,127.0.0.2 port={port} user=u"),
        &format!(
            "connection to server at \"127.0.0.1\", port {port} failed: Connection refused{hint}\n\
             connection to server at \"127.0.0.2\", port {port} failed: Connection refused{hint}"
        ),
    );
    check(
        "host=/nowhere port=5432 user=u",
        "connection to server on socket \"/nowhere/.s.PGSQL.5432\" failed: No such file or directory\
         \n\tIs the server running locally and accepting connections on that socket?",
    );
    let kind = failure(&remote, "host=no-such-host.invalid user=u");
    assert!(matches!(kind, ErrorKind::Resolve { .. }), "{kind:?}");
    assert!(
        kind.to_string()
            .starts_with("could not translate host name \"no-such-host.invalid\" to address: "),
        "{kind}"
    );
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_host_that_does_not_answer_is_passed_over() {
    let _turn = turn();
    let remote = remote();
    let port = free_port();
    let real = server_with("");
    let real_port = real
        .split_whitespace()
        .find_map(|word| word.strip_prefix("port="))
        .unwrap()
        .to_owned();
    let connstr = server_with(&format!(
        "host=127.0.0.1,no-such-host.invalid,localhost port={port},1,{real_port}"
    ));
    let found = endpoint(&remote, "hosts", &connstr);
    assert_eq!(ask(&remote, &found, "select 'found'::text"), "found");
    assert_eq!(remote.connections()[0].host, "localhost");
    let silent = scripted::serve(scripted::stay_silent);
    let silent_port = silent
        .split_whitespace()
        .find_map(|word| word.strip_prefix("port="))
        .unwrap()
        .to_owned();
    let connstr = server_with(&format!(
        "host=127.0.0.1,127.0.0.1 port={silent_port},{real_port} connect_timeout=2"
    ));
    let found = endpoint(&remote, "silent", &connstr);
    let start = std::time::Instant::now();
    assert_eq!(ask(&remote, &found, "select 'found'::text"), "found");
    assert!(start.elapsed() >= std::time::Duration::from_millis(1900));
    in_time(start);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn the_session_must_be_as_wanted() {
    let _turn = turn();
    let remote = remote();
    let works = |attributes: &str| {
        let connstr = server_with(&format!("target_session_attrs={attributes}"));
        assert_eq!(
            ask(
                &remote,
                &endpoint(&remote, attributes, &connstr),
                "select 'fine'::text"
            ),
            "fine"
        );
    };
    let fails = |words: &str, expected: &str| {
        let kind = failure(&remote, &server_with(words));
        assert!(kind.to_string().ends_with(expected), "{kind}");
    };
    ["any", "read-write", "primary", "prefer-standby"]
        .into_iter()
        .for_each(works);
    fails(
        "target_session_attrs=standby",
        "failed: server is not in hot standby mode",
    );
    fails(
        "target_session_attrs=read-only",
        "failed: session is not read-only",
    );
    fails(
        "target_session_attrs=read-write options='-c default_transaction_read_only=on'",
        "failed: session is read-only",
    );
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER and its roles scram and md5"]
fn passwords_open_and_do_not_show() {
    let _turn = turn();
    let remote = remote();
    for role in ["scram", "md5"] {
        let right = endpoint(
            &remote,
            role,
            &server_with(&format!("user={role} password=sesame")),
        );
        assert_eq!(ask(&remote, &right, "select current_user::text"), role);
        let kind = failure(
            &remote,
            &server_with(&format!("user={role} password=wrong-word")),
        );
        let ErrorKind::Connect {
            message,
            diagnostic: Some(diagnostic),
        } = kind
        else {
            panic!("{kind:?}")
        };
        assert_eq!(diagnostic.sqlstate(), "28P01");
        let expected =
            format!("failed: FATAL:  password authentication failed for user \"{role}\"");
        assert!(message.ends_with(&expected), "{message}");
        let kind = failure(&remote, &server_with(&format!("user={role}")));
        assert!(
            kind.to_string()
                .ends_with("failed: fe_sendauth: no password supplied"),
            "{kind}"
        );
    }
    let kind = failure(
        &remote,
        &server_with("user=md5 password=sesame require_auth=scram-sha-256"),
    );
    assert!(
        kind.to_string()
            .contains("server requested a hashed password"),
        "{kind}"
    );
    let kind = failure(&remote, &server_with("require_auth=scram-sha-256"));
    assert!(
        kind.to_string()
            .contains("server did not complete authentication"),
        "{kind}"
    );
    let scram = server_with("user=scram password=sesame require_auth=scram-sha-256");
    assert_eq!(
        ask(
            &remote,
            &endpoint(&remote, "required", &scram),
            "select current_user::text"
        ),
        "scram"
    );
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER, which must listen on a Unix socket"]
fn unix_sockets_work() {
    let _turn = turn();
    let remote = remote();
    let tcp = endpoint(&remote, "tcp", &server());
    let directory = ask(
        &remote,
        &tcp,
        "select split_part(setting, ',', 1) from pg_settings where name = 'unix_socket_directories'",
    );
    let unix = endpoint(
        &remote,
        "unix",
        &server_with(&format!("host={} sslmode=verify-full", directory.trim())),
    );
    for _ in 0..5 {
        assert_eq!(
            ask(
                &remote,
                &unix,
                "select coalesce(inet_client_addr()::text, 'local')"
            ),
            "local"
        );
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn encryption_that_cannot_be_had_is_refused() {
    let _turn = turn();
    let remote = remote();
    for mode in ["disable", "allow", "prefer"] {
        let weak = endpoint(&remote, mode, &server_with(&format!("sslmode={mode}")));
        assert_eq!(ask(&remote, &weak, "select 'plain'::text"), "plain");
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        let kind = failure(&remote, &server_with(&format!("sslmode={mode}")));
        assert!(matches!(kind, ErrorKind::Connect { .. }), "{kind:?}");
        assert!(
            kind.to_string()
                .ends_with("failed: server does not support SSL, but SSL was required"),
            "{kind}"
        );
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn sessions_are_named_and_set() {
    let _turn = turn();
    let remote = remote();
    let check = |words: &str, setting: &str, expected: &str| {
        let endpoint = endpoint(&remote, words, &server_with(words));
        let value = ask(
            &remote,
            &endpoint,
            &format!("select current_setting('{setting}')::text"),
        );
        assert_eq!(value, expected, "{words}");
    };
    check("", "application_name", "plproxy");
    check(
        "fallback_application_name=fallback",
        "application_name",
        "fallback",
    );
    check(
        "application_name=mine fallback_application_name=fallback",
        "application_name",
        "mine",
    );
    for options in [
        "-c application_name=named",
        "-capplication_name=named",
        "--application-name=named",
        "-c Application_Name=named",
    ] {
        check(&format!("options='{options}'"), "application_name", "named");
    }
    check(
        "options='-c application_name=named' application_name=mine",
        "application_name",
        "mine",
    );
    check("options='-c work_mem=123kB'", "work_mem", "123kB");
    check("options='-c work_mem=123kB'", "application_name", "plproxy");
    check("", "client_encoding", "UTF8");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn old_connections_are_replaced() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let statement = Statement::call("select pg_backend_pid()::text".into());
    let lifetime = std::time::Duration::from_secs(1);
    let options = CallOptions {
        connection_lifetime: Some(lifetime),
        ..CallOptions::default()
    };
    let pid = || drain(remote.start(&statement, vec![request(&endpoint, &[])], &options)).text();
    // Not before its time, which may be over on a busy machine; the time is kept give or take a tenth.
    let first = loop {
        remote.close_all();
        let start = std::time::Instant::now();
        let (first, second) = (pid(), pid());
        if start.elapsed() < lifetime * 9 / 10 {
            assert_eq!(second, first);
            break first;
        }
    };
    std::thread::sleep(lifetime * 12 / 10);
    assert_ne!(pid(), first);
    assert_eq!(remote.connections().len(), 1);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_full_queue_of_a_unix_socket_is_waited_for() {
    let _turn = turn();
    let remote = remote();
    let directory = std::env::temp_dir().join(format!("plproxy-queue-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join(".s.PGSQL.1");
    let _ = std::fs::remove_file(&path);
    let unix = |flags| socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    let address = SocketAddrUnix::new(&path).unwrap();
    let listener = unix(SocketFlags::empty());
    bind(&listener, &address).unwrap();
    listen(&listener, 0).unwrap();
    let mut queued = Vec::new();
    loop {
        let filler = unix(SocketFlags::NONBLOCK);
        if connect(&filler, &address).is_err() {
            break;
        }
        queued.push(filler);
    }
    let connstr = format!("host={} port=1 user=u dbname=d", directory.display());
    let full = endpoint(&remote, "full", &connstr);
    let statement = Statement::call("select 'x'::text".into());
    let options = CallOptions {
        connect_timeout: Some(std::time::Duration::from_millis(300)),
        ..CallOptions::default()
    };
    let start = std::time::Instant::now();
    let kind = drain(remote.start(&statement, vec![request(&full, &[])], &options))
        .error()
        .kind;
    assert!(matches!(kind, ErrorKind::ConnectTimeout { .. }), "{kind:?}");
    assert!(
        kind.to_string().ends_with("failed: timeout expired"),
        "{kind}"
    );
    assert!(start.elapsed() >= std::time::Duration::from_millis(300));
    // Room is made while somebody waits for it.
    let server = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        drop(queued);
        loop {
            let stream = rustix::net::accept(&listener).unwrap();
            if scripted::play_unix(stream.into()) {
                return;
            }
        }
    });
    assert_eq!(ask(&remote, &full, "select 'x'::text"), "x");
    server.join().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_server_that_cannot_fork_is_quoted() {
    use std::io::Write;

    let _turn = turn();
    let remote = remote();
    let words = "could not fork new process for connection: Resource temporarily unavailable";
    let connstr = scripted::serve(move |mut stream| {
        // As the postmaster does: it reads nothing.
        let _ = stream.write_all(format!("E{words}\n\0").as_bytes());
    });
    let kind = failure(&remote, &connstr);
    assert!(matches!(kind, ErrorKind::Connect { .. }), "{kind:?}");
    assert!(
        kind.to_string().ends_with(&format!("failed: {words}")),
        "{kind}"
    );
    let kind = failure(
        &remote,
        &connstr.replace("sslmode=disable", "sslmode=prefer"),
    );
    let during = "server sent an error response during SSL exchange";
    assert!(
        kind.to_string()
            .ends_with(&format!("failed: {during}: {words}")),
        "{kind}"
    );
    let kind = failure(
        &remote,
        &connstr.replace("sslmode=disable", "sslmode=require"),
    );
    assert!(
        kind.to_string().ends_with(&format!("failed: {during}")),
        "{kind}"
    );
}
