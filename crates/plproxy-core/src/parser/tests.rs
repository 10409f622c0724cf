//! Grammar, line numbers, and properties of lexer, parser and printer together.

use super::*;
use proptest::prelude::*;

/// The error of a body, or `ok`.
fn check(cases: &[(&str, &str)]) {
    for (body, expected) in cases {
        let found = match parse(body) {
            Ok(_) => "ok".to_owned(),
            Err(error) => match error.line {
                Some(line) => format!("{line}: {}", error.message),
                None => error.message,
            },
        };
        assert_eq!(&found, expected, "{body:?}");
    }
}

#[test]
fn statements() {
    check(&[
        ("cluster 'x';", "ok"),
        ("CLuster'x';RUN/**/oN--\naLL;", "ok"),
        ("cluster f . g (b) || ';' ;", "ok"),
        ("cluster 'x'; split a, $2; target s . f;", "ok"),
        ("cluster 'x'; run on 99999999999;", "ok"),
        ("cluster 'x'; run on all(a);", "ok"),
        ("cluster 'x'; run on a.b;", "ok"),
        ("cluster 'x'; run on all skip failed;", "ok"),
        ("cluster 'x'; run on ALL/**/Skip--\nFAILED\n;", "ok"),
        ("cluster 'x'; run on skip;", "ok"),
        (
            "cluster failed(skip); run on failed; split skip, failed;",
            "ok",
        ),
        ("cluster 'x'; target skip.failed; run on skip.failed;", "ok"),
        ("connect failed; select skip failed from all skip;", "ok"),
        ("cluster 'x'; run on all skip;", "1: syntax error"),
        ("cluster 'x'; run on all failed;", "1: syntax error"),
        ("cluster 'x'; run on all skip.failed;", "1: syntax error"),
        (
            "cluster 'x'; run on all skip failed failed;",
            "1: syntax error",
        ),
        ("cluster 'x'; run on all skip (failed);", "1: syntax error"),
        ("cluster 'x'; run on all skip failed(;", "1: syntax error"),
        ("cluster 'x'; run on all skip 'failed';", "1: syntax error"),
        ("cluster 'x'; run on any skip failed;", "1: syntax error"),
        ("cluster 'x'; run on 1 skip failed;", "1: syntax error"),
        ("cluster 'x'; run on a skip failed;", "1: syntax error"),
        ("cluster 'x'; split all skip failed;", "1: syntax error"),
        ("skip failed;", "1: syntax error"),
        ("cluster 'x'; target é;", "ok"),
        ("connect 'a''b';", "ok"),
        ("connect $1; select*;", "ok"),
        ("connect zz; select ;", "ok"),
        ("cluster 'x'; execute a;", "ok"),
        ("cluster 'x'; ExEcute/**/$1 USing a,$2,a;", "ok"),
        ("cluster 'x'; execute a.b using c;", "ok"),
        ("cluster 'x'; execute f(a) using c;", "ok"),
        ("cluster 'x'; execute f(a) || g(';', array[b]) ;", "ok"),
        ("cluster 'x'; execute execute using using;", "ok"),
        ("cluster 'x'; execute using;", "ok"),
        ("cluster 'x'; run on execute;", "ok"),
        ("cluster 'x'; run on execute(using);", "ok"),
        (
            "cluster execute(a); split execute, using; target execute;",
            "ok",
        ),
        ("connect using; target s.execute;", "ok"),
        ("cluster 'x'; execute;", "1: syntax error"),
        ("cluster 'x'; execute 'select 1';", "1: syntax error"),
        ("cluster 'x'; execute (a);", "1: syntax error"),
        ("cluster 'x'; execute a b;", "1: syntax error"),
        ("cluster 'x'; execute a using;", "1: syntax error"),
        ("cluster 'x'; execute a using a,;", "1: syntax error"),
        ("cluster 'x'; execute a using all;", "1: syntax error"),
        ("cluster 'x'; execute a using f(a);", "1: syntax error"),
        ("cluster 'x'; execute a using 1;", "1: syntax error"),
        ("cluster 'x'; execute f(a) using 'x';", "1: syntax error"),
        ("cluster 'x'; execute f(a using b;", "ok"),
        ("cluster 'x'; execute f(;", "1: syntax error"),
        ("cluster 'x'; execute f(a) using", "1: syntax error"),
        ("cluster 'x'; execute.a;", "1: syntax error"),
        ("cluster 'x'; /* never ends", "ok"),
        ("cluster 'x'; -- so does", "ok"),
        ("cluster 'x';;", "1: syntax error"),
        ("cluster x;", "1: syntax error"),
        ("cluster \"x\".f(a);", "1: syntax error"),
        ("cluster E'x';", "1: syntax error"),
        ("cluster 'x' 'y';", "1: syntax error"),
        ("cluster 'x'; run on -1;", "1: syntax error"),
        ("cluster 'x'; run on 1.5;", "1: syntax error"),
        ("cluster 'x'; run on (a);", "1: syntax error"),
        ("cluster 'x'; run on f /* c */ (a);", "1: syntax error"),
        ("cluster 'x'; run on f(;", "1: syntax error"),
        ("cluster 'x'; run on select(a);", "1: syntax error"),
        ("cluster 'x'; target \"x\";", "1: syntax error"),
        ("cluster 'x'; target all;", "1: syntax error"),
        ("cluster 'x'; split;", "1: syntax error"),
        ("cluster 'x'; split all, a;", "1: syntax error"),
        ("cluster 'x'; select;", "1: syntax error"),
        ("cluster 'x'; select .a;", "1: syntax error"),
        ("cluster 'x'; select/**/.a;", "1: syntax error"),
        ("cluster 'x'; select a\\b;", "1: syntax error"),
        ("cluster 'x'; select $;", "1: syntax error"),
        ("cluster 'x'; /* a /* b */ c */", "1: syntax error"),
    ]);
}

