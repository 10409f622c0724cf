//! Partitions that are copies, or lie.

use plproxy_test_kit::Tally;

use super::{lose_at_commit, of_all};
use crate::stages::{Loss, Stages, Step, tell};

/// One that lists another's transaction as its own, and says that it has committed it: its answer is for itself.
pub fn lie(tally: &mut Tally, stages: &Stages) {
    let lie = || {
        let mut work = stages.at(Step::Commit);
        let gid = tell(&stages.b, "part", &["select gid from pg_prepared_xacts"]);
        stages.lose(&mut work, Loss::Killed);
        work.end();
        let prepare = format!("prepare transaction '{gid}'");
        stages
            .a
            .execute("part", &["begin", "create table lie ()", &prepare]);
    };
    let drop = || stages.a.execute("part", &["drop table lie"]);

    lie();
    stages.b.stop("fast");
    let said = stages.recover();
    tally.same(
        "a partition that lies",
        "0|committed",
        said.split(";1|connection").next().unwrap_or_default(),
    );
    stages.b.restart();
    tally.same(
        "takes nothing from another",
        "1|committed",
        stages.recover(),
    );
    tally.same("all is there", "1|0 1|0", stages.state());
    drop();
    stages.clear();

    lie();
    tally.same("both list it", of_all("committed"), stages.recover());
    tally.same("both end it", "1|0 1|0", stages.state());
    tally.same(
        "and it is forgotten",
        "0",
        stages.ask_proxy(&["select count(*) from plproxy_internal.prepared_transactions"]),
    );
    drop();
    stages.clear();
}

/// Two that differ by hostaddr only.
pub fn by_address(tally: &mut Tally, stages: &Stages) {
    let port = stages.a.port();
    stages.b.stop("fast");
    let b = stages.b.moved_to("127.0.0.2", port);
    let server = format!(
        "alter server parts options (set p0 'host=db hostaddr=127.0.0.1 dbname=part port={port}', \
         set p1 'host=db hostaddr=127.0.0.2 dbname=part port={port}')"
    );
    stages.proxy.execute("postgres", &[&server]);
    let stages = Stages {
        run: stages.run.clone(),
        a: stages.a.clone(),
        b,
        proxy: stages.proxy.clone(),
    };
    lose_at_commit(&stages);
    tally.same(
        "hostaddr: decided, and not finished",
        "1|0 0|1",
        stages.state(),
    );
    tally.same("hostaddr: the recovery", "1|committed", stages.recover());
    tally.same("hostaddr: all is there", "1|0 1|0", stages.state());
}
