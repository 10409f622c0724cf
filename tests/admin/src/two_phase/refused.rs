//! A partition that refuses, at the command or when it is to be prepared; and one that does not answer then.

use plproxy_test_kit::{Tally, until_is, wait_until};

use crate::stages::{LOCK, Stages, WORK, tell};

pub fn run(tally: &mut Tally, stages: &Stages) {
    let b = &stages.b;
    b.execute(
        "part",
        &[
            "create unique index only_one on t (n)",
            "insert into t values (1)",
        ],
    );
    tally.same(
        "one refuses the command",
        "ERROR:  public.plproxy_run_on_all(3): [part] REMOTE ERROR: duplicate key value violates unique constraint \
         \"only_one\";DETAIL:  Remote detail: Key (n)=(1) already exists.",
        stages.ask_proxy(&[WORK]),
    );
    tally.same("none has it", "0|0 1|0", stages.state());
    b.execute("part", &["drop index only_one", "truncate t"]);
    tally.same(
        "one refuses to prepare",
        "ERROR:  public.plproxy_run_on_all(3): [part] REMOTE ERROR: cannot PREPARE a transaction that has operated on \
         temporary objects",
        stages.ask_proxy(&[
            "select from plproxy_run_on_all('parts', 'insert into t values (1); do $$ begin
                if current_setting(''cluster_name'') = ''b'' then create temp table x (); end if; end $$', atomic => true)",
        ]),
    );
    tally.same("none has it, either", "0|0 0|0", stages.state());
}

/// An answer to PREPARE that does not come, of a server process that takes no notice of being cancelled, and is stopped:
/// whether it prepares in the end is not known when the local transaction is over, and that is said.
pub fn without_answer(tally: &mut Tally, stages: &Stages) {
    for server in stages.partitions() {
        server.execute(
            "part",
            &[
                "create table stubborn (n int)",
                "create function stubborn() returns trigger language plpgsql as $$
                begin
                    loop
                        begin
                            perform pg_advisory_lock_shared(7);
                            return null;
                        exception when query_canceled then
                            null;
                        end;
                    end loop;
                end $$",
                "create constraint trigger stubborn after insert on stubborn deferrable initially deferred
                    for each row execute function stubborn()",
            ],
        );
    }
    let on_a = || {
        let count =
            "select (select count(*) from stubborn), (select count(*) from pg_prepared_xacts)";
        tell(&stages.a, "part", &[count])
    };
    let session = stages.begin_session(&stages.proxy);
    let blocker = stages.block(LOCK);
    session.send("select count(*) from plproxy_run_on_all('parts', 'insert into stubborn values (1)', atomic => true)");
    let stubborn = stages
        .b
        .wait_process("query like 'prepare%' and wait_event_type = 'Lock'");
    assert_eq!(until_is("0|1", on_a), "0|1", "it is prepared on a");
    stubborn.stop();
    stages.proxy.cancel(&format!("pid = {}", session.process.0));
    session.send("rollback");
    session.send("select 'over'");
    wait_until("the session is over it", || {
        session.log().iter().any(|line| line.contains("over"))
    });
    tally.same(
        "PREPARE without an answer: the other is rolled back",
        "0|0",
        until_is("0|0", on_a),
    );
    let log = session.log();
    let told: Vec<&str> = log
        .iter()
        .filter_map(|line| {
            line.get(line.find("on partition 1 of")?..)?
                .split(':')
                .next()
        })
        .collect();
    tally.same(
        "PREPARE without an answer: it is told",
        "on partition 1 of cluster \"parts\", if it is prepared at all, could not be rolled back",
        told.join(";"),
    );
    tally.same(
        "PREPARE without an answer: nothing is there yet",
        "",
        stages.recover(),
    );
    stubborn.go_on();
    blocker.end();
    tally.same(
        "PREPARE without an answer: it is prepared in the end",
        "0|0 0|1",
        until_is("0|0 0|1", || stages.state_of("part", "stubborn")),
    );
    tally.same(
        "PREPARE without an answer: the recovery ends it",
        "1|rolled back",
        stages.recover(),
    );
    session.end();
}
