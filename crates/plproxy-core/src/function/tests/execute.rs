//! EXECUTE, and procedures.

use super::*;

fn execute(body: &str) -> ExecuteTemplate {
    match compiled(body).query {
        Query::Execute(execute) => execute,
        other => panic!("{body:?}: {other:?}"),
    }
}

#[test]
fn an_execute() {
    let found = execute("connect 'x'; execute b using arr, $1, arr;");
    assert_eq!(found.text, QueryText::Argument(1));
    assert_eq!(found.args, [2, 0, 2]);
    assert_eq!(execute("connect 'x'; execute $2;").args, []);
    for (body, sql, args) in [
        (
            "execute f(a, $2) || b using a;",
            "select f($1, $2) || $2",
            &[0, 1][..],
        ),
        ("execute b.x;", "select b.x", &[1]),
        ("execute f();", "select f()", &[]),
    ] {
        let QueryText::Query(query) = execute(&format!("connect 'x'; {body}")).text else {
            panic!("{body:?}");
        };
        assert_eq!((&*query.sql, &*query.args), (sql, args), "{body:?}");
    }
}

#[test]
fn mistakes_of_an_execute() {
    for (body, expected) in [
        (
            "execute zz;",
            "Compile error at line 1: invalid argument reference: zz",
        ),
        (
            "execute $0;",
            "Compile error at line 1: invalid argument reference: $0",
        ),
        (
            "execute b using zz;",
            "Compile error at line 1: invalid argument reference: zz",
        ),
        (
            "execute b using b.x;",
            "Compile error at line 1: invalid argument reference: b.x",
        ),
        (
            "execute f($6);",
            "Compile error at line 1: invalid argument reference: $6",
        ),
        ("execute a;", "EXECUTE parameter is not text: a"),
        ("execute more;", "EXECUTE parameter is not text: more"),
        ("execute $4;", "EXECUTE parameter is not text: $4"),
    ] {
        let error = compile(&format!("cluster 'x'; {body}"), &text_set()).expect_err(body);
        assert_eq!(error.to_string(), expected, "{body:?}");
    }
}

#[test]
fn a_text_filled_in() {
    let template = execute("connect 'x'; execute b using a, arr, $4;");
    let values = [Some("5".to_owned()), Some("{1}".to_owned()), None];
    for (text, expected) in [
        ("select $1", "select '5'::int4"),
        ("$1$3", "'5'::int4NULL::public.mood"),
        (
            "select $2 [1], $4, '$1'",
            "select ('{1}'::_int4) [1], $4, '$1'",
        ),
        (
            "a /* $1 */ \"$1\" $$ $1 $$; $1",
            "a /* $1 */ \"$1\" $$ $1 $$; '5'::int4",
        ),
        ("$1 ' $1", "'5'::int4 ' $1"),
        ("é $1\n\\ $1", "é '5'::int4\n\\ $1"),
        ("", ""),
    ] {
        assert_eq!(template.filled(text, &values), expected, "{text:?}");
    }
}

/// `public.p(a int4, out text, inout b text)`, or without what it gives.
fn procedure(gives: bool) -> Signature {
    let mut signature = signature(Returns::Void, false);
    signature.args.truncate(3);
    let outputs = if gives { vec![1, 4] } else { vec![] };
    signature.procedure = Some(Box::new(Procedure { outputs }));
    if gives {
        signature.returns = Returns::Row(vec![column("x", "text")]);
    }
    signature
}

#[test]
fn procedures_are_called() {
    for (body, gives, expected) in [
        (
            "",
            true,
            "call public.\"F\"($1::int4,NULL,$2::text,$3::_int4,NULL)",
        ),
        (
            "run on all;",
            false,
            "call public.\"F\"($1::int4,$2::text,$3::_int4)",
        ),
        (
            "split arr; target s.p;",
            false,
            "call s.p($1::int4,$2::text,$3::_int4)",
        ),
    ] {
        let program = compile(&format!("cluster 'x'; {body}"), &procedure(gives)).expect(body);
        assert!(!program.query.casts_results());
        assert_eq!(remote(&program, None).sql, expected);
    }
    for (body, expected) in [
        (
            "run on all;",
            "RUN ON ALL cannot be used in a procedure with OUT arguments",
        ),
        (
            "split all;",
            "SPLIT cannot be used in a procedure with OUT arguments",
        ),
    ] {
        let error = compile(&format!("cluster 'x'; {body}"), &procedure(true)).expect_err(body);
        assert_eq!(error.to_string(), expected, "{body:?}");
    }
}
