//! Partitions where one would wait for itself, or where nothing can be prepared.

use plproxy_test_kit::Tally;

use crate::stages::{PREPARING, SETTINGS, Stages, WORK};

pub fn run(tally: &mut Tally, stages: &Stages) {
    let port = stages.a.port();
    let second_is = |connstr: &str| {
        let server = format!("alter server same options (set p1 '{connstr}')");
        stages.proxy.execute("postgres", &[&server]);
    };
    let truncate = |what: &str, timeout: &str| {
        let statement =
            format!("select {what} from plproxy_run_on_all('same', 'truncate t', atomic => true)");
        stages.ask_proxy(&[&format!("set statement_timeout = '{timeout}'"), &statement])
    };
    stages.proxy.execute(
        "postgres",
        &[
            &format!(
                "create server same foreign data wrapper plproxy options (p0 '{}', p1 'host=localhost dbname=part port={port}')",
                in_order(port)
            ),
            "create user mapping for public server same options (user 'postgres')",
        ],
    );
    tally.same(
        "one database under two connection strings",
        "ERROR:  PL/Proxy function public.plproxy_run_on_all(3): partitions 0 and 1 are one database (host=127.0.0.1 port=N \
         dbname=part and host=localhost port=N dbname=part);HINT:  A command that is atomic would wait for itself there. Give \
         them the same connection string: then they are one.",
        // It would wait for ever.
        truncate("", "60s"),
    );
    second_is(&in_order(port));
    tally.same(
        "one connection string is one partition",
        "0",
        truncate("partition", "0"),
    );
    let copy = stages
        .run
        .start_standby("copy", &stages.a, &[&SETTINGS[..], &PREPARING].concat());
    second_is(&in_order(copy.port()));
    tally.same(
        "a standby",
        "ERROR:  PL/Proxy function public.plproxy_run_on_all(3): [part] partition 1 is a standby server, so nothing can be \
         prepared there;HINT:  Run it where the partition can be written to.",
        truncate("", "0"),
    );
    // A copy of a partition is another database: a cluster may be split so.
    copy.promote();
    tally.same(
        "a partition made of another by copying",
        "0|t|TRUNCATE TABLE;1|t|TRUNCATE TABLE",
        truncate("*", "0"),
    );
    copy.stop("fast");

    stages.b.configure("max_prepared_transactions = 0");
    stages.b.restart();
    tally.same(
        "max_prepared_transactions = 0",
        "ERROR:  PL/Proxy function public.plproxy_run_on_all(3): [part] max_prepared_transactions is 0 on partition 1, so \
         nothing can be prepared there;HINT:  Set it on that server and restart it, or run the command without \"atomic\".",
        stages.ask_proxy(&[WORK]),
    );
    tally.same("none has it there", "0|0 0|0", stages.state());
}

fn in_order(port: u16) -> String {
    format!("host=127.0.0.1 dbname=part port={port}")
}
