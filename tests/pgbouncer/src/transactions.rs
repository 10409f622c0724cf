//! Work on all partitions or none, prepared behind a pooler, and committed by whatever server connection comes; calls that
//! join the local transaction.

use plproxy_test_kit::Tally;

use crate::setup::{PROGRAMS, Setup, TWO};

const ATOMIC: &str = "select result from plproxy_run_on_all('parts', 'insert into t values (1); select ''done''', atomic => true)";
const NOT_BY_STATEMENT: &str = "transaction blocks not allowed in statement pooling mode";

/// Commands on all partitions or none.
pub fn atomic(tally: &mut Tally, setup: &Setup) {
    setup.part.execute("part", &["create table t (n int)"]);
    for program in PROGRAMS {
        for mode in ["session", "transaction"] {
            let pool_mode = format!("pool_mode = {mode}");
            let name = format!("atomic-{program}-{mode}");
            let pooler = setup.pooler(&name, program, &[&TWO[..], &["--set", &pool_mode]].concat());
            setup.go_by(&pooler, "");
            setup.part.execute("part", &["truncate t"]);
            tally.same(
                &format!("{program}, {mode}: atomic commands"),
                "done;done;done;done",
                setup.ask(&format!(
                    "begin; {ATOMIC}; {ATOMIC}; savepoint s; {ATOMIC}; rollback to s; commit; {ATOMIC}"
                )),
            );
            let state = "select (select count(*) from t), (select count(*) from pg_prepared_xacts)";
            tally.same(
                &format!("{program}, {mode}: are committed"),
                "3|0",
                setup.part.ask("part", &[state]),
            );
            tally.same(
                &format!("{program}, {mode}: and nothing is left to recover"),
                "",
                setup.ask("select * from plproxy_recover_prepared('parts')"),
            );
            // The same database without the pooler is the same database.
            let direct = setup.part.connstr("part");
            setup.ask(&format!("alter server parts options (add p1 '{direct}')"));
            setup.like(
                tally,
                &format!("{program}, {mode}: the same database without the pooler"),
                &["partitions 0 and 1 are one database"],
                &setup.ask(ATOMIC),
            );
            setup.ask("alter server parts options (drop p1)");
            pooler.kill();
        }
        let name = format!("atomic-{program}-statement");
        let pooler = setup.pooler(
            &name,
            program,
            &[&TWO[..], &["--set", "pool_mode = statement"]].concat(),
        );
        setup.go_by(&pooler, "");
        setup.like(
            tally,
            &format!("{program}, statement: an atomic command is refused"),
            &[NOT_BY_STATEMENT],
            &setup.ask(ATOMIC),
        );
        pooler.kill();
    }
}

/// Calls that join the local transaction keep their server connection, which a pool of statements cannot give.
pub fn joined(tally: &mut Tally, setup: &Setup) {
    setup.part.execute(
        "part",
        &[
            "create table j (n int)",
            "create function add(i int) returns int language sql as $$ insert into j values ($1) returning n $$",
        ],
    );
    setup.proxy.execute(
        "proxy",
        &[
            "create function add(i int) returns int language plproxy as $$ cluster 'parts'; run on 0; $$",
            "create table local (n int)",
        ],
    );
    for program in PROGRAMS {
        for mode in ["session", "transaction", "extended"] {
            let settings: &[&str] = match mode {
                "extended" => &[
                    "--set",
                    "pool_mode = transaction",
                    "--set",
                    "disable_pqexec = 1",
                ],
                "session" => &["--set", "pool_mode = session"],
                _ => &["--set", "pool_mode = transaction"],
            };
            let name = format!("joined-{program}-{mode}");
            let pooler = setup.pooler(&name, program, &[&TWO[..], settings].concat());
            setup.go_by(&pooler, "transaction_mode 'two_phase'");
            setup.part.execute("part", &["truncate j"]);
            tally.same(
                &format!("{program}, {mode}: calls of one transaction"),
                "1;2;t;3",
                setup.ask(
                    "begin; select add(1); select add(2); select a.pid = b.pid from one(1) a, one(2) b; \
                     savepoint s; select add(3); rollback to s; commit",
                ),
            );
            tally.same(
                &format!("{program}, {mode}: what was prepared is committed"),
                "4;5",
                setup.ask(
                    "begin; insert into local values (1); select add(4); commit; begin; select add(5); rollback",
                ),
            );
            tally.same(
                &format!("{program}, {mode}: that is all"),
                "1 2 4|0",
                setup.part.ask(
                    "part",
                    &["select (select string_agg(n::text, ' ' order by n) from j), (select count(*) from pg_prepared_xacts)"],
                ),
            );
            pooler.kill();
        }
        by_statement(tally, setup, program);
    }
}

fn by_statement(tally: &mut Tally, setup: &Setup, program: &str) {
    setup.part.execute("part", &["truncate j"]);
    let name = format!("joined-{program}-statement");
    let pooler = setup.pooler(
        &name,
        program,
        &[&TWO[..], &["--set", "pool_mode = statement"]].concat(),
    );
    setup.go_by(&pooler, "transaction_mode 'two_phase'");
    setup.like(
        tally,
        &format!("{program}, statement: refused"),
        &[NOT_BY_STATEMENT],
        &setup.ask("select add(1)"),
    );
    let said = setup.ask("select add(1)");
    let (_, hint) = said.split_once("HINT: ").unwrap_or_default();
    setup.like(
        tally,
        &format!("{program}, statement: with a hint"),
        &["the pooler must pool sessions or transactions"],
        hint,
    );
    tally.same(
        &format!("{program}, statement: nothing was done"),
        "0",
        setup.part.ask("part", &["select count(*) from j"]),
    );
    pooler.kill();
}
