//! Rows, columns, parameters, notices and errors.

use plproxy_remote::{CallOptions, ErrorKind, Format, Param, Statement};

use crate::harness::*;

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_value_goes_there_and_back() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let statement = Statement::call("select r::int4 from (select $1::int4 + $2::int4) x(r)".into());
    let check = |params: &[Param], expected: Option<&[u8]>| {
        let outcome = run(&remote, &endpoint, &statement, params);
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        assert_eq!(
            outcome.rows,
            [(0, vec![expected.map(<[u8]>::to_vec)])],
            "{params:?}"
        );
        assert_eq!(outcome.formats, [Format::Binary.into()]);
        assert_eq!(outcome.names(), ["r"]);
        assert_eq!(outcome.columns[0].as_ref().unwrap()[0].type_oid, 23);
        assert_eq!(outcome.done, [0]);
        assert_eq!(
            outcome.events, 2,
            "the row and the end are all there is to tell"
        );
    };
    // Unnamed, then prepared: each form of parameter comes upon both.
    for _ in 0..4 {
        check(&[text("40"), text("2")], Some(&[0, 0, 0, 42]));
        check(
            &[Param::Binary(vec![0, 0, 0, 1]), text("2")],
            Some(&[0, 0, 0, 3]),
        );
        check(&[Param::Null, text("2")], None);
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn no_rows_still_have_columns() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let sql = "select 1::int4 as one, 'x'::text as two where false";
    for statement in [Statement::call(sql.into()), Statement::select(sql.into())] {
        for turn in 0..5 {
            let outcome = run(&remote, &endpoint, &statement, &[]);
            let columns = outcome.columns[0].as_ref().unwrap();
            let types: Vec<_> = columns.iter().map(|column| column.type_oid).collect();
            assert_eq!(outcome.names(), ["one", "two"], "{turn}");
            assert_eq!(types, [23, 25], "{turn}");
            assert!(outcome.rows.is_empty() && outcome.done == [0]);
        }
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn all_partitions_work_at_once() {
    let _turn = turn();
    let remote = remote();
    // Each waits until all of them are there.
    let observer = endpoint(&remote, "observer", &server());
    execute(
        &remote,
        &observer,
        "create or replace function together(round int) returns void language plpgsql as $$ begin \
         perform pg_advisory_lock_shared(round); \
         while (select count(*) < 32 from pg_locks where locktype = 'advisory' and objid = round) loop \
         perform pg_sleep(0.01); end loop; end $$",
    );
    remote.close_endpoint(&observer);
    let options = CallOptions {
        query_timeout: Some(HANG),
        ..CallOptions::default()
    };
    let requests: Vec<_> = (0..32)
        .map(|at| {
            request(
                &endpoint(&remote, &format!("{at}"), &server()),
                &[text(&at.to_string())],
            )
        })
        .collect();
    for round in [7001, 7002] {
        let statement = Statement::call(format!("select $1::text from together({round})"));
        let outcome = drain(remote.start(&statement, requests.clone(), &options));
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        let mut got: Vec<_> = outcome
            .rows
            .iter()
            .map(|(request, row)| (*request, row[0].clone().unwrap()))
            .collect();
        got.sort();
        let expected: Vec<_> = (0..32)
            .map(|at| (at, at.to_string().into_bytes()))
            .collect();
        assert_eq!(got, expected);
    }
    assert_eq!(remote.connections().len(), 32);
    assert!(
        remote
            .connections()
            .iter()
            .all(|connection| connection.calls == 2 && !connection.in_use)
    );
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn parameters_mean_what_was_given() {
    let _turn = turn();
    let remote = remote();
    let statement = Statement::select("select ''::text ||$1::text".into());
    let asked = Statement::select("select current_setting('server_version_num')".into());
    let version = run(
        &remote,
        &endpoint(&remote, "version", &server()),
        &asked,
        &[],
    )
    .text();
    // From 19 on they cannot be anything else.
    let off = (version.as_str() < "190000").then_some("off");
    for strings in ["on"].into_iter().chain(off) {
        let connstr = format!(
            "{} options='-c standard_conforming_strings={strings}'",
            server()
        );
        let endpoint = endpoint(&remote, strings, &connstr);
        for value in [
            "",
            "it's",
            "a\\b",
            "\\",
            "'",
            "\\'",
            "''\\\\",
            "ä€𐍈",
            "\n\t\r\u{1}",
            "$1 $$ :x",
        ] {
            let outcome = run(&remote, &endpoint, &statement, &[text(value)]);
            assert_eq!(
                outcome.text(),
                value,
                "standard_conforming_strings = {strings}"
            );
        }
        let outcome = run(&remote, &endpoint, &statement, &[Param::Null]);
        assert_eq!(outcome.rows, [(0, vec![None])]);
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_parameter_that_cannot_be_sent_does_no_harm() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let before = pid(&remote, &endpoint);
    let select = Statement::select("select $1::text".into());
    for _ in 0..4 {
        for bytes in [&b"\xff"[..], b"a\0b"] {
            let param = Param::Text(bytes.to_vec());
            let diagnostic = run(&remote, &endpoint, &select, &[param]).diagnostic();
            assert_eq!(diagnostic.sqlstate(), "22021", "{bytes:?}");
        }
        let param = Param::Binary(b"as it is".to_vec());
        assert_eq!(
            run(&remote, &endpoint, &select, &[param]).text(),
            "as it is"
        );
    }
    assert_eq!(pid(&remote, &endpoint), before);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn an_error_has_all_its_fields_and_leaves_the_connection() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    execute(
        &remote,
        &endpoint,
        "do $$ begin create or replace function pg_temp.fail() returns int language plpgsql as $f$ begin \
         raise notice 'first'; raise warning 'second'; \
         raise exception 'message' using detail = 'detail', hint = 'hint', errcode = 'PX123', schema = 's', \
         table = 't', column = 'c', constraint = 'k', datatype = 'd'; end $f$; end $$",
    );
    let before = pid(&remote, &endpoint);
    let statement = Statement::call("select r::int4 from pg_temp.fail() r".into());
    for _ in 0..6 {
        let outcome = run(&remote, &endpoint, &statement, &[]);
        assert_eq!(outcome.log, ["first", "second"]);
        assert_eq!(outcome.notices[0].sqlstate(), "00000");
        assert_eq!(outcome.notices[1].severity, "WARNING");
        let ErrorKind::Db(diagnostic) = outcome.error().kind else {
            panic!("not the server's error")
        };
        assert_eq!(diagnostic.sqlstate(), "PX123");
        assert_eq!(
            (diagnostic.severity.as_str(), diagnostic.message.as_str()),
            ("ERROR", "message")
        );
        let fields = [
            &diagnostic.detail,
            &diagnostic.hint,
            &diagnostic.schema,
            &diagnostic.table,
            &diagnostic.column,
            &diagnostic.constraint,
            &diagnostic.datatype,
        ];
        let fields: Vec<_> = fields
            .iter()
            .map(|field| field.as_deref().unwrap())
            .collect();
        assert_eq!(fields, ["detail", "hint", "s", "t", "c", "k", "d"]);
        assert!(
            diagnostic
                .context
                .as_ref()
                .unwrap()
                .starts_with("PL/pgSQL function")
        );
        assert!(!diagnostic.fatal && diagnostic.routine.is_some() && diagnostic.line.is_some());
    }
    assert_eq!(
        pid(&remote, &endpoint),
        before,
        "an error must not cost the connection"
    );
    let error = run(
        &remote,
        &endpoint,
        &Statement::call("select 1 +".into()),
        &[],
    )
    .error();
    let ErrorKind::Db(diagnostic) = error.kind else {
        panic!("not the server's error")
    };
    assert_eq!(
        (diagnostic.sqlstate(), diagnostic.position),
        ("42601", Some(11))
    );
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn notices_keep_their_place_among_the_rows() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    execute(
        &remote,
        &endpoint,
        "do $$ begin create or replace function pg_temp.tell(n int) returns int language plpgsql as $f$ begin \
         raise notice 'n %', n; return n; end $f$; end $$",
    );
    let sql = "select pg_temp.tell(n)::int4 from generate_series(1, 3) n";
    for statement in [Statement::call(sql.into()), Statement::select(sql.into())] {
        let outcome = run(&remote, &endpoint, &statement, &[]);
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        // A row is sent after its notice, the notice at once.
        assert_eq!(outcome.log.first().unwrap(), "n 1");
        let notices: Vec<_> = outcome
            .log
            .iter()
            .filter(|line| line.starts_with('n'))
            .collect();
        assert_eq!(notices, ["n 1", "n 2", "n 3"]);
        assert_eq!(outcome.rows.len(), 3);
    }
}
