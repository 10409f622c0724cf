//! What bodies compile to, and the mistakes that only the signature shows.

use super::*;
use crate::remote_query::Notes;

fn ty(sql: &str, is_array: bool) -> TypeName {
    TypeName {
        sql: sql.to_owned(),
        is_array,
        names: None,
    }
}

fn column(name: &str, sql: &str) -> Column {
    Column {
        name: name.to_owned(),
        ty: ty(sql, false),
    }
}

/// `public."F"(a int4, b text, arr int4[], public.mood)`.
fn signature(returns: Returns, is_set: bool) -> Signature {
    let arg = |name: Option<&str>, ty| Argument {
        name: name.map(str::to_owned),
        ty,
    };
    Signature {
        schema: "public".to_owned(),
        name: "F".to_owned(),
        args: vec![
            arg(Some("a"), ty("int4", false)),
            arg(Some("B"), ty("text", false)),
            arg(Some("arr"), ty("_int4", true)),
            arg(None, ty("public.mood", false)),
            arg(Some("more"), ty("_text", true)),
        ],
        returns,
        is_set,
        procedure: None,
    }
}

fn text_set() -> Signature {
    signature(Returns::Scalar(ty("text", false)), true)
}

#[track_caller]
fn compiled(body: &str) -> Program {
    compile(body, &text_set()).unwrap_or_else(|error| panic!("{body:?}: {error}"))
}

#[test]
fn mistakes() {
    for (body, expected) in [
        (
            "cluster 'x'; run on $6;",
            "Compile error at line 1: invalid argument reference: $6",
        ),
        (
            "cluster 'x';\nselect $0;",
            "Compile error at line 2: invalid argument reference: $0",
        ),
        (
            "connect $99999999999999999999;",
            "Compile error at line 1: invalid argument reference: $99999999999999999999",
        ),
        (
            "cluster 'x'; split\nzz;",
            "Compile error at line 2: invalid argument reference: zz",
        ),
        (
            "cluster 'x'; split a.b;",
            "Compile error at line 1: invalid argument reference: a.b",
        ),
        (
            "cluster 'x'; split b;",
            "SPLIT parameter is not an array: b",
        ),
        (
            "cluster 'x'; split $1; garbage",
            "SPLIT parameter is not an array: $1",
        ),
        (
            "cluster 'x'; split arr, Arr;",
            "SPLIT parameter specified more than once: Arr",
        ),
        (
            "cluster 'x'; split arr, $3;",
            "SPLIT parameter specified more than once: $3",
        ),
        (
            "cluster 'x'; split all; split more;",
            "SPLIT parameter specified more than once: more",
        ),
        (
            "cluster 'x'; split arr; split more;",
            "Compile error at line 1: Only one SPLIT statement allowed",
        ),
        (
            "cluster 'x'; split more; split all;",
            "Compile error at line 1: Only one SPLIT statement allowed",
        ),
        (
            "run on $9; garbage",
            "Compile error at line 1: invalid argument reference: $9",
        ),
        (
            "garbage; run on $9;",
            "Compile error at line 1: syntax error",
        ),
    ] {
        let error = compile(body, &text_set()).expect_err(body);
        assert_eq!(error.to_string(), expected, "{body:?}");
    }
}

#[test]
fn mistakes_of_the_whole_function() {
    const ALL: &str = "RUN ON ALL requires set-returning function";
    const RECORD: &str = "SELECT statement not allowed for dynamic RECORD functions";
    for (body, returns, is_set, expected) in [
        ("cluster 'x'; run on all;", Returns::Void, false, Some(ALL)),
        ("cluster 'x'; run on all;", Returns::Void, true, None),
        (
            "cluster 'x'; run on all; select 1;",
            Returns::Record,
            false,
            Some(RECORD),
        ),
        (
            "connect 'x'; select 1;",
            Returns::Record,
            true,
            Some(RECORD),
        ),
        (
            "cluster 'x'; run on all;",
            Returns::Record,
            false,
            Some(ALL),
        ),
        ("cluster 'x'; run on any;", Returns::Record, false, None),
    ] {
        let found = compile(body, &signature(returns, is_set))
            .err()
            .map(|e| e.to_string());
        assert_eq!(found.as_deref(), expected, "{body:?}");
    }
}

