//! A cancel ends the statement that it is meant for, and no other.

use plproxy_test_kit::{Tally, until_is, wait_until};

use crate::setup::{PROGRAMS, Setup, TWO};

pub fn run(tally: &mut Tally, setup: &Setup) {
    for program in PROGRAMS {
        let name = format!("cancel-{program}");
        let pooler = setup.pooler(
            &name,
            program,
            &[&TWO[..], &["--set", "pool_mode = transaction"]].concat(),
        );
        setup.go_by(&pooler, "");
        one(tally, setup, &name);
        many(tally, setup, &name);
        pooler.kill();
    }
}

fn one(tally: &mut Tally, setup: &Setup, name: &str) {
    let other = setup.proxy.session("proxy");
    let bystander = other.send("select slow('bystander', 8)");
    wait_until("the bystander runs", || setup.running() == "1");
    let session = setup.proxy.session("proxy");
    session.run("set statement_timeout = '500ms'");
    let cancelled = session.run("select slow('cancelled', 60)");
    session.run("set statement_timeout = 0");
    let next = session.run("select said from one(7)").lines().join(";");
    tally.same(
        &format!("{name}: the statement is cancelled, the next call works"),
        "57014;one 7",
        format!("{};{next}", cancelled.sqlstate().unwrap_or("no error")),
    );
    tally.same(
        &format!("{name}: the other session's statement is not"),
        "bystander",
        bystander.said(),
    );
    tally.same(
        &format!("{name}: nothing goes on at the partition"),
        "0",
        until_is("0", || setup.running()),
    );
}

/// Two sessions whose statements are cancelled all the time share the server connections with two that go on calling.
fn many(tally: &mut Tally, setup: &Setup, name: &str) {
    let pairs = [1, 2].map(|number| {
        let cancelled = setup.proxy.session("proxy");
        cancelled.send("set statement_timeout = '25ms'");
        let statements: Vec<_> = (1..=100)
            .map(|turn| {
                let label = format!("{number} {turn}");
                let statement = format!("select slow('{label}', 0.0{})", turn % 5 + 1);
                (cancelled.send(&statement), label)
            })
            .collect();
        let calling = setup.proxy.session("proxy");
        let calls = calling.send(&format!(
            "select made, wrong, errors, message from hammer({number}, 3000)"
        ));
        (cancelled, statements, calling, calls)
    });
    for (_cancelled, statements, _calling, calls) in pairs {
        tally.same(
            &format!("{name}: calls beside cancelled ones"),
            "3000|0|0|",
            calls.said(),
        );
        let answers = statements
            .into_iter()
            .map(|(statement, label)| (statement.wait(), label));
        let (mut cancelled, mut finished, mut others) = (0, 0, Vec::new());
        for (answer, label) in answers {
            match answer.sqlstate() {
                Some("57014") => cancelled += 1,
                None if answer.lines() == [label] => finished += 1,
                _ => others.extend(answer.lines()),
            }
        }
        tally.check(
            &format!("{name}: cancelled, or finished with the own answer"),
            cancelled + finished == 100,
            &others.join(";"),
        );
        tally.check(
            &format!("{name}: some were cancelled"),
            cancelled > 0,
            &format!("{finished} finished"),
        );
    }
}
