//! Memory and threads.

use std::time::{Duration, Instant};

use plproxy_remote::{CallOptions, Event, Format, Param, Statement};

use crate::harness::*;
use crate::scripted;

/// Reads all rows, and returns their number, the sum of the lengths of their first columns, and the growth in KiB of
/// the peak of memory.
fn stream(
    remote: &plproxy_remote::Remote,
    statement: &str,
    partitions: usize,
    pause: Duration,
) -> (usize, usize, u64) {
    let statement = Statement::call(statement.into());
    let requests: Vec<_> = (0..partitions)
        .map(|at| request(&endpoint(remote, &at.to_string(), &server()), &[]))
        .collect();
    reset_peak();
    let before = status("VmHWM");
    let (mut rows, mut bytes) = (0, 0);
    let mut call = remote.start(&statement, requests, &CallOptions::default());
    loop {
        match call.next().unwrap() {
            Event::Rows { batch, .. } => {
                rows += batch.len();
                bytes += batch
                    .iter()
                    .map(|row| row.get(0).unwrap().len())
                    .sum::<usize>();
                std::thread::sleep(pause);
            }
            Event::Finished => return (rows, bytes, status("VmHWM").saturating_sub(before)),
            _ => {}
        }
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn results_pass_through_in_bounded_memory() {
    let _turn = turn();
    let remote = remote();
    let (rows, bytes, growth) = stream(
        &remote,
        "select repeat('x', 100)::text, n::int4 from generate_series(1, 1000000) n",
        1,
        Duration::ZERO,
    );
    assert_eq!((rows, bytes), (1_000_000, 100_000_000));
    assert!(growth < 4096, "{growth} KiB for one partition");
    let (rows, _, growth) = stream(
        &remote,
        "select repeat('x', 1000)::text from generate_series(1, 20000) n",
        8,
        Duration::from_micros(200),
    );
    assert_eq!(rows, 160_000);
    assert!(
        growth < 8192,
        "{growth} KiB for a slow reader of eight partitions"
    );
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_huge_value_goes_there_and_back() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let size = 64 << 20;
    let statement = Statement::call("select $2::text || $1::text || $3::text".into());
    let params = [Param::Text(vec![b'x'; size]), text("<"), text(">")];
    // Unnamed and prepared.
    for _ in 0..4 {
        reset_peak();
        let before = status("VmHWM");
        let outcome = run(&remote, &endpoint, &statement, &params);
        let growth = status("VmHWM").saturating_sub(before);
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        let value = outcome.rows[0].1[0].as_ref().unwrap();
        assert_eq!(value.len(), size + 2);
        assert!(value.starts_with(b"<x") && value.ends_with(b"x>"));
        // The parameter as the call has it, the row, and the copy that the test makes.
        assert!(growth < (3 << 16) + 8192, "{growth} KiB");
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn large_parameters_come_in_every_place_and_form() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let statement = Statement::call(
        "select concat_ws(' ', length($1::bytea), md5($1::bytea), coalesce(length($2::text), -1), \
         md5($3::text), md5($4::bytea))::text"
            .into(),
    );
    let bytes = |size: usize, seed: usize| {
        (0..size)
            .map(|at| (at.wrapping_mul(seed) >> 3) as u8)
            .collect::<Vec<u8>>()
    };
    let ascii = |size: usize| {
        (0..size)
            .map(|at| b'a' + (at % 26) as u8)
            .collect::<Vec<u8>>()
    };
    let short =
        Statement::call("select concat_ws(' ', length($1::bytea), length($2::text))::text".into());
    for size in [0, 1, 262_143, 262_144, 1_000_000, 9_999_999] {
        for _ in 0..2 {
            let params = [
                Param::Binary(bytes(size, 7)),
                Param::Null,
                Param::Text(ascii(size)),
                Param::Binary(bytes(size, 11)),
            ];
            let got = run(&remote, &endpoint, &statement, &params).text();
            // The same by another way: with text results, and as one value instead of the third.
            let with_text = Statement::select("select md5($1::text), 'x'::name".into());
            let direct = run(&remote, &endpoint, &with_text, &params[2..3]);
            assert_eq!(direct.formats, [Format::Text.into()]);
            let words: Vec<_> = got.split(' ').collect();
            assert_eq!((words[0], words[2]), (size.to_string().as_str(), "-1"));
            assert_eq!(words[3], direct.text());
            // An error on the way leaves nothing behind for the next.
            let error = run(&remote, &endpoint, &statement, &params[..3]).error;
            assert!(error.is_some());
            let params = [Param::Binary(bytes(size, 7)), text("abc")];
            assert_eq!(
                run(&remote, &endpoint, &short, &params).text(),
                format!("{size} 3")
            );
        }
    }
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn endless_notices_are_delivered_and_not_hoarded() {
    let _turn = turn();
    let remote = remote();
    let notice = scripted::complaint(b'N', "NOTICE", "00000", &"again ".repeat(100));
    let connstr = scripted::serve(move |mut stream| {
        use std::io::Write;
        if scripted::greet(&mut stream) && scripted::read_round(&mut stream) {
            while stream.write_all(&notice).is_ok() {}
        }
    });
    let endpoint = endpoint(&remote, "a", &connstr);
    reset_peak();
    let before = status("VmHWM");
    let statement = Statement::call("select 1".into());
    let mut call = remote.start(
        &statement,
        vec![request(&endpoint, &[])],
        &CallOptions::default(),
    );
    for _ in 0..100_000 {
        assert!(matches!(
            call.next().unwrap(),
            Event::Notice { request: 0, .. }
        ));
    }
    let start = Instant::now();
    call.cancel(Duration::from_millis(200));
    in_time(start);
    assert!(matches!(call.next().unwrap(), Event::Finished));
    let growth = status("VmHWM").saturating_sub(before);
    assert!(growth < 4096, "{growth} KiB");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn many_calls_leave_nothing_behind() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let good = Statement::call("select r::int4 from length($1::text) r".into());
    let bad = Statement::call("select (1 / ($1::int4 - 1))::text".into());
    let burst = |calls: u32| {
        for at in 0..calls {
            if at % 10 == 0 {
                run(&remote, &endpoint, &bad, &[text("1")]).error();
            } else {
                assert!(
                    run(&remote, &endpoint, &good, &[text("key")])
                        .error
                        .is_none()
                );
            }
        }
    };
    burst(5_000);
    reset_peak();
    let before = status("VmHWM");
    burst(30_000);
    let growth = status("VmHWM").saturating_sub(before);
    assert!(growth < 512, "{growth} KiB");
    assert_eq!(remote.connections().len(), 1);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn no_thread_is_started() {
    let _turn = turn();
    // A thread bears the name of the one that started it, unless it was given another.
    let name = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
    let suspects = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names = tasks
            .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
        names
            .filter(|other| *other == name || other.starts_with("tokio"))
            .count()
    };
    assert_eq!(suspects(), 1);
    let remote = remote();
    let connstr = server().replace("127.0.0.1", "localhost");
    assert!(
        connstr.contains("localhost"),
        "the test server must be named by 127.0.0.1"
    );
    let requests: Vec<_> = (0..4)
        .map(|at| request(&endpoint(&remote, &at.to_string(), &connstr), &[]))
        .collect();
    let statement = Statement::call("select 'x'::text".into());
    for _ in 0..4 {
        let outcome = drain(remote.start(&statement, requests.clone(), &CallOptions::default()));
        assert_eq!(outcome.texts().len(), 4);
    }
    assert_eq!(suspects(), 1);
}
