//! Text in UTF-8, and bytes as they are.

use std::rc::Rc;

use plproxy_remote::{Encoding, Endpoint, ErrorKind, Param, Remote, Statement};

use crate::harness::*;

/// Not UTF-8; in LATIN1 it says `å` and `ÿ`.
const BYTES: &[u8] = b"\xe5-\xff";

/// A database of that encoding on the server, made anew, and its connection string.
fn database(encoding: &str) -> String {
    let remote = remote();
    let endpoint = endpoint(&remote, "maker", &server());
    let name = format!("encoding_{}", encoding.to_ascii_lowercase());
    execute(
        &remote,
        &endpoint,
        &format!("drop database if exists {name} with (force)"),
    );
    execute(
        &remote,
        &endpoint,
        &format!("create database {name} template template0 encoding '{encoding}' locale 'C'"),
    );
    format!("{} dbname={name}", server())
}

fn raw() -> Remote {
    Remote::new(|| false, Encoding::SQL_ASCII).unwrap()
}

/// The statement's one value for a parameter of these bytes, in every form it may be run in.
fn check(
    remote: &Remote,
    endpoint: &Rc<Endpoint>,
    statement: &Rc<Statement>,
    given: &[u8],
    expected: &[u8],
) {
    for param in [Param::Text(given.to_vec()), Param::Binary(given.to_vec())] {
        for turn in 0..4 {
            let outcome = run(remote, endpoint, statement, std::slice::from_ref(&param));
            let sql = statement.sql();
            assert!(outcome.error.is_none(), "{sql}: {:?}", outcome.error);
            let value = outcome.rows[0].1[0].as_deref();
            assert_eq!(value, Some(expected), "{sql}, turn {turn}");
        }
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn raw_bytes_pass_as_they_are() {
    let _turn = turn();
    for encoding in ["SQL_ASCII", "LATIN1"] {
        let connstr = database(encoding);
        let remote = raw();
        let raw = endpoint(&remote, "a", &connstr);
        assert_eq!(ask(&remote, &raw, "show client_encoding"), "SQL_ASCII");
        let echo = "select $1::text";
        check(&remote, &raw, &Statement::call(echo.into()), BYTES, BYTES);
        check(&remote, &raw, &Statement::select(echo.into()), BYTES, BYTES);
        check(&remote, &raw, &Statement::select(echo.into()), BYTES, BYTES);
        let hex = Statement::call("select encode(textsend($1::text), 'hex')".into());
        check(&remote, &raw, &hex, BYTES, b"e52dff");
        let large = BYTES.repeat(100_000);
        check(
            &remote,
            &raw,
            &Statement::select(echo.into()),
            &large,
            &large,
        );
        assert_eq!(remote.connections().len(), 1, "{encoding}");
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn what_is_not_utf8_breaks_nothing() {
    let _turn = turn();
    for encoding in ["SQL_ASCII", "LATIN1"] {
        let connstr = database(encoding);
        let remote = raw();
        let endpoint = endpoint(&remote, "a", &connstr);
        let before = pid(&remote, &endpoint);
        execute(
            &remote,
            &endpoint,
            "do $f$ declare name text := convert_from('\\xe52dff', getdatabaseencoding()); begin \
             execute format('create temp view odd as select 1 as %I, 2 as \"längs\"', name); \
             execute format('create function pg_temp.tell() returns text language plpgsql as $g$ begin \
             raise notice ''told %%'', %L; perform pg_notify(''c'', %L); \
             raise exception using message = %L, detail = %L; end $g$', name, name, name, name); \
             listen c; end $f$",
        );
        for statement in [
            Statement::select("select * from odd".into()),
            Statement::select("select * from odd".into()),
        ] {
            for turn in 0..5 {
                let outcome = run(&remote, &endpoint, &statement, &[]);
                assert!(outcome.error.is_none(), "{turn}: {:?}", outcome.error);
                let columns = outcome.columns[0].as_ref().unwrap();
                let names: Vec<&[u8]> = columns.iter().map(|column| &*column.name).collect();
                assert_eq!(
                    names,
                    [BYTES, "längs".as_bytes()],
                    "{encoding}, turn {turn}"
                );
                assert_eq!(outcome.rows[0].1.len(), 2);
            }
        }
        let tell = Statement::call("select pg_temp.tell()::text".into());
        for _ in 0..4 {
            let outcome = run(&remote, &endpoint, &tell, &[]);
            let kept = plproxy_core::database_text::from_bytes(BYTES);
            assert_eq!(outcome.notices[0].message, format!("told {kept}"));
            let diagnostic = outcome.diagnostic();
            assert_eq!(diagnostic.message, kept);
            assert_eq!(diagnostic.sqlstate(), "P0001");
        }
        let notify = "select pg_notify('c', convert_from('\\xe5', getdatabaseencoding()))::text";
        assert_eq!(ask(&remote, &endpoint, notify), "");
        assert_eq!(pid(&remote, &endpoint), before, "{encoding}");
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn utf8_is_converted_and_checked() {
    let _turn = turn();
    let latin1 = database("LATIN1");
    let remote = remote();
    let latin1 = endpoint(&remote, "latin1", &latin1);
    let hex = Statement::select("select encode(convert_to($1::text, 'LATIN1'), 'hex')".into());
    check(&remote, &latin1, &hex, "å-ÿ".as_bytes(), b"e52dff");
    let echo = Statement::select("select $1::text as \"å\"".into());
    check(&remote, &latin1, &echo, "å-ÿ".as_bytes(), "å-ÿ".as_bytes());
    assert_eq!(run(&remote, &latin1, &echo, &[text("")]).names(), ["å"]);
    let refused = run(&remote, &latin1, &echo, &[Param::Text(BYTES.to_vec())]).diagnostic();
    assert_eq!(refused.sqlstate(), "22021");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_session_that_speaks_otherwise_is_not_used_again() {
    let _turn = turn();
    for (agreed, kept, other) in [
        (Encoding::UTF8, "UTF8", "SQL_ASCII"),
        (Encoding::SQL_ASCII, "SQL_ASCII", "UTF8"),
    ] {
        let remote = Remote::new(|| false, agreed).unwrap();
        let endpoint = endpoint(&remote, "a", &server());
        let before = pid(&remote, &endpoint);
        execute(
            &remote,
            &endpoint,
            &format!("set client_encoding = '{kept}'"),
        );
        assert_eq!(pid(&remote, &endpoint), before);
        execute(
            &remote,
            &endpoint,
            &format!("set client_encoding = '{other}'"),
        );
        assert_ne!(pid(&remote, &endpoint), before);
        assert_eq!(ask(&remote, &endpoint, "show client_encoding"), kept);
        // Back to what the start-up asked for, which is not what was agreed on after it.
        execute(&remote, &endpoint, "reset all");
        assert_eq!(ask(&remote, &endpoint, "show client_encoding"), kept);
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn no_text_is_taken_from_a_statement_that_changes_the_encoding() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    // At the row of that number.
    let changing = |row: u32, rows: u32, value: &str| {
        format!(
            "select case when n <> {row} or set_config('client_encoding', 'LATIN1', false) <> '' \
             then {value} end from generate_series(1, {rows}) n"
        )
    };
    for make in [Statement::select, Statement::call] {
        // ASCII and what is no text are the same.
        for value in ["'plain'::text", "-1::int8", "array['a', 'b']"] {
            let before = pid(&remote, &endpoint);
            let outcome = run(&remote, &endpoint, &make(changing(1, 1, value)), &[]);
            assert!(outcome.error.is_none(), "{value}: {:?}", outcome.error);
            assert_ne!(pid(&remote, &endpoint), before, "{value}");
        }
        let many = "case when n % 100 = 7 then '\u{c3}\u{a9}' else repeat('x', 100) end";
        for (row, rows, value) in [
            (1, 1, "'\u{c3}\u{a9}'::text"),
            (1, 1, "array['\u{c3}\u{a9}']"),
            // Rows are handed out before.
            (1, 50_000, many),
            (50_000, 50_000, many),
        ] {
            let before = pid(&remote, &endpoint);
            let outcome = run(&remote, &endpoint, &make(changing(row, rows, value)), &[]);
            let is_told = matches!(
                &outcome.error,
                Some(error) if matches!(&error.kind, ErrorKind::Unsupported(words)
                    if words.contains("client_encoding"))
            );
            assert!(is_told, "{row} of {rows}, {value}: {:?}", outcome.error);
            assert_ne!(pid(&remote, &endpoint), before, "{value}");
        }
        assert_eq!(ask(&remote, &endpoint, "select 'é'"), "é");
    }
}
