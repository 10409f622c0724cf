//! Statements of any columns: text results, until and unless binary says as much.

use std::rc::Rc;

use plproxy_remote::{CallOptions, Endpoint, Format, Param, Remote, Statement};

use crate::harness::*;
use crate::scripted;

/// Types of all sorts, in the connection's own schema.
const TYPES: &str = "do $$ begin \
     create type pg_temp.mood as enum ('sad', 'happy'); \
     create type pg_temp.pair as (a int, b text); \
     create domain pg_temp.even as int check (value % 2 = 0); end $$";

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn an_error_shows_the_statement_as_it_was_given() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let check = |sql: &str| {
        // What the server says of the same text where SQL prepares it.
        let before = "prepare same(int, text) as ";
        let same = Statement::select(format!("{before}{sql}"));
        let same = run(&remote, &endpoint, &same, &[]).diagnostic();
        let position = same.position.unwrap() - u32::try_from(before.len()).unwrap();
        let statement = Statement::select(sql.into());
        for _ in 0..4 {
            let params = [text("7"), text("ä'\\")];
            let diagnostic = run(&remote, &endpoint, &statement, &params).diagnostic();
            assert_eq!(diagnostic.message, same.message, "{sql}");
            assert_eq!(diagnostic.code, same.code, "{sql}");
            assert_eq!(diagnostic.position, Some(position), "{sql}");
        }
    };
    check("select $1::int4 from where $2::text");
    check("select $1::int4, $2::text from no_such_table");
    check("select ($1::int4) $2::text");
    check("select 'längs', $2::text || nothing, $1::int4");
    check("select $1::int4 + $2::text");
    let statement = Statement::select("select $1::int4 $2::text".into());
    let diagnostic = run(&remote, &endpoint, &statement, &[text("1"), text("2")]).diagnostic();
    assert_eq!(diagnostic.message, "syntax error at or near \"$2\"");
    let two = Statement::select("select 1; select 2".into());
    let diagnostic = run(&remote, &endpoint, &two, &[]).diagnostic();
    assert_eq!(diagnostic.sqlstate(), "42601");
    assert_eq!(ask(&remote, &endpoint, "select 'well'::text"), "well");
    assert_eq!(remote.connections().len(), 1);
}