#[test]
fn locations() {
    let local = |sql: &str, args: &[usize]| LocalQuery {
        sql: sql.into(),
        args: args.into(),
        notes: None,
    };
    for (body, expected) in [
        (
            "connect 'a''b';",
            Location::Connect(Source::Literal("a'b".to_owned())),
        ),
        ("connect b;", Location::Connect(Source::Argument(1))),
        ("connect $4;", Location::Connect(Source::Argument(3))),
        (
            "connect zz;",
            Location::Connect(Source::Query(local("select zz", &[]))),
        ),
        (
            "connect f(b, $1, B);",
            Location::Connect(Source::Query(local("select * from f($1, $2, $1)", &[1, 0]))),
        ),
    ] {
        assert_eq!(compiled(body).location, expected, "{body:?}");
    }
    for (body, expected_name, expected_run) in [
        ("cluster 'x';", Source::Literal("x".to_owned()), RunOn::Any),
        (
            "cluster s.f(b) || 'x' ; run on all;",
            Source::Query(local("select s.f($1) || 'x' ", &[1])),
            RunOn::All,
        ),
        (
            "cluster 'x'; run on all skip failed;",
            Source::Literal("x".to_owned()),
            RunOn::AllSkipFailed,
        ),
        (
            "cluster 'x'; run on 007;",
            Source::Literal("x".to_owned()),
            RunOn::Number(7),
        ),
        (
            "cluster ''; run on 4294967297;",
            Source::Literal(String::new()),
            RunOn::Number(i32::MAX),
        ),
        (
            "cluster ''; run on A;",
            Source::Literal(String::new()),
            RunOn::Argument(0),
        ),
        (
            "run on h\n(a, 'a', \"a\", t.a, a.t, a /* a */); cluster '';",
            Source::Literal(String::new()),
            RunOn::Query(LocalQuery {
                notes: Some(Box::new(Notes {
                    rows: vec![("a".to_owned(), 0)],
                    next_statement: None,
                })),
                ..local("select * from h\n($1, 'a', \"a\", t.a, a.t, $1  )", &[0])
            }),
        ),
        (
            "cluster ''; run on t.b;",
            Source::Literal(String::new()),
            RunOn::Query(local("select t.b", &[])),
        ),
    ] {
        let expected = Location::Cluster {
            name: expected_name,
            run_on: expected_run,
        };
        assert_eq!(compiled(body).location, expected, "{body:?}");
    }
}

#[test]
fn fields_of_arguments() {
    for (body, sql, args, rows) in [
        ("run on a.x;", "select a.x", &[0][..], &[("a", 0)][..]),
        ("run on A . x.y;", "select A . x.y", &[0], &[("a", 0)]),
        ("run on t.a;", "select t.a", &[], &[]),
        (
            "run on f(arr.x, b, B.y, b /* c */ . z, s.b, more.q.a);",
            "select * from f(arr.x, $2, B.y, b   . z, s.b, more.q.a)",
            &[2, 1, 4],
            &[("arr", 0), ("B", 1), ("more", 2)],
        ),
        (
            "run on f(\"B\".x, \"b\".x, \"a\" . \"Y\", a.\"Z\", 'a.b', \"a.b\", $$ a.b $$);",
            "select * from f(\"B\".x, \"b\".x, \"a\" . \"Y\", a.\"Z\", 'a.b', \"a.b\", $$ a.b $$)",
            &[1, 0],
            &[("B", 0), ("a", 1)],
        ),
        (
            "run on f($1.x, ($1).y);",
            "select * from f($1.x, ($1).y)",
            &[0],
            &[],
        ),
        ("run on a.f(a);", "select * from a.f($1)", &[0], &[]),
    ] {
        let program = compiled(&format!("cluster 'x'; {body}"));
        let Location::Cluster {
            run_on: RunOn::Query(query),
            ..
        } = program.location
        else {
            panic!("{body:?}: {program:?}");
        };
        assert_eq!((&*query.sql, &*query.args), (sql, args), "{body:?}");
        let expected: Vec<_> = rows
            .iter()
            .map(|(name, param)| ((*name).to_owned(), *param))
            .collect();
        assert_eq!(query.rows(), expected, "{body:?}");
    }
}

#[test]
fn splits() {
    for (body, expected) in [
        ("cluster 'x';", &[][..]),
        ("cluster 'x'; split more, arr;", &[2, 4]),
        ("cluster 'x'; split $5;", &[4]),
        ("cluster 'x'; split all;", &[2, 4]),
    ] {
        assert_eq!(compiled(body).split, expected, "{body:?}");
    }
}

fn remote(program: &Program, columns: Option<&[Column]>) -> RemoteQuery {
    match &program.query {
        Query::Call(call) => call.remote_query(columns),
        Query::Select(select) => select.remote_query(),
        Query::Execute(_) => panic!("the text comes with the call"),
    }
}

