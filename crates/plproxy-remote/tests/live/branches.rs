//! Transactions that go on from call to call.

use std::rc::Rc;

use plproxy_remote::{
    Branch, BranchStatus, CallOptions, Endpoint, Event, Remote, Script, ScriptOptions, Statement,
    Step, StepResult, Target, TextRequirements, TypedColumn, TypedColumns,
};

use crate::harness::*;

const QUESTION: &str = "select 'server ' || pg_catalog.current_database()";

fn branch(endpoint: &Rc<Endpoint>, begin: &str) -> Rc<Branch> {
    Branch::new(endpoint.clone(), vec![begin.into()], QUESTION)
}

/// Runs a statement that gives one text in a transaction.
fn run_in(remote: &Remote, branch: &Rc<Branch>, sql: &str) -> Outcome {
    run_statement_in(remote, branch, &Statement::select(sql.into()))
}

fn run_statement_in(remote: &Remote, branch: &Rc<Branch>, statement: &Rc<Statement>) -> Outcome {
    let requests = vec![request(branch.endpoint(), &[])];
    let options = CallOptions::default();
    drain(remote.start_in(vec![branch.clone()], statement, requests, &options))
}

/// Runs SQL on a transaction's own connection, which goes to rest then; its command tag.
fn end(remote: &Remote, branch: &Rc<Branch>, sql: &str) -> String {
    let script = Script {
        target: Target::Session(branch.take_session().unwrap()),
        steps: vec![Step::Run(sql.into())],
    };
    let mut running = remote.scripts(vec![script], &ScriptOptions::default());
    while !matches!(running.next(), Event::Finished) {}
    let outcome = running.outcomes().pop().unwrap();
    let Ok(StepResult::Ran { tag, .. }) = outcome.last().cloned() else {
        panic!("{outcome:?}");
    };
    remote.rest(outcome.session.unwrap(), &CallOptions::default());
    tag
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn calls_share_a_transaction_and_its_connection() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    execute(&remote, &endpoint, "drop table if exists branches");
    execute(&remote, &endpoint, "create table branches (n int)");
    let branch = branch(&endpoint, "begin isolation level repeatable read");
    assert_eq!(branch.status(), BranchStatus::New);
    let level = run_in(&remote, &branch, "show transaction_isolation");
    assert_eq!(level.text(), "repeatable read");
    assert_eq!(branch.status(), BranchStatus::Open);
    let (identity, _) = branch.identity().unwrap();
    assert!(identity.starts_with("server "), "{identity}");
    // It has not written anything.
    assert_eq!(branch.transaction(), None);
    let pid = run_in(&remote, &branch, "select pg_backend_pid()::text").text();
    let insert = "with i as (insert into branches values (1) returning n) select n::text from i";
    assert_eq!(run_in(&remote, &branch, insert).text(), "1");
    let number = run_in(&remote, &branch, "select pg_current_xact_id()::text").text();
    assert_eq!(branch.transaction(), Some(number.parse().unwrap()));
    // A call outside of it neither sees that nor gets its connection.
    let count = "select count(*)::text from branches";
    assert_eq!(ask(&remote, &endpoint, count), "0");
    assert_ne!(self::pid(&remote, &endpoint), pid);
    let in_transaction = |remote: &Remote| {
        let all = remote.connections();
        all.iter().filter(|one| one.in_transaction).count()
    };
    assert_eq!(in_transaction(&remote), 1);
    assert_eq!(end(&remote, &branch, "commit"), "COMMIT");
    assert_eq!(in_transaction(&remote), 0);
    assert_eq!(branch.status(), BranchStatus::Lost);
    assert_eq!(ask(&remote, &endpoint, count), "1");
    execute(&remote, &endpoint, "drop table branches");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_statement_does_not_run_if_its_transaction_cannot_begin() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    execute(&remote, &endpoint, "drop sequence if exists never");
    execute(&remote, &endpoint, "create sequence never");
    let branch = branch(&endpoint, "begin isolation level impossible");
    let error = run_in(&remote, &branch, "select nextval('never')::text").diagnostic();
    assert_eq!(&error.code, b"42601");
    // Nothing has begun, and the connection is good for others.
    assert_eq!(branch.status(), BranchStatus::New);
    let called = "select is_called::text from never";
    assert_eq!(ask(&remote, &endpoint, called), "false");
    assert_eq!(remote.connections().len(), 1);
    execute(&remote, &endpoint, "drop sequence never");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn what_goes_before_a_statement_is_sent_once() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let branch = branch(&endpoint, "begin");
    run_in(&remote, &branch, "select 'x'");
    branch.prepend("savepoint a".into());
    branch.prepend("savepoint b".into());
    assert!(branch.take_back("savepoint b"));
    assert!(branch.is_pending("savepoint a"));
    run_in(&remote, &branch, "select 'x'");
    assert!(!branch.is_pending("savepoint a"));
    assert!(!branch.take_back("savepoint a"));
    let error = run_in(&remote, &branch, "select (1 / 0)::text").diagnostic();
    assert_eq!(&error.code, b"22012");
    assert_eq!(branch.status(), BranchStatus::Failed);
    let session = branch.take_session().unwrap();
    let script = Script {
        target: Target::Session(session),
        steps: vec![Step::Run("rollback to savepoint a".into())],
    };
    let mut running = remote.scripts(vec![script], &ScriptOptions::default());
    while !matches!(running.next(), Event::Finished) {}
    let outcome = running.outcomes().pop().unwrap();
    branch.give_back(outcome.session.unwrap());
    assert_eq!(branch.status(), BranchStatus::Open);
    assert_eq!(run_in(&remote, &branch, "select 'on'").text(), "on");
    assert_eq!(end(&remote, &branch, "rollback"), "ROLLBACK");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_lost_connection_takes_the_transaction_with_it() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let branch = branch(&endpoint, "begin");
    let pid = run_in(&remote, &branch, "select pg_backend_pid()::text").text();
    let kill = format!("select pg_terminate_backend({pid}, 30000)::text");
    assert_eq!(ask(&remote, &endpoint, &kill), "true");
    let error = run_in(&remote, &branch, "select 'again'").diagnostic();
    assert_eq!(&error.code, b"57P01");
    assert_eq!(branch.status(), BranchStatus::Lost);
    assert!(branch.take_session().is_none());
    run_in(&remote, &branch, "select 'again'").error();
    // A call that is left in the middle does the same.
    let branch = self::branch(&endpoint, "begin");
    run_in(&remote, &branch, "select 'x'");
    let statement = Statement::select("select g::text from generate_series(1, 1000000) g".into());
    let requests = vec![request(&endpoint, &[])];
    let options = CallOptions::default();
    let mut call = remote.start_in(vec![branch.clone()], &statement, requests, &options);
    assert!(matches!(call.next(), Ok(Event::Rows { .. })));
    assert_eq!(branch.status(), BranchStatus::Busy);
    drop(call);
    assert_eq!(branch.status(), BranchStatus::Lost);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn one_connection_runs_one_statement() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let branch = branch(&endpoint, "begin");
    let requests = vec![request(&endpoint, &[]), request(&endpoint, &[])];
    let statement = Statement::select("select 'x'".into());
    let branches = vec![branch.clone(), branch.clone()];
    let options = CallOptions::default();
    let error = drain(remote.start_in(branches, &statement, requests, &options)).error();
    assert!(error.kind.to_string().contains("is under way"), "{error:?}");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn what_a_server_may_refuse_leaves_an_open_transaction_as_it_is() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    execute(&remote, &endpoint, "drop table if exists branches");
    execute(&remote, &endpoint, "create table branches (n int)");
    let insert = "insert into branches values (1) returning n::text";
    let count = "select count(*)::text from branches";
    let typed = |type_oid| {
        let column = TypedColumn {
            name: None,
            type_oid: Some(type_oid),
        };
        Some(Rc::new(TypedColumns {
            columns: [column].into(),
            by_place: false,
            rest: TextRequirements::default(),
        }))
    };
    let procedure = |typed| {
        let call = "call no_such_procedure()".into();
        Statement::procedure(
            call,
            TextRequirements::default(),
            typed,
            "select 'function'".into(),
        )
    };
    for typed in [None, typed(1082)] {
        for opens in [false, true] {
            let branch = branch(&endpoint, "begin");
            if opens {
                assert_eq!(run_in(&remote, &branch, insert).text(), "1");
            }
            let statement = procedure(typed.clone());
            for _ in 0..4 {
                let done = run_statement_in(&remote, &branch, &statement);
                assert_eq!(done.text(), "function", "{typed:?} {opens}");
            }
            let rows = run_in(&remote, &branch, count).text();
            assert_eq!(rows, u8::from(opens).to_string());
            assert_eq!(end(&remote, &branch, "rollback"), "ROLLBACK");
        }
    }
    // Its text is asked for first, and its error is all that comes of it.
    let branch = branch(&endpoint, "begin");
    run_in(&remote, &branch, insert);
    let sql = "select day from no_such_table".into();
    let statement = Statement::typed(sql, TextRequirements::default(), typed(1082));
    let error = run_statement_in(&remote, &branch, &statement).diagnostic();
    assert_eq!(&error.code, b"42P01");
    assert_eq!(branch.status(), BranchStatus::Open);
    assert_eq!(run_in(&remote, &branch, count).text(), "1");
    // One that is asked about and run leaves nothing behind, either.
    let sql = "select current_date".into();
    let statement = Statement::typed(sql, TextRequirements::default(), typed(1082));
    for _ in 0..3 {
        run_statement_in(&remote, &branch, &statement);
        assert_eq!(branch.status(), BranchStatus::Open);
    }
    let error = run_in(&remote, &branch, "release savepoint plproxy_probe").diagnostic();
    assert_eq!(&error.code, b"3B001");
    assert_eq!(end(&remote, &branch, "rollback"), "ROLLBACK");
    execute(&remote, &endpoint, "drop table branches");
}
