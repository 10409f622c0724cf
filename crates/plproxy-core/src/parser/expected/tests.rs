//! What the details of syntax errors say.

use crate::parser::parse;

#[test]
fn details() {
    const STATEMENT: &str = "Expected CONNECT, CLUSTER, RUN ON, SPLIT, TARGET, SELECT or EXECUTE";
    const TARGET: &str = "Expected the name of a function, without quotes and parentheses,";
    let check = |body: &str, expected: &str| {
        let error = parse(body).expect_err(body);
        assert_eq!(error.message, "syntax error", "{body:?}");
        assert_eq!(error.detail.as_deref(), Some(expected), "{body:?}");
    };
    for (body, expected) in [
        ("cluster 'x'", "Expected \";\" at the end of the body."),
        ("cluster 'x' -- ;", "Expected \";\" at the end of the body."),
        ("cluster 'x'\nrun on 1;", "Expected \";\" before \"run\"."),
        (
            "cluster 'x'; run on 1\nTARGET f;",
            "Expected \";\" before \"TARGET\".",
        ),
        (
            "cluster 'x'; run on all any;",
            "Expected \";\" before \"any\".",
        ),
        (
            "cluster 'x'; run on a",
            "Expected \";\" at the end of the body.",
        ),
        (
            "cluster 'x'; run on f(a)",
            "Expected \";\" at the end of the body.",
        ),
        (
            "cluster 'x'; select 1\n",
            "Expected \";\" at the end of the body.",
        ),
        (
            "cluster 'x'; select 1 -- ;",
            "Expected \";\" at the end of the body.",
        ),
        ("cluster f('x')", "Expected \";\" at the end of the body."),
        ("connect 'x'", "Expected \";\" at the end of the body."),
        ("connect a", "Expected \";\" at the end of the body."),
        (
            "cluster 'x'; target a.b run on all;",
            "Expected \";\" before \"run\".",
        ),
        (
            "cluster 'x'; split all run on all;",
            "Expected \";\" before \"run\".",
        ),
        (
            "cluster 'x'; split a run on all;",
            "Expected \",\" or \";\" before \"run\".",
        ),
        (
            "cluster 'x'; split a",
            "Expected \",\" or \";\" at the end of the body.",
        ),
        (
            "cluster 'x'; split a,;",
            "Expected an argument before \";\".",
        ),
        (
            "cluster 'x'; split 5;",
            "Expected ALL or an argument before \"5\".",
        ),
        (
            "cluster x;",
            "Expected a name in single quotes or a function call before \"x\".",
        ),
        (
            "cluster",
            "Expected a name in single quotes or a function call at the end of the body.",
        ),
        (
            "cluster \"a b\";",
            "Expected a name in single quotes or a function call before \"\"a b\"\".",
        ),
        (
            "connect 5;",
            "Expected a string, an argument or a function call before \"5\".",
        ),
        (
            "cluster 'x'; run on all skip;",
            "Expected FAILED before \";\".",
        ),
        (
            "cluster 'x'; run on all skip",
            "Expected FAILED at the end of the body.",
        ),
        (
            "cluster 'x'; run on all skip failed split all;",
            "Expected \";\" before \"split\".",
        ),
        ("cluster 'x'; run all;", "Expected ON before \"all\"."),
        (
            "cluster 'x'; run on 'x';",
            "Expected ALL, ANY, a number, an argument or a function call before a string.",
        ),
        ("cluster 'x' 'y';", "Expected \";\" before a string."),
        (
            "cluster 'x'; run on (a);",
            "A parenthesis cannot follow \"on\".",
        ),
        ("cluster ('x');", "A parenthesis cannot follow \"cluster\"."),
        (
            "cluster 'x'; execute (a);",
            "A parenthesis cannot follow \"execute\".",
        ),
        (
            "cluster 'x'; execute 'select 1';",
            "Expected an argument or a function call before a string.",
        ),
        (
            "cluster 'x'; execute a run on all;",
            "Expected USING or \";\" before \"run\".",
        ),
        (
            "cluster 'x'; execute f(a) using 1;",
            "Expected an argument before \"1\".",
        ),
        (
            "cluster 'x'; execute a using b c;",
            "Expected \",\" or \";\" before \"c\".",
        ),
        (
            "cluster 'x'; target f(a);",
            &format!("{TARGET} before \"f(\"."),
        ),
        (
            "cluster 'x'; target",
            &format!("{TARGET} at the end of the body."),
        ),
        ("cluster 'x';;", &format!("{STATEMENT} before \";\".")),
        ("begin;", &format!("{STATEMENT} before \"begin\".")),
        ("all;", &format!("{STATEMENT} before \"all\".")),
        ("@", &format!("{STATEMENT} before \"@\".")),
        ("\u{7}", &format!("{STATEMENT} before \"\\u{{7}}\".")),
        (
            "a123456789012345678901234567890123456789012345;",
            &format!("{STATEMENT} before \"a123456789012345678901234567890123456789…\"."),
        ),
        ("cluster 'x'; select;", "Expected SQL before \";\"."),
        ("cluster f(;", "Expected SQL before \";\"."),
        (
            "cluster 'x'; select a\\b;",
            "The character \"\\\" cannot stand here.",
        ),
        (
            "cluster 'x'; select $;",
            "The character \"$\" cannot stand here.",
        ),
        (
            "cluster 'x'; select \0;",
            "The character \"\\u{0}\" cannot stand here.",
        ),
        (
            "\ncluster 'x;\n",
            "The quoted string that begins at line 2 has no end.",
        ),
        (
            "cluster 'x';\nselect 'a;\n;",
            "The quoted string that begins at line 2 has no end.",
        ),
        (
            "cluster 'x'; select e'\\';",
            "The quoted string that begins at line 1 has no end.",
        ),
        (
            "cluster 'x'; select \"a;",
            "The quoted identifier that begins at line 1 has no end.",
        ),
        (
            "cluster 'x'; select 1,\n$t$a;$T$;",
            "The dollar-quoted string that begins at line 2 has no end.",
        ),
        (
            "cluster 'x'; select 1\n/* ;",
            "The comment that begins at line 2 has no end.",
        ),
        (
            "cluster 'x'\n/* ;",
            "The comment that begins at line 2 has no end.",
        ),
    ] {
        check(body, expected);
    }
}