#[test]
fn selects() {
    for (sql, expected, args) in [
        ("select 1", "select 1", &[][..]),
        (
            "select a,b , A",
            "select $1::int4,$2::text , $1::int4",
            &[0, 1],
        ),
        (
            "select $4, $03",
            "select $1::public.mood, $2::_int4",
            &[3, 2],
        ),
        (
            "select a.b, b.a, a . b, a",
            "select a.b, b.a, a . b, $1::int4",
            &[0],
        ),
        (
            "select \"a\", 'a', E'\\'a', $$a$$, $a$a$a$",
            "select \"a\", 'a', E'\\'a', $$a$$, $a$a$a$",
            &[],
        ),
        (
            "select \"t\".a, (x).b, a.*, a.\"q\"",
            "select \"t\".a, (x).b, a.*, a.\"q\"",
            &[],
        ),
        (
            "select b'01', B , a1, 1a, _a, éa",
            "select b'01', $1::text , a1, 1a, _a, éa",
            &[1],
        ),
        (
            "select a::int8 -- a\n+a",
            "select $1::int4::int8  +$1::int4",
            &[0],
        ),
        ("select zz", "select zz", &[]),
        (
            "select $1.x, a.x, $4 /* c */ .y, a.\"X\", $1, ($4).z",
            "select ($1::int4).x, a.x, ($2::public.mood)   .y, a.\"X\", $1::int4, ($2::public.mood).z",
            &[0, 3],
        ),
    ] {
        let query = remote(&compiled(&format!("connect 'x'; {sql};")), None);
        assert_eq!(query.sql, expected, "{sql:?}");
        assert_eq!(query.args, args, "{sql:?}");
    }
}

#[test]
fn calls() {
    const ARGS: &str = "($1::int4,$2::text,$3::_int4,$4::public.mood,$5::_text)";
    let row = || {
        vec![
            column("x", "int4"),
            column("Y z", "public.mood"),
            column("select", "bool"),
        ]
    };
    let text = column("t", "\"numeric\"").ty;
    for (body, returns, columns, before, after) in [
        (
            "",
            Returns::Void,
            None,
            "select r::void from public.\"F\"",
            " r",
        ),
        (
            "",
            Returns::Scalar(ty("_int4", true)),
            None,
            "select r::_int4 from public.\"F\"",
            " r",
        ),
        (
            "",
            Returns::Scalar(text),
            None,
            "select r::\"numeric\" from public.\"F\"",
            " r",
        ),
        (
            "target S . f;",
            Returns::Void,
            None,
            "select r::void from S . f",
            " r",
        ),
        (
            "",
            Returns::Row(row()),
            None,
            "select x::int4, \"Y z\"::public.mood, \"select\"::bool from public.\"F\"",
            "",
        ),
        (
            "target f;",
            Returns::Record,
            Some(row()),
            "select x::int4, \"Y z\"::public.mood, \"select\"::bool from f",
            " as (x int4, \"Y z\" public.mood, \"select\" bool)",
        ),
    ] {
        let program =
            compile(&format!("connect 'x'; {body}"), &signature(returns, true)).expect(body);
        let query = remote(&program, columns.as_deref());
        assert_eq!(query.sql, format!("{before}{ARGS}{after}"));
        assert_eq!(query.args, [0, 1, 2, 3, 4]);
    }
}

#[test]
fn a_call_without_arguments() {
    let signature = Signature {
        args: Vec::new(),
        ..text_set()
    };
    let query = remote(
        &compile("connect 'x';", &signature).expect("compiles"),
        None,
    );
    assert_eq!(query.sql, "select r::text from public.\"F\"() r");
}

#[test]
fn the_first_of_two_names_that_differ_in_case_is_meant() {
    let mut signature = text_set();
    signature.args[4].name = Some("A".to_owned());
    assert_eq!(signature.argument("A"), Some(0));
    assert_eq!(signature.argument("a"), Some(0));
    assert_eq!(signature.argument("$5"), Some(4));
}

#[test]
fn a_query_filled_in() {
    for (sql, values, expected) in [
        (
            "select a, b, a",
            &[Some("1"), Some("it's")][..],
            "select '1'::int4, 'it''s'::text, '1'::int4",
        ),
        (
            "select b, '$1', \"$1\", $$ $1 $$",
            &[None],
            "select NULL::text, '$1', \"$1\", $$ $1 $$",
        ),
        (
            "select $1 + $1",
            &[Some("$1")],
            "select '$1'::int4 + '$1'::int4",
        ),
        ("select 1", &[], "select 1"),
    ] {
        let values: Vec<_> = values
            .iter()
            .map(|value| value.map(str::to_owned))
            .collect();
        let query = remote(&compiled(&format!("connect 'x'; {sql};")), None);
        assert_eq!(query.filled(&values), expected, "{sql:?}");
    }
}

mod execute;
