//! What is counted.

use plproxy_test_kit::Tally;

use crate::servers::{FUNCTIONS, PARTITIONS, Servers};

const SESSIONS: u32 = 4;
/// Of each session, to each of four partitions.
pub const CALLS: u32 = 250;

/// Of each row: as many buckets as there should be, all calls, the shortest and the longest where they belong, and the quantiles
/// between them, in order.
const HISTOGRAM: &str = "select bool_and(cardinality(histogram) = 24),
    bool_and((select sum(n) from unnest(histogram) n) = calls),
    bool_and((select min(n) from unnest(histogram) with ordinality h (found, n) where found > 0)
        = (select min(n) from generate_series(1, 24) n where n = 24 or min_time <= 0.016 * 2 ^ (n - 1))),
    bool_and((select max(n) from unnest(histogram) with ordinality h (found, n) where found > 0)
        = (select min(n) from generate_series(1, 24) n where n = 24 or max_time <= 0.016 * 2 ^ (n - 1))),
    bool_and(min_time <= p50 and p50 <= p95 and p95 <= p99 and p99 <= max_time)";

/// Whether the times of each row fit together.
const SUMS: &str =
    "select calls > 0 and total_time > 0 and min_time <= mean_time and mean_time <= max_time
    and max_time <= total_time and abs(mean_time * calls - total_time) < 0.001 * total_time
    and stddev_time between 0 and max_time - min_time
    and stats_since between now() - interval '1 hour' and now()";

/// Calls that each of the sessions makes to each partition, `RUN ON ALL` included, and all of them.
pub const ALL_CALLS: u32 = SESSIONS * (CALLS + 1);

pub fn exact(tally: &mut Tally, servers: &Servers) {
    let sessions: Vec<_> = (0..SESSIONS)
        .map(|_| servers.proxy.session("postgres"))
        .collect();
    let work = format!(
        "select count(one_part(n % 4)) from generate_series(1, {}) n",
        CALLS * 4
    );
    let under_way: Vec<_> = sessions
        .iter()
        .flat_map(|session| {
            [
                &*work,
                "select count(*) from rows_of(7)",
                // A remote error in a subtransaction; the session goes on.
                "do 'begin perform fails(1); exception when division_by_zero then end'",
            ]
            .map(|statement| session.send(statement))
        })
        .collect();
    let errors: Vec<_> = under_way
        .into_iter()
        .filter_map(|statement| statement.wait().error)
        .collect();
    tally.check(
        &format!("{SESSIONS} sessions worked at the same time"),
        errors.is_empty(),
        &format!("{errors:?}"),
    );
    for session in sessions {
        session.end();
    }
    let (n, r) = (ALL_CALLS, SESSIONS * (CALLS + 7));
    let partition = |number: u32, calls: u32, errors: u32| {
        format!(
            "parts {number} 127.0.0.1 part{number} {calls} {r} {errors} {SESSIONS} 0 0 all sessions"
        )
    };
    let partitions = [
        partition(0, n, 0),
        partition(1, n + SESSIONS, SESSIONS),
        partition(2, n, 0),
        partition(3, n, 0),
    ];
    tally.same(
        "the partitions' counts are exact",
        partitions.join(", "),
        servers.ask(&[PARTITIONS]),
    );
    let calls = SESSIONS * CALLS * 4;
    let functions = [
        format!("fails(integer) {SESSIONS} 0 {SESSIONS} 0 0 0 all sessions"),
        format!(
            "one_part(integer) {calls} {calls} 0 {} 0 0 all sessions",
            SESSIONS * 4
        ),
        format!(
            "rows_of(integer) {SESSIONS} {} 0 0 0 0 all sessions",
            SESSIONS * 28
        ),
    ];
    tally.same(
        "the functions' counts are exact",
        functions.join(", "),
        servers.ask(&[FUNCTIONS]),
    );
    tally.same(
        "times fit together",
        "t;t;t;t",
        servers.ask(&[&format!("{SUMS} from plproxy_stat_partitions")]),
    );
    tally.same(
        "and those of functions",
        "t;t;t",
        servers.ask(&[&format!("{SUMS} from plproxy_stat_functions")]),
    );
    for view in ["plproxy_stat_partitions", "plproxy_stat_functions"] {
        tally.same(
            &format!("every call is in the histogram of {view}, in its bucket"),
            "t|t|t|t|t",
            servers.ask(&[&format!("{HISTOGRAM} from {view}")]),
        );
    }
    tally.same(
        "room is told",
        "all sessions|10|4|3|0|0|0|0|0",
        servers.ask(&["select * from plproxy_stat_info"]),
    );
}

pub fn failures(tally: &mut Tally, servers: &Servers) {
    servers.ask(&["select from_closed()"]);
    tally.same(
        "a connection that cannot be made",
        "nowhere 1 0 1 0 1 0",
        servers.ask(&["select concat_ws(' ', dbname, calls, rows, errors, connects, connect_failures, cancels)
            from plproxy_stat_partitions where cluster = 'closed'"]),
    );
    servers.ask(&["set statement_timeout = '2s'", "select sleeps(60)"]);
    tally.same(
        "a call that is cancelled",
        "1 0 0 1",
        servers.ask(&["select concat_ws(' ', calls, rows, errors, cancels)
            from plproxy_stat_functions where function = 'sleeps(float8)'::regprocedure"]),
    );
    tally.same(
        "and on its partition",
        "1",
        servers.ask(&[
            "select cancels from plproxy_stat_partitions where cluster = 'parts' and partition = 3",
        ]),
    );
    servers.ask(&[
        "alter server parts options (add streaming '1')",
        "select rows_of(100000) limit 1",
        "alter server parts options (drop streaming)",
    ]);
    tally.same(
        "a stream that nobody reads to its end",
        "1",
        servers.ask(&["select cancels from plproxy_stat_functions where function = 'rows_of(int)'::regprocedure"]),
    );
}

pub fn databases(tally: &mut Tally, servers: &Servers) {
    servers
        .proxy
        .execute("postgres", &["create database other"]);
    servers.set_up("other");
    let ask = |statement| servers.proxy.ask("other", &[statement]);
    ask("select one_part(2)");
    tally.same(
        "each database has its own",
        "parts 2 127.0.0.1 part2 1 1 0 1 0 0 all sessions",
        ask(PARTITIONS),
    );
    tally.same(
        "none is in the other's",
        "one_part(integer) 1 1 0 1 0 0 all sessions",
        ask(FUNCTIONS),
    );
}