#[test]
fn details_hold_no_piece_of_a_connection_string() {
    for body in [
        "connect 'password=a'b'c';",
        "connect 'password=a' 'b';",
        "connect 'password=a' $1;",
        "connect 'password=a' 5;",
        "connect 'password=a';b';",
        "connect 'password=a';target \"b\";",
        "connect 'password=a';select \\b;",
        "connect 'password=a",
    ] {
        let error = parse(body).expect_err(body);
        let detail = error.detail.unwrap_or_default();
        assert!(
            ["\";\".", "EXECUTE.", "parentheses.", "has no end."]
                .iter()
                .any(|end| detail.ends_with(end)),
            "{body:?}: {detail}"
        );
    }
    let error = parse("connect 'x' target f;").expect_err("does not parse");
    assert_eq!(
        error.detail.as_deref(),
        Some("Expected \";\" before \"target\".")
    );
}

#[test]
fn a_statement_that_sql_took_in_is_told() {
    for (body, expected) in [
        (
            "select 1\ncluster 'x';",
            Some("\"cluster\" in the SELECT statement that begins at line 1"),
        ),
        (
            "\nrun on f(a)\ncluster g(a);",
            Some("\"cluster\" in the RUN statement that begins at line 2"),
        ),
        (
            "select 1\nrun on all cluster x;",
            Some("\"run\" in the SELECT"),
        ),
        ("run on f(a)\nselect 1;", Some("\"select\" in the RUN")),
        ("select cluster, target from x", None),
        ("run on f((select 1));", None),
        ("select 1;", None),
        ("select a as cluster from run;", None),
        ("select a run from x order by target desc;", None),
    ] {
        let body = if body.ends_with(';') {
            body.to_owned()
        } else {
            format!("{body};")
        };
        let error = parse(&body).expect_err(&body);
        assert_eq!(error.message, "CLUSTER statement missing", "{body:?}");
        match expected {
            Some(part) => {
                let detail = error.detail.unwrap_or_default();
                assert!(detail.contains(part), "{body:?}: {detail}");
            }
            None => assert_eq!(error.detail, None, "{body:?}"),
        }
    }
}
