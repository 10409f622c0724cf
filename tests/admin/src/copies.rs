//! Copies of the proxy's server: a base backup that is started beside it, a standby that is promoted, a dump restored
//! elsewhere. What the one has under way the other leaves alone, until it is told that the first is gone.

mod moved;
mod partitions;
mod replaced;

use plproxy_test_kit::{Server, Tally};

use crate::stages::{Loss, SETTINGS, Stages, Step, Work, tell};

pub fn run(tally: &mut Tally) {
    let stages = Stages::begin();
    let original = base_backup(tally, &stages);
    replaced::run(tally, &stages, &original);
    dump(tally, &stages);
    moved::run(tally, &stages);
    moved::put_back(tally, &stages);
    partitions::lie(tally, &stages);
    partitions::by_address(tally, &stages);
}

/// What the server calls itself that has prepared something.
fn id_of_prepared(stages: &Stages) -> String {
    let id = "select split_part(gid, '_', 4) from pg_prepared_xacts limit 1";
    tell(&stages.a, "part", &[id])
}

/// A base backup of the proxy, as it is now, started beside it.
fn copy(stages: &Stages, name: &str) -> Server {
    let server = stages.run.start_standby(name, &stages.proxy, &SETTINGS);
    server.stop("fast");
    std::fs::remove_file(server.data().join("standby.signal")).expect("a standby");
    server.restart();
    server
}

/// A session of the proxy has decided when it is lost.
fn lose_at_commit(stages: &Stages) {
    let mut work = stages.at(Step::Commit);
    stages.lose(&mut work, Loss::Killed);
    work.end();
}

/// Kills the session on that server.
fn end(server: &Server, work: Work) {
    server.crash(work.session.process);
    work.end();
}

/// What the recovery says of everything, by partition.
fn of_all(what: &str) -> String {
    format!("0|{what};1|{what}")
}

/// Gives what the original calls itself.
fn base_backup(tally: &mut Tally, stages: &Stages) -> String {
    let work = stages.at(Step::Prepared);
    let original = id_of_prepared(stages);
    let of_original = of_all(&format!("of server {original}"));
    let beside = copy(stages, "beside");
    tally.same(
        "a copy leaves alone what the original is at",
        of_original,
        stages.recover_on(&beside, None),
    );
    tally.same("it is still prepared", "0|1 0|1", stages.state());
    work.send("commit");
    let log = work.end();
    tally.same("and is committed", "1|0 1|0", stages.state());
    let warnings = log.iter().filter(|line| line.contains("WARNING"));
    tally.same("without a warning", "0", warnings.count().to_string());
    tally.same(
        "nor has the original anything to tell",
        "",
        stages.recover(),
    );
    stages.clear();

    let work = stages.at_on(&beside, Step::Prepared);
    let copied = id_of_prepared(stages);
    let of_copy = of_all(&format!("of server {copied}"));
    tally.check(
        "the copy calls itself something else",
        copied != original && copied.len() == 16,
        &copied,
    );
    tally.same(
        "the original leaves alone what the copy is at",
        &of_copy,
        stages.recover(),
    );
    end(&beside, work);
    tally.same("also when that is lost", &of_copy, stages.recover());
    tally.same(
        "which is for the copy to end",
        of_all("rolled back"),
        stages.recover_on(&beside, None),
    );
    inherited(tally, stages, &original);
    original
}

/// Decided by the original, and inherited by a copy: that is for the original, too.
fn inherited(tally: &mut Tally, stages: &Stages, original: &str) {
    lose_at_commit(stages);
    tally.same("decided, and not finished", "1|0 0|1", stages.state());
    let later = copy(stages, "later");
    tally.same(
        "a copy that has the decision",
        format!("0|decided on server {original};1|of server {original}"),
        stages.recover_on(&later, None),
    );
    tally.same("the original finishes it", "1|committed", stages.recover());
    tally.same("all is there", "1|0 1|0", stages.state());
    tally.same(
        "the copy tells what it has of it",
        of_all(&format!("decided on server {original}")),
        stages.recover_on(&later, None),
    );
    tally.same(
        "and forgets it when the original is gone",
        "",
        stages.recover_on(&later, Some(original)),
    );
    tally.same("for ever", "", stages.recover_on(&later, None));
    stages.clear();
    later.stop("fast");
}

fn dump(tally: &mut Tally, stages: &Stages) {
    let decisions = "select count(*) from plproxy_internal.prepared_transactions";
    let work = stages.at(Step::Prepared);
    let there = format!(
        "select count(*) from pg_stat_activity where pid = {}",
        work.session.process.0
    );
    tally.same(
        "a session that has decided",
        "1",
        stages.ask_proxy(&[&there]),
    );
    work.send("commit");
    work.end();
    tally.same(
        "the original has decisions",
        "2",
        stages.ask_proxy(&[decisions]),
    );
    let restored = stages.run.start("restored", &SETTINGS);
    let file = stages.run.path().join("dump.sql");
    let dump = stages.proxy.tool("pg_dump", &["-d", "postgres"]);
    std::fs::write(&file, dump).expect("the dump");
    restored.tool(
        "psql",
        &[
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-f",
            &file.to_string_lossy(),
        ],
    );
    stages.clear();
    tally.same(
        "a restored dump has none",
        "0",
        tell(&restored, "postgres", &[decisions]),
    );
    let work = stages.at(Step::Prepared);
    tally.same(
        "and sees nothing of the original",
        "",
        stages.recover_on(&restored, None),
    );
    work.send("commit");
    work.end();
    tally.same("which commits", "1|0 1|0", stages.state());
    stages.clear();
}
