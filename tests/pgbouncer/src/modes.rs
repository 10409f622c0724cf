//! Every pool mode, and prepared statements.

use plproxy_test_kit::Tally;

use crate::setup::{Setup, TWO};

const THREE: &str =
    "select said from one(1); select said from one(2); select said from one(3); select prepared()";

/// Server connections that one session sees at the most: one where connections belong to sessions.
fn most(mode: &str) -> usize {
    if mode == "session" { 1 } else { 2 }
}

/// Pool mode, `max_prepared_statements` (or "old": Debian 12's PgBouncer, which knows none), and a share of the calls.
pub fn modes(tally: &mut Tally, setup: &Setup) {
    for (mode, prepared, share) in [
        ("session", "0", 1),
        ("session", "200", 1),
        ("transaction", "0", 1),
        ("transaction", "200", 1),
        ("statement", "0", 10),
        ("statement", "200", 1),
        ("session", "old", 10),
        ("transaction", "old", 10),
        ("statement", "old", 10),
    ] {
        let name = format!("{mode}-{prepared}");
        let (pool_mode, statements) = (
            format!("pool_mode = {mode}"),
            format!("max_prepared_statements = {prepared}"),
        );
        let mut options = [&TWO[..], &["--set", &pool_mode]].concat();
        let program = if prepared == "old" {
            "debian"
        } else {
            options.extend(["--set", &statements]);
            "newer"
        };
        let pooler = setup.pooler(&name, program, &options);
        setup.go_by(&pooler, "");
        tally.same(
            &format!("{name}: nothing is prepared behind a pooler of unknown ability"),
            "one 1;one 2;one 3;none",
            setup.ask(THREE),
        );
        setup.all_right(tally, &name, setup.calls / share, most(mode));
        tally.same(
            &format!("{name}: remote errors come from their own calls"),
            "0",
            setup.ask("select stumble(200)"),
        );
        setup.go_by(&pooler, "prepared_statements 'off'");
        setup.all_right(
            tally,
            &format!("{name}, prepared_statements off"),
            400,
            most(mode),
        );
        pooler.kill();
    }
}

/// The option `on`, where the pooler can do it, and where it cannot.
pub fn prepared(tally: &mut Tally, setup: &Setup) {
    for mode in ["session", "transaction", "statement"] {
        let pool_mode = format!("pool_mode = {mode}");
        let pooler = setup.pooler(
            &format!("on-{mode}"),
            "newer",
            &[
                &TWO[..],
                &[
                    "--set",
                    &pool_mode,
                    "--set",
                    "max_prepared_statements = 200",
                ],
            ]
            .concat(),
        );
        setup.go_by(&pooler, "prepared_statements 'on'");
        // What another session does after its errors must not take the statements away.
        let other = setup.proxy.session("proxy");
        let stumbling = other.send("select stumble(300)");
        let name = format!("{mode}, prepared_statements on");
        setup.all_right(tally, &name, setup.calls / 4, most(mode));
        tally.same(
            &format!("{name}: remote errors come from their own calls"),
            "0",
            stumbling.said(),
        );
        other.end();
        let said = setup.ask(THREE);
        tally.check(
            &format!("{name}: there are some"),
            said.ends_with(|last: char| last.is_ascii_digit()),
            &said,
        );
        pooler.kill();
    }
    unable(tally, setup);
}

/// No two sessions give the same name, so that a pooler which does not know whose is whose does no harm.
fn unable(tally: &mut Tally, setup: &Setup) {
    let pooler = setup.pooler(
        "unable",
        "newer",
        &[
            &TWO[..],
            &[
                "--set",
                "pool_mode = transaction",
                "--set",
                "max_prepared_statements = 0",
            ],
        ]
        .concat(),
    );
    setup.go_by(&pooler, "prepared_statements 'on'");
    setup.all_right(
        tally,
        "transaction, prepared_statements on against a pooler that cannot",
        1000,
        2,
    );
    // The comparison would see it if it did.
    setup.part.execute(
        "part",
        &[
            "begin",
            "alter function two(int) rename to two_right",
            "create function two(i int, out said text, out pid int) language sql as $$ select * from one(i) $$",
            "commit",
        ],
    );
    let summary = setup.hammer(10);
    setup.part.execute(
        "part",
        &[
            "begin",
            "drop function two(int)",
            "alter function two_right(int) rename to two",
            "commit",
        ],
    );
    pooler.kill();
    tally.check(
        "a wrong answer is seen",
        summary.wrong == 40 && summary.errors == 0,
        &summary.told(),
    );
    tally.note(&summary.told());
}
