//! Statements in transactions: those that are prepared for all sessions, what they leave, and those within others.

use plproxy_test_kit::Tally;

use super::{IDLE, Servers};

const PREPARED: &str =
    "select prepared_statements from plproxy_shared_connections where dbname = 'part0'";

/// To prepare a statement is no part of a transaction, to PostgreSQL.
pub fn prepared(tally: &mut Tally, servers: &Servers) {
    servers.ask(&["select plproxy_disconnect('parts', true)"]);
    servers.states("none");
    // A reset drops what is prepared, so all is done in one transaction, or committed.
    let session = servers.session();
    session.ask(&["begin", "select told(0, 'select 1')", "select look(0)"]);
    session.ask(&[
        "savepoint s",
        "select look(0)",
        "select look(0)",
        "rollback to s",
    ]);
    tally.same(
        "prepared in what was rolled back: there all the same",
        "0;0",
        session.ask(&["select look(0)", "select look(0)"]),
    );
    session.ask(&["commit"]);
    tally.same(
        "prepared in what was rolled back: for others, too",
        "0;0",
        servers.ask(&["select look(0)", "select look(0)"]),
    );
    // The question which process it is, is not asked in a transaction.
    let few = servers.ask(&[PREPARED]);
    tally.check(
        "prepared in what was rolled back: it is known",
        few.parse().is_ok_and(|count: u32| count >= 1),
        &few,
    );
    // A statement that fails while it runs is prepared; one that has failed is not in the way of the next.
    let catches = "do $$ begin
        for i in 1 .. 3 loop
            begin perform fails(0); raise 'no failure'; exception when division_by_zero then null; end;
            perform add(0);
        end loop;
    end $$";
    tally.same(
        "statements that fail in parts that are rolled back",
        "3",
        session.ask(&[catches, "select look(0)"]),
    );
    // The type is there only for those who are in the transaction, and then for nobody.
    session.ask(&[
        "begin",
        "select told(0, 'create type kind as enum (''a'')')",
        "savepoint s",
        "select told(0, 'select ''a''::kind')",
        "rollback",
    ]);
    tally.same(
        "after a rollback the session is reset, and statements are prepared anew",
        "3;3;3",
        servers.ask(&["select look(0)", "select look(0)", "select look(0)"]),
    );
    servers.parts.execute(
        "part0",
        &[
            "drop function look(int)",
            "create function look(at int) returns int language sql as 'select -1'",
        ],
    );
    tally.same(
        "a statement that has gone stale is prepared anew as the first of a transaction",
        "-1;-1",
        session.ask(&["begin", "select look(0)", "select look(0)", "commit"]),
    );
    servers.parts.execute(
        "part0",
        &[
            "drop function look(int)",
            "create function look(at int) returns int language sql as 'select count(*)::int from t'",
        ],
    );
    session.end();
    servers.rows();
}

/// What a transaction leaves in the remote session.
pub fn left(tally: &mut Tally, servers: &Servers) {
    let set = "select told(0, 'set work_mem = ''77kB''')";
    let show = "select told(0, 'show work_mem')";
    servers.ask(&["begin", set, "commit"]);
    tally.same(
        "what a transaction leaves is seen by the next",
        "77kB",
        servers.ask(&[show]),
    );
    servers.ask(&[
        "begin",
        set,
        "select told(0, 'set session statement_timeout = ''77s''')",
        "rollback",
    ]);
    tally.same(
        "what is rolled back leaves a session as if it were new",
        "4MB;0",
        servers.ask(&[show, "select told(0, 'show statement_timeout')"]),
    );
    servers.set("add reset_query 'discard all'");
    servers.ask(&["begin", set, "select add(0)", "commit"]);
    tally.same("reset_query, one phase", "4MB", servers.ask(&[show]));
    servers.ask(&["begin", set, "select add(0)", "select add(1)", "commit"]);
    tally.same("reset_query, two phases", "4MB", servers.ask(&[show]));
    servers.ask(&["begin", set, "select look(0)", "commit"]);
    tally.same("reset_query, nothing written", "4MB", servers.ask(&[show]));
    let within = servers.ask(&["begin", set, show, "commit"]);
    tally.same("reset_query, not before the end", ";77kB", within);
    servers.set("drop reset_query");
    tally.same("and all was committed", "2 1", servers.rows());
}

/// One connection to a partition: what needs a second is refused, and nothing waits for itself.
pub fn within(tally: &mut Tally, servers: &Servers) {
    servers.proxy.execute(
        "postgres",
        &[
            "create domain seen as int check (value % 10000 > 0 or look(0) >= 0)",
            "create function numbers(at int) returns setof seen language plproxy as $$ cluster 'parts'; run on at;
                select generate_series(1, 100000); $$",
        ],
    );
    tally.same(
        "a call within a call to the same partition is refused",
        "ERROR:  PL/Proxy function public.look(1): [part0] a statement of the same transaction is under way on this partition",
        servers
            .ask(&["select count(*) from numbers(0)"])
            .split(';')
            .next()
            .unwrap_or_default(),
    );
    tally.same(
        "a call within a call to another",
        "100000",
        servers.ask(&["select count(*) from numbers(1)"]),
    );
    tally.same(
        "a call apart from the transaction that has the only connection fails at once",
        "0;1;ERROR:  PL/Proxy function public.look_apart(1): [part0] all 1 shared connections are in use by this transaction itself;\
         HINT:  Raise the cluster's shared_connections: a call as another user, or of a cluster without transaction_mode 'two_phase', needs \
         one besides.",
        servers.ask(&[
            "set plproxy.lease_timeout = 0",
            "begin",
            "select look_apart(0)",
            "select look(0) + 1",
            "select look_apart(0)",
        ]),
    );
    tally.same("both are given back", IDLE, servers.states(IDLE));
}
