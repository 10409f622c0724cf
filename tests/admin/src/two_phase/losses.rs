//! Every loss at every step; and what the local transaction does to the work.

use plproxy_test_kit::{Tally, until_is};

use crate::stages::{Loss, Stages, Step, WORK, tell};

pub fn run(tally: &mut Tally, stages: &Stages) {
    for (step, name) in [
        (Step::Command, "command"),
        (Step::Prepare, "prepare"),
        (Step::Prepared, "prepared"),
        (Step::Commit, "commit"),
    ] {
        for (loss, lost) in [
            (Loss::Terminated, "terminated"),
            (Loss::Killed, "killed"),
            (Loss::Machine, "machine"),
            (Loss::Partition, "partition"),
        ] {
            lose(tally, stages, (step, loss), &format!("{name}, {lost}"));
        }
    }
    left_alone(tally, stages);
    local(tally, stages);
}

/// What is committed locally when the loss comes is committed everywhere in the end, else nothing is.
fn lose(tally: &mut Tally, stages: &Stages, (step, loss): (Step, Loss), name: &str) {
    let mut wanted = match step {
        Step::Commit => "1|0 1|0",
        _ => "0|0 0|0",
    };
    let mut work = stages.at(step);
    stages.lose(&mut work, loss);
    work.unblock();
    if (step, loss) == (Step::Prepared, Loss::Partition) {
        // The local transaction is open still, and decides.
        work.send("commit");
        wanted = "1|0 1|0";
    }
    work.end();
    // A statement that nobody waits for any more may still be under way on b.
    let active = "select count(*) from pg_stat_activity
        where state = 'active' and (query like 'prepare%' or query like 'insert%')";
    until_is("0", || tell(&stages.b, "part", &[active]));
    let left = stages.state();
    let done = stages.recover();
    let done = if done.is_empty() { "nothing" } else { &done };
    tally.same(
        &format!("{name}: all or none (left: {left}; recovery: {done})"),
        wanted,
        stages.state(),
    );
    tally.same(
        &format!("{name}: nothing left to recover"),
        "",
        stages.recover(),
    );
    stages.clear();
}

/// A session that is at it is left alone.
fn left_alone(tally: &mut Tally, stages: &Stages) {
    let work = stages.at(Step::Prepared);
    tally.same(
        "recovery leaves a live session alone",
        "0|in progress;1|in progress",
        stages.recover(),
    );
    tally.same("both are still prepared", "0|1 0|1", stages.state());
    work.send("rollback");
    work.end();
    tally.same(
        "rolled back with the local transaction",
        "0|0 0|0",
        stages.state(),
    );
}

/// Savepoints, exceptions, and an error after the work.
fn local(tally: &mut Tally, stages: &Stages) {
    tally.same(
        "a savepoint rolled back",
        "2",
        stages.ask_proxy(&["begin", "savepoint s", WORK, "rollback to s", "commit"]),
    );
    tally.same("it took the work with it", "0|0 0|0", stages.state());
    tally.same(
        "a savepoint released",
        "2",
        stages.ask_proxy(&["begin", "savepoint s", WORK, "release s", "commit"]),
    );
    tally.same("the work stays", "1|0 1|0", stages.state());
    stages.clear();
    tally.same(
        "an exception block",
        "",
        stages.ask_proxy(&["do $$ begin begin
            perform count(*) from plproxy_run_on_all('parts', 'insert into t values (1)', atomic => true);
            perform 1/0; exception when others then null; end; end $$"]),
    );
    tally.same("it took the work with it, too", "0|0 0|0", stages.state());
    tally.same(
        "twice in one transaction",
        "2;2",
        stages.ask_proxy(&["begin", WORK, WORK, "commit"]),
    );
    tally.same("both are done", "2|0 2|0", stages.state());
    stages.clear();
}
