//! When statements are prepared, and what becomes of that.

use std::io::Write;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use plproxy_remote::{CallOptions, Endpoint, ErrorKind, Event, Prepared, Remote, Statement};

use crate::harness::*;
use crate::scripted::{self, answer, greet, read_round};

/// A statement that tells how many prepared statements there are while it runs.
fn counter() -> Rc<Statement> {
    Statement::call("select count(*)::text from pg_prepared_statements".into())
}

fn check(remote: &Remote, endpoint: &Rc<Endpoint>, prepared: Prepared, expected: &str) {
    let statement = counter();
    let options = CallOptions {
        prepared,
        ..CallOptions::default()
    };
    let mut seen = String::new();
    for _ in 0..6 {
        seen += &drain(remote.start(&statement, vec![request(endpoint, &[])], &options)).text();
    }
    assert_eq!(seen, expected, "{prepared:?}");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_text_with_constants_is_never_prepared() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let sql = "select count(*)::text || 'x' from pg_prepared_statements";
    let statement = Statement::call(sql.into());
    for prepared in [Prepared::Auto, Prepared::On] {
        let options = CallOptions {
            prepared,
            ..CallOptions::default()
        };
        for _ in 0..4 {
            let call = remote.start(&statement, vec![request(&endpoint, &[])], &options);
            assert_eq!(drain(call).text(), "0x", "{prepared:?}");
        }
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_prepared_statement_is_prepared_anew_after_its_lifetime() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let run = |sql: &str, lifetime: Option<Duration>| {
        let options = CallOptions {
            prepared: Prepared::On,
            prepared_lifetime: lifetime,
            ..CallOptions::default()
        };
        let statement = Statement::call(sql.into());
        move |remote: &Remote, endpoint: &Rc<Endpoint>| {
            drain(remote.start(&statement, vec![request(endpoint, &[])], &options)).text()
        }
    };
    // There is one at a time, however often it is prepared.
    let names = run(
        "select concat(count(*), min(name)) from pg_prepared_statements",
        Some(Duration::ZERO),
    );
    names(&remote, &endpoint);
    let first = names(&remote, &endpoint);
    let second = names(&remote, &endpoint);
    assert!(
        first.starts_with("1plproxy_") && second.starts_with("1plproxy_"),
        "{first}, {second}"
    );
    assert_ne!(first, second);
    // What comes first by now is found then, and not before.
    execute(
        &remote,
        &endpoint,
        "create function pg_temp.over(int8) returns text language sql as $$ select 'int8'::text $$",
    );
    let kept = run("select pg_temp.over(1)", None);
    let anew = run("select pg_temp.over(1)", Some(Duration::ZERO));
    for _ in 0..3 {
        assert_eq!(kept(&remote, &endpoint), "int8");
        assert_eq!(anew(&remote, &endpoint), "int8");
    }
    execute(
        &remote,
        &endpoint,
        "create function pg_temp.over(int4) returns text language sql as $$ select 'int4'::text $$",
    );
    assert_eq!(kept(&remote, &endpoint), "int8");
    assert_eq!(anew(&remote, &endpoint), "int4");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn the_transition_shows_in_pg_prepared_statements() {
    let _turn = turn();
    let remote = remote();
    // The second use asks for the process, the third prepares.
    check(
        &remote,
        &endpoint(&remote, "auto", &server()),
        Prepared::Auto,
        "001111",
    );
    check(
        &remote,
        &endpoint(&remote, "on", &server()),
        Prepared::On,
        "011111",
    );
    check(
        &remote,
        &endpoint(&remote, "off", &server()),
        Prepared::Off,
        "000000",
    );
    // The process is known by now.
    check(
        &remote,
        &endpoint(&remote, "auto", &server()),
        Prepared::Auto,
        "122222",
    );
    let count = remote
        .connections()
        .iter()
        .map(|connection| connection.prepared_statements)
        .max();
    assert_eq!(count, Some(2));
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn nothing_is_prepared_behind_a_pooler() {
    let _turn = turn();
    let remote = remote();
    let relay = endpoint(&remote, "relay", &scripted::relay_with_other_process_id());
    check(&remote, &relay, Prepared::Auto, "000000");
    check(&remote, &relay, Prepared::On, "011111");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn statements_beyond_the_limit_are_closed() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let options = prepared(Prepared::On);
    for at in 0..300 {
        let statement = Statement::call(format!("select {at}::text"));
        for _ in 0..3 {
            let outcome = drain(remote.start(&statement, vec![request(&endpoint, &[])], &options));
            assert_eq!(outcome.text(), at.to_string());
        }
    }
    let count = ask(
        &remote,
        &endpoint,
        "select count(*)::text from pg_prepared_statements",
    );
    assert_eq!(count, "256");
    assert_eq!(remote.connections().len(), 1);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_changed_table_is_seen_at_once() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    execute(
        &remote,
        &endpoint,
        "create temp table changing as select 1 as a, 2 as b",
    );
    let before = pid(&remote, &endpoint);
    let sql = "select * from changing";
    let select = Statement::select(sql.into());
    let columns = |expected: &[&str]| {
        for turn in 0..5 {
            let outcome = run(&remote, &endpoint, &select, &[]);
            assert!(outcome.error.is_none(), "{turn}: {:?}", outcome.error);
            assert_eq!(outcome.names(), expected, "{turn}");
            assert_eq!(outcome.rows[0].1.len(), expected.len());
        }
    };
    columns(&["a", "b"]);
    execute(&remote, &endpoint, "alter table changing add c int");
    columns(&["a", "b", "c"]);
    execute(&remote, &endpoint, "alter table changing drop a, drop b");
    columns(&["c"]);
    execute(&remote, &endpoint, "alter table changing alter c type text");
    columns(&["c"]);
    execute(&remote, &endpoint, "deallocate all");
    columns(&["c"]);
    execute(&remote, &endpoint, "discard plans");
    columns(&["c"]);
    assert_eq!(pid(&remote, &endpoint), before);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn another_type_of_the_same_name_is_seen_at_once() {
    let _turn = turn();
    let remote = remote();
    let admin = endpoint(&remote, "admin", &server());
    let connstr = format!("{} application_name=used", server());
    let used = endpoint(&remote, "used", &connstr);
    let script = |sql: &[&str]| sql.iter().for_each(|sql| execute(&remote, &admin, sql));
    for (keeps, label) in [(false, "sad"), (true, "happy")] {
        script(&[
            "drop schema if exists moods cascade",
            "create schema moods",
            "create type moods.mood as enum ('sad')",
            "create function moods.look(moods.mood) returns text language sql as $$ select 'old' $$",
        ]);
        let statement = Statement::call("select moods.look($1::moods.mood)".into());
        let call = |value: &str| {
            let requests = vec![request(&used, &[text(value)])];
            drain(remote.start(&statement, requests, &prepared(Prepared::On))).text()
        };
        assert_eq!(["sad"; 3].map(call), ["old"; 3]);
        script(&[
            "alter type moods.mood rename to mood_old",
            "create type moods.mood as enum ('sad', 'happy')",
            "create function moods.look(moods.mood) returns text language sql as $$ select 'new' $$",
        ]);
        if !keeps {
            // Nothing takes the old type any more.
            script(&["drop function moods.look(moods.mood_old)"]);
        }
        assert_eq!(call(label), "new");
    }
    script(&["drop schema moods cascade"]);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn what_ran_is_not_repeated() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    execute(
        &remote,
        &endpoint,
        "do $$ begin create temp sequence runs; create function pg_temp.stale(code text) returns int \
         language plpgsql as $f$ begin perform nextval('runs'); raise exception 'no' using errcode = code; end $f$; \
         end $$",
    );
    let statement = Statement::call("select r::int4 from pg_temp.stale($1::text) r".into());
    for turn in 1..=10 {
        // The codes of a prepared statement that is out of date, from inside of the function.
        let code = if turn % 2 == 0 { "0A000" } else { "26000" };
        let error = run(&remote, &endpoint, &statement, &[text(code)]).error();
        let ErrorKind::Db(diagnostic) = error.kind else {
            panic!("not the server's error")
        };
        assert_eq!(diagnostic.sqlstate(), code);
        assert_eq!(
            ask(&remote, &endpoint, "select last_value::text from runs"),
            turn.to_string()
        );
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn rows_may_outlive_their_statement() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    execute(
        &remote,
        &endpoint,
        "create temp table short_lived as select 1 as a",
    );
    let before = pid(&remote, &endpoint);
    let sql = "select * from short_lived";
    let select = Statement::select(sql.into());
    for turn in 0..5 {
        let options = prepared(Prepared::On);
        let mut kept = Vec::new();
        for _ in 0..4 {
            let mut call = remote.start(&select, vec![request(&endpoint, &[])], &options);
            match call.next().unwrap() {
                Event::Rows {
                    batch, done: true, ..
                } => kept.push(batch),
                _ => panic!("no rows"),
            }
        }
        execute(
            &remote,
            &endpoint,
            &format!("alter table short_lived add a{turn} int"),
        );
        let outcome = run(&remote, &endpoint, &select, &[]);
        assert_eq!(outcome.rows[0].1.len(), turn + 2);
        // Only now can the library close the old form, at the next opportunity.
        drop((kept, outcome));
        for _ in 0..3 {
            let outcome = run(&remote, &endpoint, &select, &[]);
            assert_eq!(outcome.columns[0].as_ref().unwrap().len(), turn + 2);
        }
    }
    assert_eq!(pid(&remote, &endpoint), before);
    assert_eq!(
        ask(
            &remote,
            &endpoint,
            "select count(*)::text from pg_prepared_statements"
        ),
        "1"
    );
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn the_question_behind_an_answer_does_not_cost_it() {
    let _turn = turn();
    let remote = remote();
    let (tell, told) = mpsc::channel();
    let connstr = scripted::serve(move |mut stream| {
        if !greet(&mut stream) {
            return;
        }
        // The statement; once more; but not which process it was.
        for _ in 0..2 {
            if !read_round(&mut stream) {
                return;
            }
            let _ = stream.write_all(&answer());
            let _ = tell.send(());
        }
        scripted::stay_silent(stream);
    });
    let endpoint = endpoint(&remote, "a", &connstr);
    let statement = Statement::call("select x".into());
    assert_eq!(run(&remote, &endpoint, &statement, &[]).text(), "x");
    told.recv_timeout(HANG).unwrap();
    let limit = Duration::from_millis(130);
    let options = CallOptions {
        query_timeout: Some(limit),
        ..CallOptions::default()
    };
    // The limit is overdue when the answer is found.
    before_next_wait(&remote, move || {
        told.recv_timeout(HANG).unwrap();
        std::thread::sleep(limit);
    });
    let requests = vec![request(&endpoint, &[])];
    let outcome = drain(remote.start(&statement, requests, &options));
    assert_eq!(outcome.text(), "x");
    assert_eq!(
        remote.connections().len(),
        0,
        "the question was not answered"
    );
}
