//! The original is gone, and the copy, or a standby that is promoted, takes its place.

use plproxy_test_kit::{Tally, until_is, wait_until};

use super::{id_of_prepared, lose_at_commit};
use crate::stages::{SETTINGS, Stages, Step, WORK, tell};

pub fn run(tally: &mut Tally, stages: &Stages, original: &str) {
    let standby = stages
        .run
        .start_standby("standby", &stages.proxy, &SETTINGS);
    wait_until("the standby follows", || {
        let following = "select count(*) from pg_stat_replication where state = 'streaming'";
        stages.ask_proxy(&[following]) == "1"
    });
    lose_at_commit(stages);
    let session = stages.begin_session(&stages.proxy);
    session.send(WORK);
    until_is("1|1 0|2", || stages.state());
    wait_until("the standby has all", || {
        let replayed = tell(&standby, "postgres", &["select pg_last_wal_replay_lsn()"]);
        replayed == stages.ask_proxy(&["select pg_current_wal_flush_lsn()"])
    });
    tally.same(
        "a standby recovers nothing",
        "ERROR:  PL/Proxy function public.plproxy_recover_prepared(1): prepared transactions cannot be recovered on a standby server",
        stages.recover_on(&standby, None),
    );
    standby.promote();
    let all = format!(
        "0|decided on server {original};0|of server {original};1|of server {original};1|of server {original}"
    );
    tally.same(
        "a promoted standby leaves alone what the original is at",
        &all,
        stages.recover_on(&standby, None),
    );
    tally.same("nothing is changed", "1|1 0|2", stages.state());
    stages.lose_machine(session.process);
    session.end();
    tally.same(
        "also when that is gone",
        &all,
        stages.recover_on(&standby, None),
    );
    tally.same(
        "it is told so",
        "0|rolled back;1|committed;1|rolled back",
        stages.recover_on(&standby, Some(original)),
    );
    tally.same(
        "what was decided is everywhere, and nothing else",
        "1|0 1|0",
        stages.state(),
    );
    tally.same("nothing is left", "", stages.recover_on(&standby, None));
    stages.on_partitions("part", "truncate t", "");
    let work = stages.at_on(&standby, Step::Prepared);
    let own = id_of_prepared(stages);
    tally.same(
        "it does not take itself for lost",
        "ERROR:  PL/Proxy function public.plproxy_recover_prepared(2): this is the server itself that is to be lost",
        stages.recover_on(&standby, Some(&own)),
    );
    work.send("rollback");
    work.end();
    stages.proxy.restart();
    stages.clear();
}