/// Runs a statement six times and looks at the values and their forms.
fn check(
    remote: &Remote,
    endpoint: &Rc<Endpoint>,
    statement: &Rc<Statement>,
    values: &[Option<&str>],
) {
    let sql = statement.sql();
    for turn in 0..6 {
        let outcome = run(remote, endpoint, statement, &[]);
        assert!(outcome.error.is_none(), "{sql}: {:?}", outcome.error);
        assert_eq!(outcome.formats, [Format::Text.into()], "{sql}, turn {turn}");
        let values: Vec<_> = values
            .iter()
            .map(|value| value.map(|value| value.as_bytes().to_vec()))
            .collect();
        assert_eq!(outcome.rows, [(0, values)], "{sql}, turn {turn}");
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn types_of_any_sort_come_as_text_and_are_not_looked_up() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    execute(&remote, &endpoint, TYPES);
    let all = "'happy'::pg_temp.mood, row(1, 'x y')::pg_temp.pair, \
         array[row(1, 'x')::pg_temp.pair, null], 4::pg_temp.even, '{\"a\": [1]}'::json, 'int4'::regtype, \
         array['sad']::pg_temp.mood[], '1.50'::money, '[1,3)'::int4range, null::pg_temp.mood, null::int, ''";
    let values = [
        Some("happy"),
        Some("(1,\"x y\")"),
        Some("{\"(1,x)\",NULL}"),
        Some("4"),
        Some("{\"a\": [1]}"),
        Some("integer"),
        Some("{sad}"),
        Some("$1.50"),
        Some("[1,3)"),
        None,
        None,
        Some(""),
    ];
    // A view, as a text with constants is not prepared.
    let all =
        format!("create temp view \"all\" (a, b, c, d, e, f, g, h, i, j, k, l) as select {all}");
    execute(&remote, &endpoint, &all);
    let plain = "create temp view plain (a, b, c) as select 'plain', '{\"a\":1}'::json, null::int";
    execute(&remote, &endpoint, plain);
    let statement = Statement::select("select * from pg_temp.all".into());
    let settings = "set lc_monetary = 'C'";
    execute(&remote, &endpoint, settings);
    check(&remote, &endpoint, &statement, &values);
    let count = || {
        let sql = "select count(*)::text from pg_prepared_statements";
        ask(&remote, &endpoint, sql)
    };
    assert_eq!(count(), "1", "prepared once, and no types asked for");
    let plain = Statement::select("select * from pg_temp.plain".into());
    let values = [Some("plain"), Some("{\"a\":1}"), None];
    check(&remote, &endpoint, &plain, &values);
    assert_eq!(count(), "2");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn parameters_may_be_binary() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    execute(&remote, &endpoint, TYPES);
    let sql = "select $1::int4 + 1, $2::bytea, $3::pg_temp.mood, $4::int4, $1::int4";
    for statement in [Statement::select(sql.into()), Statement::select(sql.into())] {
        for _ in 0..5 {
            let params = [
                Param::Binary(vec![0, 0, 0, 41]),
                Param::Binary(vec![0, 255, 92]),
                text("sad"),
                Param::Null,
            ];
            let outcome = run(&remote, &endpoint, &statement, &params);
            assert!(outcome.error.is_none(), "{:?}", outcome.error);
            let value = |text: &str| Some(text.as_bytes().to_vec());
            let expected = vec![
                value("42"),
                value("\\x00ff5c"),
                value("sad"),
                None,
                value("41"),
            ];
            assert_eq!(outcome.rows, [(0, expected)]);
        }
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn large_parameters_go_along_with_text_results() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    execute(&remote, &endpoint, TYPES);
    // Text for ever, as nothing else can be had of this type.
    let sql = "select md5($1::bytea), length($2::text), $3::pg_temp.mood, $4::text";
    let statement = Statement::select(sql.into());
    for _ in 0..5 {
        for size in [10, 262_143, 262_144, 3_000_000] {
            let params = [
                Param::Binary(vec![b'x'; size]),
                Param::Text(vec![b'y'; size]),
                text("happy"),
                Param::Text(vec![b'z'; size]),
            ];
            let outcome = run(&remote, &endpoint, &statement, &params);
            assert!(outcome.error.is_none(), "{:?}", outcome.error);
            assert_eq!(outcome.formats, [Format::Text.into()]);
            let sql = format!("select md5(repeat('x', {size})::bytea)");
            let md5 = ask(&remote, &endpoint, &sql);
            let (_, row) = &outcome.rows[0];
            assert_eq!(row[0].as_deref(), Some(md5.as_bytes()));
            assert_eq!(row[1].as_deref(), Some(size.to_string().as_bytes()));
            assert_eq!(row[2].as_deref(), Some(&b"happy"[..]));
            assert!(row[3].as_deref() == Some(&vec![b'z'; size][..]));
            // What does not run leaves nothing behind for the next.
            let mut refused = params.clone();
            refused[2] = text("neither");
            let diagnostic = run(&remote, &endpoint, &statement, &refused).diagnostic();
            assert_eq!(diagnostic.sqlstate(), "22P02");
            assert_eq!(ask(&remote, &endpoint, "select 'well'::text"), "well");
        }
    }
    assert_eq!(remote.connections().len(), 1);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn changed_types_are_seen_at_once() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    execute(&remote, &endpoint, TYPES);
    execute(
        &remote,
        &endpoint,
        "create temp table t as select 1 as a, row(1, 'x')::pg_temp.pair as p",
    );
    let select = Statement::select("select a from t".into());
    let whole = Statement::select("select p from t".into());
    let see = |statement: &Rc<Statement>, expected: &str| {
        for turn in 0..5 {
            let outcome = run(&remote, &endpoint, statement, &[]);
            assert!(outcome.error.is_none(), "{turn}: {:?}", outcome.error);
            assert_eq!(outcome.text(), expected, "{turn}");
        }
    };
    see(&select, "1");
    see(&whole, "(1,x)");
    for (ddl, value) in [
        ("alter table t alter a type pg_temp.mood using 'sad'", "sad"),
        (
            "alter type pg_temp.mood rename value 'sad' to 'blue'",
            "blue",
        ),
        ("alter table t alter a type text using 'a word'", "a word"),
        ("alter table t alter a type int using 2", "2"),
        ("alter table t alter a type pg_temp.even", "2"),
    ] {
        execute(&remote, &endpoint, ddl);
        see(&select, value);
    }
    execute(
        &remote,
        &endpoint,
        "alter type pg_temp.pair add attribute c int",
    );
    see(&whole, "(1,x,)");
    assert_eq!(remote.connections().len(), 1);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn unprepared_ones_stay_text() {
    let _turn = turn();
    let remote = remote();
    let direct = endpoint(&remote, "direct", &server());
    let relay = endpoint(&remote, "relay", &scripted::relay_with_other_process_id());
    let statement = Statement::select("select $1::int4, null::text".into());
    let off = unprepared();
    for (endpoint, options) in [(&direct, off), (&relay, CallOptions::default())] {
        for _ in 0..6 {
            let request = request(endpoint, &[Param::Binary(vec![0, 0, 0, 7])]);
            let outcome = drain(remote.start(&statement, vec![request], &options));
            assert_eq!(outcome.formats, [Format::Text.into()]);
            assert_eq!(outcome.rows, [(0, vec![Some(b"7".to_vec()), None])]);
        }
        let count = "select count(*)::text from pg_prepared_statements";
        assert_eq!(ask(&remote, endpoint, count), "0");
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn what_gives_no_rows_has_no_columns() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    execute(&remote, &endpoint, "create temp table t(a int)");
    let insert = Statement::select("insert into t values ($1::int4)".into());
    let into = Statement::select("select $1::int4 into temp once".into());
    for turn in 0..5 {
        for statement in [&insert, &into] {
            let outcome = run(&remote, &endpoint, statement, &[text("1")]);
            let ended = outcome.columns.iter().all(Option::is_none) && outcome.done == [0];
            let sql = statement.sql();
            assert!(ended, "{sql}, turn {turn}: {:?}", outcome.error);
        }
        execute(&remote, &endpoint, "drop table once");
    }
    let no_columns = Statement::select("select from t".into());
    for turn in 0..5 {
        let outcome = run(&remote, &endpoint, &no_columns, &[]);
        assert_eq!(outcome.rows.len(), 5, "{turn}");
        assert!(outcome.names().is_empty(), "{turn}");
    }
}
