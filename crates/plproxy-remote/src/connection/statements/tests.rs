//! Which statements are prepared, and which are forgotten.

use super::*;
use crate::connection::statement_plan::Columns;
use std::time::Duration;

const START: Duration = Duration::from_secs(1_000_000);

const NOW: Age = at(START);

const fn at(now: Duration) -> Age {
    Age {
        now,
        lifetime: Duration::from_secs(1),
    }
}

/// Runs one statement several times and checks how.
fn check(prepared: Prepared, backend: BackendIdentity, expected: &[&str]) {
    let statement = Statement::call("select 1".into());
    let mut statements = StatementCache::default();
    for (turn, expected) in expected.iter().enumerate() {
        let plan = match statements.plan(&statement, prepared, backend, NOW) {
            Plan::Prepared(_) => "prepared",
            Plan::Prepare(name) => {
                let columns = Columns::Unknown;
                statements.keep(&statement, PreparedStatement { name, columns });
                "prepare"
            }
            Plan::Unnamed => "unnamed",
            Plan::UnnamedAndAsk => "ask",
        };
        assert_eq!(plan, *expected, "{prepared:?} {backend:?} turn {turn}");
    }
}

#[test]
fn a_statement_is_prepared_at_its_second_use() {
    use BackendIdentity::{Confirmed, Mismatched, Unknown};
    check(Prepared::Off, Confirmed, &["unnamed"; 3]);
    check(Prepared::Auto, Mismatched, &["unnamed"; 3]);
    check(Prepared::Auto, Unknown, &["unnamed", "ask", "ask"]);
    let all = ["unnamed", "prepare", "prepared", "prepared"];
    check(Prepared::Auto, Confirmed, &all);
    check(Prepared::On, Mismatched, &all);
}

#[test]
fn a_prepared_statement_is_not_used_on_another_process() {
    let statement = Statement::call("select 1".into());
    let mut statements = StatementCache::default();
    let mut plan = |backend| statements.plan(&statement, Prepared::Auto, backend, NOW);
    plan(BackendIdentity::Confirmed);
    assert!(matches!(plan(BackendIdentity::Confirmed), Plan::Prepare(_)));
    let (name, columns) = (new_name(), Columns::Unknown);
    statements.keep(&statement, PreparedStatement { name, columns });
    let mut plan = |backend| statements.plan(&statement, Prepared::Auto, backend, NOW);
    assert!(matches!(plan(BackendIdentity::Mismatched), Plan::Unnamed));
    assert!(matches!(
        plan(BackendIdentity::Confirmed),
        Plan::Prepared(_)
    ));
}

#[test]
fn what_is_forgotten_is_closed_once() {
    let (first, second) = (
        Statement::call("first".into()),
        Statement::call("second".into()),
    );
    let mut statements = StatementCache::default();
    for statement in [&first, &second] {
        statements.plan(statement, Prepared::On, BackendIdentity::Confirmed, NOW);
        let name = std::str::from_utf8(statement.sql().host()).unwrap().into();
        let columns = Columns::Unknown;
        statements.keep(statement, PreparedStatement { name, columns });
    }
    assert_eq!(statements.prepared(), 2);
    statements.forget(&first);
    assert_eq!(statements.prepared(), 1);
    assert_eq!(statements.forgotten(), ["first".into()]);
    statements.forgotten_are_closed();
    statements.give_up(&second);
    assert_eq!(statements.prepared(), 0);
    assert_eq!(statements.forgotten(), ["second".into()]);
    statements.forgotten_are_closed();
    statements.forget_prepared();
    assert!(statements.forgotten().is_empty());
    assert_eq!(statements.prepared(), 0);
}

#[test]
fn memory_is_bounded_and_the_oldest_goes_first() {
    let mut statements = StatementCache::default();
    let first = Statement::call("first".into());
    let second = Statement::call("second".into());
    statements.plan(&first, Prepared::On, BackendIdentity::Confirmed, NOW);
    statements.plan(&second, Prepared::On, BackendIdentity::Confirmed, NOW);
    statements.plan(&first, Prepared::On, BackendIdentity::Confirmed, NOW);
    for _ in 0..REMEMBERED - 1 {
        statements.plan(
            &Statement::call("other".into()),
            Prepared::On,
            BackendIdentity::Confirmed,
            NOW,
        );
    }
    assert_eq!(statements.entries.len(), REMEMBERED);
    assert!(statements.entries.contains_key(&first.id()));
    assert!(!statements.entries.contains_key(&second.id()));
}

#[test]
fn a_prepared_statement_is_prepared_anew_after_a_while() {
    let statement = Statement::call("select 1".into());
    let mut statements = StatementCache::default();
    let mut names = Vec::new();
    let mut plan = |now| match statements.plan(
        &statement,
        Prepared::Auto,
        BackendIdentity::Confirmed,
        at(now),
    ) {
        Plan::Prepared(_) => "prepared",
        Plan::Prepare(name) => {
            let columns = Columns::Unknown;
            statements.keep(&statement, PreparedStatement { name, columns });
            names.extend(statements.forgotten().iter().cloned());
            statements.forgotten_are_closed();
            "prepare"
        }
        _ => "unnamed",
    };
    let second = Duration::from_secs(1);
    let almost = Duration::from_millis(999);
    for (time, expected) in [
        (START, "unnamed"),
        (START, "prepare"),
        (START + almost, "prepared"),
        (START + second, "prepare"),
        (START + second + almost, "prepared"),
        (START + second * 9, "prepare"),
        // The clock was put back.
        (START, "prepare"),
        (START, "prepared"),
    ] {
        assert_eq!(plan(time), expected, "{time:?}");
    }
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(statements.prepared(), 1);
}

#[test]
fn a_text_with_constants_is_parsed_whenever_it_is_run() {
    for (sql, has_constants) in [
        ("select f($1::pg_catalog.int4, $2)", false),
        ("select a, 7 from t where b = $1 -- $$", true),
        ("select 'now'", true),
        ("select E'now'::timestamp", true),
        ("select $$now$$", true),
        ("select $x$now$x$", true),
        ("select $_$now$_$", true),
        ("select $ü$now$ü$", true),
        ("select u&'now'", true),
        ("select $", false),
    ] {
        let statement = Statement::select(sql.to_owned());
        let mut statements = StatementCache::default();
        let mut plan =
            || statements.plan(&statement, Prepared::On, BackendIdentity::Confirmed, NOW);
        plan();
        assert_eq!(matches!(plan(), Plan::Unnamed), has_constants, "{sql}");
    }
}