#[test]
fn lines() {
    check(&[
        ("", "1: CLUSTER statement missing"),
        ("run on all;\n\n\n", "4: CLUSTER statement missing"),
        ("\n\nfoo;", "3: syntax error"),
        ("cluster 'x'\n", "2: syntax error"),
        ("cluster 'x\n\n", "1: syntax error"),
        ("cluster 'x\n''\n", "2: syntax error"),
        ("cluster 'x' 'a\n\nb';", "3: syntax error"),
        (
            "cluster 'x';\ncluster\n'y'\n;\n",
            "4: Only one CLUSTER statement allowed",
        ),
        (
            "cluster 'x'; run on 1;\nrun\non f(\n1)\n;",
            "5: Only one RUN statement allowed",
        ),
        (
            "connect 'x'; connect\n$2;",
            "2: Only one CONNECT statement allowed",
        ),
        (
            "connect 'x'; target a; target b\n;",
            "2: Only one TARGET statement allowed",
        ),
        (
            "connect 'x'; split a; split\nall;",
            "2: Only one SPLIT statement allowed",
        ),
        (
            "connect 'x'; select 1;\nselect\n",
            "2: Only one SELECT statement allowed",
        ),
        (
            "connect 'x'; execute a;\nexecute b using\nc;\n",
            "3: Only one EXECUTE statement allowed",
        ),
        (
            "connect 'x'; execute a;\ntarget b;",
            "2: EXECUTE cannot be used with TARGET/SELECT",
        ),
        ("connect 'x'; select 1; execute f()", "1: syntax error"),
        (
            "connect 'x'; select 1; execute f();",
            "1: EXECUTE cannot be used with TARGET/SELECT",
        ),
        (
            "connect 'x';\ncluster 'y';\n",
            "3: CONNECT cannot be used with CLUSTER/RUN",
        ),
        (
            "run on 1; connect 'x';",
            "1: CONNECT cannot be used with CLUSTER/RUN",
        ),
        (
            "connect 'x'; target a;\nselect 1;\n",
            "3: TARGET cannot be used with SELECT",
        ),
        ("connect 'x'; cluster 'y'; garbage", "1: syntax error"),
        ("cluster 'x'; select 'a\n\n", "3: syntax error"),
        ("cluster 'x'; select \"a\n\n", "3: syntax error"),
        ("cluster 'x'; select $t$a\n\n", "3: syntax error"),
        ("cluster 'x'; select e'\\'\n\n", "3: syntax error"),
        ("cluster 'x'; select 1 /* a\n\n", "3: syntax error"),
        ("cluster 'x'; select 1 /* a\n */ \\ \n", "2: syntax error"),
    ]);
}

#[test]
fn a_mention_is_checked_at_its_place() {
    for (body, line) in [
        ("cluster 'x'; run on f(\n$9", 2),
        ("connect\n$9 garbage", 2),
        ("cluster 'x'; select 1,\n\n$9\n \\", 3),
        ("cluster 'x'; split a,\n$9\ngarbage", 2),
        ("cluster 'x'; execute\n$9\ngarbage", 2),
        ("cluster 'x'; execute a using\n$9\ngarbage", 2),
        ("cluster 'x'; execute f(\n$9\n) using", 2),
    ] {
        let found = parse_with(body, &mut |mention, line| match mention {
            Mention::Param("$9")
            | Mention::Split("$9")
            | Mention::Execute("$9")
            | Mention::Using("$9") => Err(CompileError::at(line, "nine")),
            _ => Ok(()),
        });
        assert_eq!(found, Err(CompileError::at(line, "nine")), "{body:?}");
    }
}

