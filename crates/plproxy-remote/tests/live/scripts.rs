//! Scripts: steps on several endpoints, each on its own.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use plproxy_remote::{
    COPY, Encoding, Endpoint, ErrorKind, Event, Outcome, Remote, Script, ScriptOptions, Step,
    StepResult, Target,
};

use crate::harness::*;
use crate::scripted;

fn script(endpoint: &Rc<Endpoint>, steps: &[&str]) -> Script {
    Script {
        target: Target::New(endpoint.clone()),
        steps: steps.iter().map(|sql| Step::Run((*sql).into())).collect(),
    }
}

/// Runs scripts to their ends: the texts of the notices, and the outcomes.
fn run(
    remote: &Remote,
    scripts: Vec<Script>,
    options: &ScriptOptions,
) -> (Vec<String>, Vec<Outcome>) {
    let mut running = remote.scripts(scripts, options);
    let mut notices = Vec::new();
    loop {
        match running.next() {
            Event::Notice { notice, .. } => notices.push(notice.message.clone()),
            Event::Finished => return (notices, running.outcomes()),
            _ => {}
        }
    }
}

/// What the last step of one script gave: a value, or a command tag in brackets.
fn last(remote: &Remote, steps: &[&str]) -> String {
    let script = script(&endpoint(remote, "a", &server()), steps);
    let (_, outcomes) = run(remote, vec![script], &ScriptOptions::default());
    match outcomes[0].last() {
        Ok(StepResult::Ran {
            value: Some(value), ..
        }) => value.clone().unwrap_or_else(|| "NULL".into()),
        Ok(StepResult::Ran { value: None, tag }) => format!("[{tag}]"),
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn the_last_statement_gives_the_result() {
    let _turn = turn();
    let remote = remote();
    for (sql, expected) in [
        ("select 1, 2", "1"),
        ("select 1; select 'two'", "two"),
        ("select 1; set work_mem = '1MB'", "[SET]"),
        ("set work_mem = '1MB'; select null", "NULL"),
        ("select 1; select 2 where false", "[SELECT 0]"),
        (
            "create temp table t as select generate_series(1, 7) n; delete from t",
            "[DELETE 7]",
        ),
        (
            "select n from generate_series(1, 200000) n; select n + 1 from generate_series(1, 200000) n",
            "2",
        ),
        ("", "[]"),
        ("-- nothing", "[]"),
        ("vacuum pg_class", "[VACUUM]"),
        ("select repeat('x', 1000)", &"x".repeat(1000)),
    ] {
        assert_eq!(last(&remote, &[sql]), expected, "{sql}");
    }
    assert_eq!(last(&remote, &["begin", "select 1", "commit"]), "[COMMIT]");
    assert_eq!(
        remote.connections().len(),
        0,
        "no script's connection is pooled"
    );
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn one_failure_is_one_outcome() {
    let _turn = turn();
    let remote = remote();
    let good = endpoint(&remote, "good", &server());
    let refused = endpoint(&remote, "refused", "host=127.0.0.1 port=1 dbname=x user=x");
    let garbage = scripted::serve(|mut stream| {
        use std::io::Write;
        let _ = stream.write_all(b"garbage without an end, and then more of it");
    });
    let garbage = endpoint(&remote, "garbage", &garbage);
    let scripts = vec![
        script(&good, &["select 1 / 0", "select 'never'"]),
        script(&refused, &["select 1"]),
        script(&garbage, &["select 1"]),
        script(&good, &["select pg_sleep(0.3)", "select 'well'"]),
    ];
    let (_, outcomes) = run(&remote, scripts, &ScriptOptions::default());
    assert!(matches!(outcomes[0].last(), Err(ErrorKind::Db(d)) if d.sqlstate() == "22012"));
    assert_eq!(outcomes[0].steps.len(), 1);
    assert!(
        outcomes[0].session.is_some(),
        "an error is no reason to hang up"
    );
    assert!(matches!(outcomes[1].last(), Err(ErrorKind::Connect { .. })));
    assert!(outcomes[2].last().is_err() && outcomes[2].session.is_none());
    assert!(
        matches!(outcomes[3].last(), Ok(StepResult::Ran { value: Some(Some(value)), .. }) if value == "well")
    );
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn nothing_is_copied() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    for sql in [
        "copy (select 1) to stdout",
        "copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout",
        "select 1; copy pg_class to stdout; select 2",
        "create temp table t (n int); copy t from stdin",
        "create temp table t (n int); copy t from stdin (format binary); select 1",
    ] {
        let (_, outcomes) = run(
            &remote,
            vec![script(&endpoint, &[sql])],
            &ScriptOptions::default(),
        );
        let error = outcomes[0].last().expect_err(sql);
        assert_eq!(error.to_string(), COPY, "{sql}");
        assert!(
            outcomes[0].session.is_none(),
            "{sql}: the server still waits or sends"
        );
    }
    assert_eq!(
        last(&remote, &["copy (select 1) to program 'cat >/dev/null'"]),
        "[COPY 1]"
    );
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn statements_are_described_and_not_run() {
    let _turn = turn();
    let remote = remote();
    let describe = |sql: &str| Step::Describe(sql.into());
    let script = Script {
        target: Target::New(endpoint(&remote, "a", &server())),
        steps: vec![
            describe("select 1 / 0 as one, $1::text as two"),
            describe("select nothing"),
            describe("create table never (n int)"),
            Step::Run("select 'two' as two; select 3 as three".into()),
            describe("select null::pg_class as three"),
        ],
    };
    let options = ScriptOptions {
        go_on: true,
        ..ScriptOptions::default()
    };
    let (_, outcomes) = run(&remote, vec![script], &options);
    let results: Vec<String> = outcomes[0]
        .steps
        .iter()
        .map(|step| match &step.result {
            Ok(StepResult::Described(Some(columns))) => columns
                .iter()
                .map(|c| format!("{} {} ", String::from_utf8_lossy(&c.name), c.type_oid))
                .collect(),
            Ok(StepResult::Described(None)) => "none".into(),
            Ok(StepResult::Ran { value, .. }) => format!("{value:?}"),
            Err(kind) => kind.to_string(),
        })
        .collect();
    assert_eq!(
        results,
        [
            "one 23 two 25 ",
            "ERROR: column \"nothing\" does not exist",
            "none",
            "Some(Some(\"3\"))",
            "three 83 ",
        ]
    );
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_session_goes_from_errand_to_errand() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let one = |target, sql: &str| {
        let steps = vec![Step::Run(sql.into())];
        let (notices, mut outcomes) = run(
            &remote,
            vec![Script { target, steps }],
            &ScriptOptions::default(),
        );
        (notices, outcomes.remove(0))
    };
    let pid = |outcome: &Outcome| match outcome.last() {
        Ok(StepResult::Ran { value, .. }) => value.clone().flatten(),
        other => panic!("{other:?}"),
    };
    let (_, begun) = one(
        Target::New(endpoint.clone()),
        "begin; select pg_backend_pid()",
    );
    let first = pid(&begun);
    let session = begun.session.expect("an open transaction is a known state");
    let (notices, again) = one(
        Target::Session(session),
        "do $$ begin raise notice 'hello'; end $$; select pg_backend_pid()",
    );
    assert_eq!(
        (pid(&again), notices),
        (first.clone(), vec!["hello".into()])
    );
    // It dies; a new one is made only where that is allowed.
    let kill = |pid: String| {
        let gone = format!("select pg_terminate_backend({pid}, 60000)::text");
        assert_eq!(ask(&remote, &endpoint, &gone), "true");
    };
    kill(first.unwrap());
    let session = again.session.unwrap();
    let (_, renewed) = one(
        Target::SessionOrNew(session, endpoint.clone()),
        "select pg_backend_pid()",
    );
    kill(pid(&renewed).unwrap());
    let (_, dead) = one(Target::Session(renewed.session.unwrap()), "select 1");
    assert!(matches!(dead.last(), Err(ErrorKind::Closed)), "{dead:?}");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn time_limits_are_for_each() {
    let _turn = turn();
    let remote = remote();
    let good = endpoint(&remote, "good", &server());
    let mute = endpoint(&remote, "mute", &scripted::serve(scripted::stay_silent));
    let limit = Duration::from_secs(2);
    let sleep = "select pg_sleep(600) /* too long */";
    let start = Instant::now();
    let options = ScriptOptions {
        default_connect_timeout: Some(limit),
        time_limit: Some(limit),
        ..ScriptOptions::default()
    };
    let scripts = vec![
        script(&good, &[sleep]),
        script(&mute, &["select 1"]),
        script(&good, &["select 1"]),
    ];
    let (_, outcomes) = run(&remote, scripts, &options);
    assert!(matches!(outcomes[0].last(), Err(ErrorKind::QueryTimeout)));
    assert!(outcomes[0].session.is_none());
    assert!(matches!(
        outcomes[1].last(),
        Err(ErrorKind::ConnectTimeout { .. })
    ));
    assert!(outcomes[2].last().is_ok());
    let options = ScriptOptions {
        whole_limit: Some(limit),
        ..ScriptOptions::default()
    };
    let (_, outcomes) = run(&remote, vec![script(&mute, &["select 1"])], &options);
    assert!(matches!(outcomes[0].last(), Err(ErrorKind::QueryTimeout)));
    in_time(start);
    until(&remote, &good, &running("/* too long"), "0");
}

static FLAG: AtomicBool = AtomicBool::new(false);

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn an_interrupt_cancels_them_all() {
    let _turn = turn();
    FLAG.store(false, SeqCst);
    let remote = Remote::new(|| FLAG.load(SeqCst), Encoding::UTF8).unwrap();
    let good = endpoint(&remote, "good", &server());
    let sleep = "select pg_sleep(600) /* interrupt me */";
    let scripts = (0..4).map(|_| script(&good, &[sleep, sleep])).collect();
    let options = ScriptOptions {
        go_on: true,
        ..ScriptOptions::default()
    };
    let mut running = remote.scripts(scripts, &options);
    when_running(server(), "/* interrupt me", 4, || FLAG.store(true, SeqCst));
    assert!(matches!(running.next(), Event::Interrupted));
    FLAG.store(false, SeqCst);
    let start = Instant::now();
    running.cancel(2 * HANG);
    in_time(start);
    assert!(matches!(running.next(), Event::Finished));
    let left = crate::harness::running("/* interrupt me");
    assert_eq!(ask(&remote, &good, &left), "0");
}

/// What each step of one script gave, in words.
fn results(remote: &Remote, steps: Vec<Step>) -> (Vec<String>, bool) {
    let script = Script {
        target: Target::New(endpoint(remote, "a", &server())),
        steps,
    };
    let options = ScriptOptions {
        go_on: true,
        ..ScriptOptions::default()
    };
    let (_, mut outcomes) = run(remote, vec![script], &options);
    let outcome = outcomes.remove(0);
    let results = outcome.steps.iter().map(|step| match &step.result {
        Ok(StepResult::Ran {
            value: Some(value), ..
        }) => value.clone().unwrap_or_else(|| "NULL".into()),
        Ok(StepResult::Ran { value: None, tag }) => format!("[{tag}]"),
        Ok(other) => format!("{other:?}"),
        Err(ErrorKind::Db(d)) => d.sqlstate().to_owned(),
        Err(kind) => kind.to_string(),
    });
    (results.collect(), outcome.session.is_some())
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_text_is_one_statement_to_the_server_or_refused() {
    let _turn = turn();
    let remote = remote();
    let parse = |sql: &str| Step::Parse(sql.into());
    let run = |sql: &str| Step::Run(sql.into());
    let readings = r"select '\''; select 2; --'";
    let (results, usable) = results(
        &remote,
        vec![
            parse("select 1"),
            parse("create table never (n int)"),
            parse("select 1; select 2"),
            parse(""),
            parse("-- nothing"),
            parse("select $1::int"),
            parse("nonsense"),
            parse(readings),
            run("set standard_conforming_strings = off; set escape_string_warning = off"),
            parse(readings),
            run("select to_regclass('never')"),
            run("begin"),
            parse("select 1 / 0"),
            parse("select nothing"),
            parse("select 1"),
            run("rollback"),
            run("select current_setting('server_version_num')::int < 190000"),
        ],
    );
    let refused = "42601";
    // From PostgreSQL 19 on there is but one reading.
    let (set, then, older) = match results.last().map(String::as_str) {
        Some("t") => ("[SET]", refused, "t"),
        _ => ("0A000", "[]", "f"),
    };
    assert_eq!(
        results,
        [
            "[]",
            "[]",
            refused,
            "[]",
            "[]",
            "[]",
            refused,
            "[]",
            set,
            then,
            "NULL",
            "[BEGIN]",
            "[]",
            "42703",
            "25P02",
            "[ROLLBACK]",
            older,
        ]
    );
    assert!(usable);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_session_that_is_discarded_is_as_new() {
    let _turn = turn();
    for remote in [
        remote(),
        Remote::new(|| false, Encoding::SQL_ASCII).unwrap(),
    ] {
        let run = |sql: &str| Step::Run(sql.into());
        let (results, usable) = results(
            &remote,
            vec![
                run(
                    "set work_mem = '1MB'; create temp table t (); set role pg_monitor; set client_encoding = latin1",
                ),
                Step::Discard,
                run(
                    "select current_setting('work_mem') || to_regclass('t') is null || current_user",
                ),
            ],
        );
        assert_eq!(results.len(), 2, "{results:?}");
        // Once another encoding is spoken nothing is sent any more.
        assert!(
            results[1].starts_with("client_encoding was changed") && !usable,
            "{results:?}"
        );
        let (results, usable) = self::results(
            &remote,
            vec![
                run("set work_mem = '1MB'; create temp table t (); set role pg_monitor"),
                Step::Discard,
                run(
                    "select current_setting('work_mem') || coalesce(to_regclass('t')::text, '') || (current_user = session_user)",
                ),
                run("show client_encoding"),
            ],
        );
        assert!(usable);
        let encoding = &results[3];
        assert_eq!(results[..3], ["[SET]", "[]", "4MBtrue"], "{encoding}");
        assert!(
            ["UTF8", "SQL_ASCII"].contains(&encoding.as_str()),
            "{encoding}"
        );
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_changed_encoding_is_never_misread() {
    let _turn = turn();
    let remote = remote();
    const CHANGED: &str = "client_encoding was changed, so that texts cannot be exchanged any more";
    const INVALID: &str = "the result is not valid in the encoding of the connection";
    for (sql, expected, usable) in [
        ("select chr(228)", "ä", true),
        ("set client_encoding = utf8; select chr(228)", "ä", true),
        (
            "set client_encoding = latin1; select chr(228)",
            CHANGED,
            false,
        ),
        // These bytes are a letter in UTF-8, too.
        (
            "set client_encoding = latin1; select chr(195) || chr(164)",
            CHANGED,
            false,
        ),
        (
            "select chr(228) from set_config('client_encoding', 'sjis', false)",
            "22P05",
            true,
        ),
        (
            "select chr(12354) from set_config('client_encoding', 'sjis', false)",
            CHANGED,
            false,
        ),
        ("set client_encoding = latin1; select 7", "7", true),
        ("set client_encoding = latin1", "[SET]", true),
        ("set client_encoding = latin1; select null", "NULL", true),
        (
            "set local client_encoding = latin1; select chr(228)",
            INVALID,
            false,
        ),
        (
            "set client_encoding = latin1; select chr(228); reset client_encoding; select 'ä'",
            "ä",
            true,
        ),
        (
            "select from set_config('client_encoding', 'latin1', false)",
            "NULL",
            true,
        ),
    ] {
        let (results, kept) = results(&remote, vec![Step::Run(sql.into())]);
        assert_eq!(
            (results, kept),
            (vec![expected.to_owned()], usable),
            "{sql}"
        );
    }
}
