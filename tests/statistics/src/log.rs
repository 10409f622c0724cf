//! The log of slow calls.

use plproxy_test_kit::Tally;

use crate::servers::Servers;

const LINE: &str = "LOG:  PL/Proxy function";

pub fn run(tally: &mut Tally, servers: &Servers) {
    slow(tally, servers);
    let log_all = "set plproxy.log_min_duration = 0";
    let mut logged = |what: &str, statements: &[&str], pieces: &[&str], end: bool| {
        servers.ask(&[&[log_all], statements].concat());
        let log = servers.proxy.log();
        let found = log
            .lines()
            .any(|line| has(&without_times(line), pieces, end));
        let last = log.lines().rfind(|line| line.contains(LINE));
        tally.check(what, found, last.unwrap_or("nothing is logged"));
    };
    logged(
        "a call that failed",
        &["select fails(1)"],
        &[
            "public.fails(1): duration ",
            " rows, failed; partition 1 ",
            " 0 rows, failed",
        ],
        true,
    );
    logged(
        "a call that was cancelled",
        &["set statement_timeout = '2s'", "select sleeps(60)"],
        &[
            "public.sleeps(1): duration ",
            " rows, canceled; partition 3 ",
            " 0 rows, canceled",
        ],
        true,
    );
    logged(
        "one that could not connect",
        &["select from_closed()"],
        &[
            "public.from_closed(0): ",
            ": connect T ms, wait 0.000 ms, transfer 0.000 ms, 0 rows, failed",
        ],
        true,
    );
    logged(
        "a stream that nobody read to its end",
        &[
            "alter server parts options (add streaming '1')",
            "select rows_of(100000) limit 1",
            "alter server parts options (drop streaming)",
        ],
        &["public.rows_of(1): ", " rows, canceled; partition 0"],
        false,
    );
    let passwords = servers.proxy.log().matches("Sesame42").count();
    tally.same("no password is in the log", "0", passwords.to_string());
    tally.same(
        "who is no superuser cannot set it",
        "ERROR:  permission denied to set parameter \"plproxy.log_min_duration\"",
        servers.ask(&["set role d_other", log_all]),
    );
}

fn slow(tally: &mut Tally, servers: &Servers) {
    let lines = || servers.proxy.log().matches(LINE).count().to_string();
    tally.same("no call is logged", "0", lines());
    servers.ask(&[
        "set plproxy.log_min_duration = '100ms'",
        "select count(*) from slow(1)",
        "set plproxy.log_min_duration = -1",
        "select count(*) from slow(1)",
    ]);
    tally.same("a slow call is, once", "1", lines());
    let log = servers.proxy.log();
    let line = log
        .lines()
        .rfind(|line| line.contains(LINE))
        .unwrap_or_default();
    let (_, line) = line.split_once("LOG:  ").unwrap_or_default();
    tally.note(line);
    let port = servers.parts.port();
    let partitions = (0..4).map(|number| {
        format!("; partition {number} (127.0.0.1:{port}): connect T ms, wait T ms, transfer T ms, 1 rows")
    });
    tally.same(
        "with its partitions",
        format!(
            "PL/Proxy function public.slow(1): duration T ms, 4 rows{}",
            partitions.collect::<String>()
        ),
        with_any_time(line),
    );
    let milliseconds = |after: &str, what: &str| -> f64 {
        let (_, rest) = line.split_once(after).unwrap_or_default();
        let (_, rest) = rest.split_once(what).unwrap_or_default();
        rest.split(' ')
            .next()
            .and_then(|text| text.parse().ok())
            .unwrap_or_default()
    };
    let waited = milliseconds("; partition 2 ", " wait ");
    let took = milliseconds("public.slow(1): ", "duration ");
    tally.check(
        &format!("and which of them was slow ({waited:.0} of {took:.0} ms)"),
        waited >= 290.0,
        line,
    );
    tally.check("the duration covers it", took >= waited, line);
}

/// Whether the pieces are there in this order, the last of them at the end.
fn has(line: &str, pieces: &[&str], end: bool) -> bool {
    let mut rest = line;
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    !end || rest.is_empty()
}

/// With `T` instead of numbers of three decimals, of which 0 is kept.
fn without_times(line: &str) -> String {
    replaced(line, |number| number != "0.000")
}

fn with_any_time(line: &str) -> String {
    replaced(line, |_| true)
}

fn replaced(line: &str, is_replaced: impl Fn(&str) -> bool) -> String {
    let words = line.split(' ').map(|word| {
        let is_time = word.split_once('.').is_some_and(|(whole, decimals)| {
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            !whole.is_empty() && digits(whole) && decimals.len() == 3 && digits(decimals)
        });
        if is_time && is_replaced(word) {
            "T"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
