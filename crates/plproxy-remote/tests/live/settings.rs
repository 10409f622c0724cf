//! Sessions whose settings leave too little of values as text.

use std::net::TcpStream;
use std::rc::Rc;

use plproxy_remote::{
    CallOptions, Endpoint, Format, Prepared, Remote, Statement, TextRequirements,
};

use crate::harness::*;
use crate::scripted::{self, complaint, described, greet, message, read_round, ready, row};

/// The values, and what the statement got to see.
const SQL: &str = "select 0.1::float8 + 0.2::float8, '2001-10-28 06:30+00'::timestamptz, \
    current_setting('extra_float_digits') || ' ' || current_setting('datestyle')";
const OPTIONS: &str =
    "options='-c extra_float_digits=-3 -c datestyle=German,DMY -c timezone=America/New_York'";
const OWN: &str = "0.3|28.10.2001 01:30:00 EST|-3 German, DMY";

fn statement(digits: bool, zones: bool) -> Rc<Statement> {
    Statement::new(SQL.into(), Format::Text, TextRequirements { digits, zones })
}

/// Runs a statement of ours on an endpoint.
fn seen(
    remote: &Remote,
    endpoint: &Rc<Endpoint>,
    statement: &Rc<Statement>,
    options: &CallOptions,
) -> String {
    let outcome = drain(remote.start(statement, vec![request(endpoint, &[])], options));
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let values = outcome.rows[0].1.iter().flatten();
    let values: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect();
    values.join("|")
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn each_statement_has_what_it_needs_and_no_more() {
    let _turn = turn();
    let connstr = format!("{} {OPTIONS}", server());
    let resets = [
        "select 1",
        "deallocate all",
        "discard temp",
        "reset all",
        "discard all",
    ];
    let resets = resets.map(resetting);
    let modes = [Prepared::Off, Prepared::Auto, Prepared::On].map(prepared);
    for options in modes.iter().chain(&resets) {
        let remote = remote();
        let endpoint = endpoint(&remote, "a", &connstr);
        let cases = [
            (statement(false, false), OWN),
            (
                statement(true, true),
                "0.30000000000000004|2001-10-28 01:30:00-05|1 ISO, DMY",
            ),
            (
                statement(true, false),
                "0.30000000000000004|28.10.2001 01:30:00 EST|1 German, DMY",
            ),
            (
                statement(false, true),
                "0.3|2001-10-28 01:30:00-05|-3 ISO, DMY",
            ),
        ];
        for turn in 0..4 {
            for (statement, expected) in &cases {
                let seen = seen(&remote, &endpoint, statement, options);
                assert_eq!(seen, *expected, "{options:?}, turn {turn}");
            }
        }
        for (statement, expected) in cases.iter().rev() {
            for turn in 0..3 {
                let seen = seen(&remote, &endpoint, statement, options);
                assert_eq!(seen, *expected, "{options:?}, turn {turn}");
            }
        }
        assert_eq!(remote.connections().len(), 1);
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn what_a_reset_sets_is_left_alone() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &format!("{} {OPTIONS}", server()));
    let options = resetting("reset all; set extra_float_digits = 2");
    let seen = |digits| seen(&remote, &endpoint, &statement(digits, false), &options);
    let own = "0.30000000000000004|28.10.2001 01:30:00 EST|2 German, DMY";
    seen(true);
    for digits in [false, false, true, false, true, true, false] {
        assert_eq!(seen(digits), own);
    }
    assert_eq!(remote.connections().len(), 1);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn an_error_leaves_what_is_known_right() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &format!("{} {OPTIONS}", server()));
    let needs = TextRequirements {
        digits: true,
        zones: true,
    };
    let fails = Statement::new("select 1 / 0".into(), Format::Text, needs);
    for _ in 0..3 {
        let diagnostic = run(&remote, &endpoint, &fails, &[]).diagnostic();
        assert_eq!(diagnostic.sqlstate(), "22012");
        for (statement, expected) in [
            (
                statement(true, false),
                "0.30000000000000004|28.10.2001 01:30:00 EST|1 German, DMY",
            ),
            (statement(false, false), OWN),
        ] {
            assert_eq!(
                seen(&remote, &endpoint, &statement, &CallOptions::default()),
                expected
            );
        }
    }
    assert_eq!(remote.connections().len(), 1);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn sessions_behind_a_pooler_are_left_alone() {
    let _turn = turn();
    let remote = remote();
    let relay = scripted::relay_with_other_process_id();
    let relay = endpoint(&remote, "relay", &format!("{relay} {OPTIONS}"));
    for options in [Prepared::Auto, Prepared::On].map(prepared) {
        for _ in 0..3 {
            assert_eq!(seen(&remote, &relay, &statement(true, true), &options), OWN);
        }
    }
    assert_eq!(remote.connections().len(), 1);
}

/// The answer of a session whose settings are good to the question for them.
fn good_settings() -> Vec<u8> {
    let columns = described(5, 25);
    // The last message of those: a simple query has no others.
    let description = &columns[columns.iter().position(|byte| *byte == b'T').unwrap()..];
    let mut values = row(&[b"77", b"1"]);
    // Three more values, NULL.
    values[6] += 3;
    values.extend_from_slice(&[0xff; 12]);
    let length = (values.len() as u32 - 1).to_be_bytes();
    values[1..5].copy_from_slice(&length);
    [
        description,
        &values,
        &message(b'C', b"SELECT 1\0"),
        &ready(),
    ]
    .concat()
}

/// The answer to a statement with one column.
fn one_row() -> Vec<u8> {
    let end = message(b'C', b"SELECT 1\0");
    [
        scripted::described_in(0, 1, 25),
        row(&[b"0.5"]),
        end,
        ready(),
    ]
    .concat()
}

/// Runs a statement that needs all digits three times against a server played by `script`.
fn check(script: impl Fn(TcpStream) + Send + Sync + Clone + 'static) {
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &scripted::serve(script));
    let statement = statement(true, false);
    for _ in 0..3 {
        assert_eq!(seen(&remote, &endpoint, &statement, &unprepared()), "0.5");
    }
    assert_eq!(remote.connections().len(), 1);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn good_settings_are_asked_for_once_and_in_the_same_flight() {
    let _turn = turn();
    check(|mut stream| {
        use std::io::Write;
        // Nothing is answered before both are here.
        if greet(&mut stream) && read_round(&mut stream) && read_round(&mut stream) {
            let _ = stream.write_all(&[good_settings(), one_row()].concat());
            while read_round(&mut stream) && stream.write_all(&one_row()).is_ok() {}
        }
    });
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_server_that_refuses_the_question_is_not_asked_again() {
    let _turn = turn();
    check(|mut stream| {
        use std::io::Write;
        let refusal = complaint(b'E', "ERROR", "42883", "no such function");
        if greet(&mut stream) && read_round(&mut stream) && read_round(&mut stream) {
            let _ = stream.write_all(&[refusal, ready(), one_row()].concat());
            while read_round(&mut stream) && stream.write_all(&one_row()).is_ok() {}
        }
    });
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_change_of_the_server_s_configuration_does_not_change_how_dates_come() {
    let _turn = turn();
    let remote = remote();
    let admin = endpoint(&remote, "admin", &server());
    let kept = endpoint(
        &remote,
        "kept",
        &format!("{} application_name=kept", server()),
    );
    let wanted = statement(false, true);
    let value = |seen: String| seen.split('|').nth(1).map(str::to_owned);
    // Its session is there before the change.
    let before = value(seen(&remote, &kept, &wanted, &CallOptions::default()));
    assert!(
        before
            .as_deref()
            .is_some_and(|value| value.starts_with("2001-10-28")),
        "{before:?}"
    );
    execute(&remote, &admin, "alter system set datestyle = 'SQL, DMY'");
    execute(&remote, &admin, "select pg_reload_conf()");
    // A session that is not ours alone has it.
    let plain = statement(false, false);
    let fresh = || {
        let other = new_remote();
        let endpoint = endpoint(&other, "fresh", &server());
        seen(&other, &endpoint, &plain, &CallOptions::default())
    };
    let changed = wait_until(|| fresh().ends_with("SQL, DMY"));
    let after = value(seen(&remote, &kept, &wanted, &CallOptions::default()));
    let again = value(seen(&remote, &kept, &wanted, &CallOptions::default()));
    execute(&remote, &admin, "alter system reset datestyle");
    execute(&remote, &admin, "select pg_reload_conf()");
    let back = wait_until(|| !fresh().ends_with("SQL, DMY"));
    assert!(changed && back);
    assert_eq!((&after, &again), (&before, &before));
}

fn new_remote() -> Remote {
    remote()
}

/// Whether it comes to that within a minute.
fn wait_until(mut condition: impl FnMut() -> bool) -> bool {
    let begun = std::time::Instant::now();
    while !condition() {
        if begun.elapsed().as_secs() > 60 {
            return false;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    true
}
