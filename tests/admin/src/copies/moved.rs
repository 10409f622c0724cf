//! A data directory that was moved, and one that was put back in place.

use std::fs;
use std::path::Path;
use std::process::Command;

use plproxy_test_kit::Tally;

use super::{end, id_of_prepared, of_all};
use crate::stages::{Loss, Stages, Step, tell};

pub fn run(tally: &mut Tally, stages: &Stages) {
    let proxy = &stages.proxy;
    let work = stages.at(Step::Prepared);
    let here = id_of_prepared(stages);
    end(proxy, work);
    proxy.stop("fast");
    let moved = proxy.directory().join("moved");
    fs::rename(proxy.data(), &moved).expect("to be moved");
    copy(&moved, &proxy.data());
    proxy.restart();
    tally.same(
        "it does not know itself again",
        of_all(&format!("of server {here}")),
        stages.recover(),
    );
    tally.same(
        "until it is told",
        of_all("rolled back"),
        stages.recover_on(proxy, Some(&here)),
    );
    // The same directory at the same place is the same server, however often it crashes.
    let mut work = stages.at(Step::Prepared);
    stages.lose(&mut work, Loss::Machine);
    work.end();
    tally.same(
        "after a crash it does",
        of_all("rolled back"),
        stages.recover(),
    );
}

/// The same server, with the numbers of transactions to be given again.
pub fn put_back(tally: &mut Tally, stages: &Stages) {
    let proxy = &stages.proxy;
    proxy.stop("fast");
    let kept = proxy.directory().join("kept");
    copy(&proxy.data(), &kept);
    proxy.restart();
    let work = stages.at(Step::Prepared);
    let transaction = tell(
        &stages.a,
        "part",
        &["select split_part(gid, '_', 5) from pg_prepared_xacts"],
    );
    stages.lose_machine(work.session.process);
    work.end();
    replace(&proxy.data(), &kept);
    proxy.restart();
    proxy.wait_ready();
    let wanted: u64 = transaction.parse().expect("a number of a transaction");
    let given = || -> u64 {
        let given = stages.ask_proxy(&["select pg_current_xact_id()"]);
        given.parse().expect("a number of a transaction")
    };
    let again = (0..100).any(|_| given() >= wanted);
    assert!(again, "transaction {transaction} was not given again");
    tally.same(
        "put back: the number was given again",
        "committed",
        stages.ask_proxy(&[&format!("select pg_xact_status('{transaction}')")]),
    );
    tally.same(
        "put back: that is not what was decided",
        of_all("decision missing"),
        stages.recover(),
    );
    tally.same("put back: all is as it was", "0|1 0|1", stages.state());
    for server in stages.partitions() {
        let session = server.session("part");
        for gid in session
            .ask(&["select gid from pg_prepared_xacts"])
            .split(';')
        {
            session.ask(&[&format!("rollback prepared '{gid}'")]);
        }
    }
}

/// With owners and times.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "cp {}",
        from.display()
    );
}

/// Puts another's files into a data directory; PG_VERSION stays the file that it is.
fn replace(data: &Path, other: &Path) {
    for entry in fs::read_dir(data).expect("a data directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            fs::remove_dir_all(&path).expect("to be removed");
        } else if !path.ends_with("PG_VERSION") {
            fs::remove_file(&path).expect("to be removed");
        }
    }
    copy(&other.join("."), data);
}
