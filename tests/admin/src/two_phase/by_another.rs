//! What somebody else has rolled back, or committed, before the partitions were told to commit; and sessions that are ended
//! with what they cannot say to their client any more. All in a database of another encoding.

use plproxy_test_kit::{Tally, until_is};

use crate::stages::{Stages, WORK, masked, tell};

/// The former is told, in whatever encoding, and the session goes on as before: interrupts reach it.
pub fn run(tally: &mut Tally, stages: &Stages) {
    stages.proxy.execute(
        "postgres",
        &["create database latin encoding latin1 locale 'C' template template0"],
    );
    stages.create_cluster("latin", "parts", "part");
    let warning = |partition: u32, what: &str| {
        format!(
            "WARNING:  prepared transaction \"GID\" on partition {partition} of cluster \"parts\" {what}"
        )
    };
    let both = |what: &str| format!("{};{}", warning(0, what), warning(1, what));

    let lost = "was to be committed, and is not there any more;HINT:  What the transaction did on that partition is lost.";
    tally.same(
        "rolled back by another",
        format!(
            "2;2;{};ERROR:  canceling statement due to statement timeout",
            both(lost)
        ),
        end_by_another(stages, "rollback"),
    );
    tally.same("nothing is there", "0|0 0|0", stages.state());
    let rolled_back = "was to be committed, and was rolled back there by somebody else";
    tally.same(
        "the recovery tells of it, too",
        format!("{};0|{rolled_back};1|{rolled_back}", both(rolled_back)),
        recover(stages),
    );
    tally.same("once", "", recover(stages));
    tally.same(
        "committed by another",
        "2;2;ERROR:  canceling statement due to statement timeout",
        end_by_another(stages, "commit"),
    );
    tally.same("all is there", "1|0 1|0", stages.state());
    tally.same("and there is nothing to tell", "", recover(stages));
    stages.clear();
}

fn end_by_another(stages: &Stages, how: &str) -> String {
    let end = format!(
        "select count(*) from plproxy_internal.prepared_transactions p,
            plproxy_run_on_all('parts', format('{how} prepared %L', p.gid)) r where r.success"
    );
    let session = stages.proxy.session("latin");
    for statement in [
        "set client_encoding = latin1",
        "begin",
        WORK,
        &end,
        "commit",
        "set statement_timeout = '200ms'",
        "select 'slept', pg_sleep(5)",
    ] {
        session.run(statement);
    }
    without_gids(&session.end().join(";"))
}

fn recover(stages: &Stages) -> String {
    let recover = "select partition, action from plproxy_recover_prepared('parts')";
    without_gids(&tell(&stages.proxy, "latin", &[recover]))
}

fn without_gids(text: &str) -> String {
    masked(
        text,
        "plproxy_",
        "GID",
        |c| matches!(c, '0'..='9' | 'a'..='f' | '_'),
    )
    .replace("plproxy_GID", "GID")
}

/// A session that is ended leaves none of its locks: neither where there is no catalog to look for a conversion in, nor where
/// the database's encoding lacks a character of a partition's words. Those come in UTF-8, as the partition's server cannot
/// convert between the two encodings.
pub fn ended(tally: &mut Tally, stages: &Stages) {
    for server in stages.partitions() {
        server.execute(
            "postgres",
            &["create database part_jp encoding 'EUC_JP' locale 'C' template template0"],
        );
        server.execute("part_jp", &["create table t (n int)"]);
    }
    stages.proxy.execute("latin", &["create table locked ()"]);
    stages.create_cluster("latin", "parts_jp", "part_jp");
    for encoding in ["latin1", "utf8"] {
        end(tally, stages, encoding);
    }
}

fn end(tally: &mut Tally, stages: &Stages, encoding: &str) {
    stages.proxy.clear_log();
    let session = stages.proxy.session("latin");
    session.send(&format!("set client_encoding = {encoding}"));
    session.send("begin");
    session.send("lock table locked");
    session.send(&WORK.replace("parts", "parts_jp"));
    let prepared = until_is("0|1 0|1", || stages.state_of("part_jp", "t"));
    assert_eq!(
        prepared, "0|1 0|1",
        "rows and prepared transactions of part_jp"
    );
    for server in stages.partitions() {
        server.execute(
            "postgres",
            &["alter database part_jp set session_preload_libraries = 'ж'"],
        );
        server.terminate("datname = 'part_jp'");
        let left = "select count(*) from pg_stat_activity where datname = 'part_jp'";
        until_is("0", || tell(server, "postgres", &[left]));
    }
    stages
        .proxy
        .terminate(&format!("pid = {}", session.process.0));
    session.process.wait();
    session.end();
    for server in stages.partitions() {
        server.execute(
            "postgres",
            &["alter database part_jp reset session_preload_libraries"],
        );
    }
    tally.same(
        &format!("ended, {encoding}: no lock is left"),
        "0",
        tell(
            &stages.proxy,
            "latin",
            &["select count(*) from pg_locks where relation = 'locked'::regclass"],
        ),
    );
    let log = stages.proxy.log();
    let fatal = |line: &&str| line.contains("FATAL") && !line.contains("file \"");
    tally.same(
        &format!("ended, {encoding}: one FATAL"),
        "1",
        log.lines().filter(fatal).count().to_string(),
    );
    let told = |line: &&str| {
        line.split_once("could not be rolled back: ")
            .is_some_and(|(_, why)| why.contains("could not access file \"?\""))
    };
    tally.same(
        &format!("ended, {encoding}: the log tells"),
        "2",
        log.lines().filter(told).count().to_string(),
    );
    tally.same(
        &format!("ended, {encoding}: the recovery"),
        "0|rolled back;1|rolled back",
        tell(
            &stages.proxy,
            "latin",
            &["select partition, action from plproxy_recover_prepared('parts_jp')"],
        ),
    );
}