#[test]
fn sql_keeps_what_it_must() {
    for (body, expected) in [
        ("select  1\n,\t2 ", "select 1 , 2 "),
        ("select/*x*/a", "select a"),
        ("SeLeCt a /* c */ b", "SeLeCt a   b"),
        ("select a--x\n b", "select a b"),
        ("select 'a;' \n 'b'", "select 'a;'\n'b'"),
        ("select 'a' -- c\n 'b'", "select 'a' \n'b'"),
        (
            "select e'\\';\n' , \"x\n;\"\"\", $q$;$$\n$q$",
            "select e'\\';\n' , \"x\n;\"\"\", $q$;$$\n$q$",
        ),
        ("select '\\', 1", "select '\\', 1"),
    ] {
        let tree = parse(&format!("connect 'x'; {body};")).map(|body| body.statements);
        let Ok(
            [
                _,
                Statement {
                    kind: StatementKind::Select(sql),
                    ..
                },
            ],
        ) = tree.as_deref()
        else {
            panic!("{body:?}: {tree:?}");
        };
        let mut text = String::new();
        for part in &sql.parts {
            text.push_str(part.text());
        }
        assert_eq!(text, expected, "{body:?}");
    }
}

#[test]
fn lines_of_statements() {
    let tree = parse("\ncluster\n'x'; run on\n\nall;\nselect 1;").expect("parses");
    let lines: Vec<_> = tree.statements.iter().map(|s| s.line).collect();
    assert_eq!(lines, [2, 3, 6]);
}

#[test]
fn long_input_takes_linear_time() {
    // Each of these would take minutes if any byte were looked at again for each other one.
    for unit in [
        "(", "a ", "a/**/", "'' ", "$a", "/*", "a.", "e'\\\\'", "$$", "$$ $$ ", "--\n", "\"", "\n",
        "1a",
    ] {
        for prefix in [
            "cluster 'x'; select ",
            "cluster 'x'; run on f(",
            "cluster 'x'; execute f(a) using ",
            "",
            "cluster '",
        ] {
            let body = format!("{prefix}{}", unit.repeat(200_000));
            let begun = std::time::Instant::now();
            assert!(parse(&body).is_err(), "{prefix} {unit}");
            assert!(begun.elapsed().as_secs() < 20, "{prefix} {unit}");
        }
    }
}

/// Tokens from which bodies are made that have a chance to be right.
fn soup() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "connect ",
        "cluster ",
        "run on ",
        "all",
        "any",
        "all skip failed;",
        " skip ",
        "failed",
        "split ",
        "target ",
        "select ",
        "execute ",
        "using ",
        "'x'",
        "'it''s'",
        "a",
        "b.c",
        "b . c",
        "$1",
        "$22",
        "f(",
        "f (",
        "1",
        "42",
        ";",
        ";",
        ";",
        ",",
        ")",
        "-",
        "/",
        "*",
        ".",
        "'",
        "\"",
        "\"q\"",
        "E'a\\'b'",
        "e",
        "$$",
        "$t$",
        "--",
        "-- c\n",
        "/*",
        "*/",
        "/* c */",
        " ",
        "\n",
        "\r\n",
        "\\",
        "é",
        "::int4",
        "cluster 'x';",
        "run on any;",
        "\0",
    ]);
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

/// SQL in which only what SQL has occurs, so that most of it parses.
fn query() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "a",
        "b",
        "$1",
        "$2",
        "1",
        "1e5",
        ".",
        ",",
        "(",
        ")",
        "+",
        "*",
        "'x'",
        "'a''b'",
        "\"q\"",
        "E'\\''",
        "$$;$$",
        "$t$ $$ $t$",
        "-- c\n",
        "/* ; */",
        "/**/",
        " ",
        "  ",
        "\n",
        "\t",
        "::int4",
        "é",
        "b'1'",
        "x",
        "[",
        "]",
    ]);
    prop::collection::vec(token, 1..24)
        .prop_map(|tokens| format!("connect f({0});\n\nselect {0}\n;", tokens.concat()))
}

fn round_trip(body: &str) -> Result<(), TestCaseError> {
    if let Ok(tree) = parse(body) {
        let printed = tree.to_string();
        let again = parse(&printed);
        prop_assert_eq!(again, Ok(tree), "{:?} printed as {:?}", body, printed);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn printed_and_parsed_again_is_the_same(body in soup()) {
        round_trip(&body)?;
    }

    #[test]
    fn queries_survive_printing(body in query()) {
        prop_assert!(parse(&body).is_ok() || body.contains('\\') || body.contains('.'), "{:?}", body);
        round_trip(&body)?;
    }

    #[test]
    fn queries_of_an_execute_survive_printing(text in query(), arg in "[a-z]{1,3}|\\$[0-9]") {
        let query = text.rsplit_once("select ").map_or("", |(_, query)| query.trim_end_matches(';'));
        round_trip(&format!("cluster 'x'; execute f({query});"))?;
        round_trip(&format!("cluster 'x'; execute f({query}) using {arg};"))?;
    }

    #[test]
    fn any_text_is_parsed_or_refused(body in any::<String>(), soup in soup()) {
        round_trip(&body)?;
        round_trip(&format!("cluster 'x'; select {body}{soup};"))?;
    }
}
