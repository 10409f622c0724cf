//! `plproxy_run_on_all(…, atomic => true)`: a session, the local server, a partition are lost at every step, and afterwards
//! all partitions have the work or none, once `plproxy_recover_prepared` has run.

mod by_another;
mod connections;
mod losses;
mod partitions;
mod refused;
mod statements;

use plproxy_test_kit::Tally;

use crate::stages::{Stages, WORK};

/// Every part begins with an empty table and nothing to recover, and ends so.
pub fn run(tally: &mut Tally) {
    let stages = Stages::begin();
    works(tally, &stages);
    losses::run(tally, &stages);
    by_another::run(tally, &stages);
    by_another::ended(tally, &stages);
    refused::run(tally, &stages);
    statements::run(tally, &stages);
    statements::roles(tally, &stages);
    refused::without_answer(tally, &stages);
    connections::run(tally, &stages);
    partitions::run(tally, &stages);
}

fn works(tally: &mut Tally, stages: &Stages) {
    let decisions = "select count(*) from plproxy_internal.prepared_transactions";
    tally.same("it works", "2", stages.ask_proxy(&[WORK]));
    tally.same("on both", "1|0 1|0", stages.state());
    tally.same(
        "its rows are the decision",
        "2",
        stages.ask_proxy(&[decisions]),
    );
    tally.same("nothing to recover", "", stages.recover());
    tally.same(
        "but the rows have gone",
        "0",
        stages.ask_proxy(&[decisions]),
    );
    stages.clear();
}
