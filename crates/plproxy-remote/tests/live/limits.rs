//! Memory and threads.

use std::time::{Duration, Instant};

use plproxy_remote::{CallOptions, Event, Param, Statement};

use crate::harness::*;
use crate::scripted;

/// Reads all rows, and returns their number, the sum of the lengths of their first columns, and the growth in KiB of
/// the peak of memory.
fn stream(remote: &plproxy_remote::Remote, statement: &str, partitions: usize, pause: Duration) -> (usize, usize, u64) {
    let statement = Statement::call(statement.into());
    let requests: Vec<_> =
        (0..partitions).map(|at| request(&endpoint(remote, &at.to_string(), &server()), &[])).collect();
    reset_peak();
    let before = status("VmHWM");
    let (mut rows, mut bytes) = (0, 0);
    let mut call = remote.start(&statement, requests, &CallOptions::default());
    loop {
        match call.next().unwrap() {
            Event::Rows { batch, .. } => {
                rows += batch.len();
                bytes += batch.iter().map(|row| row.get(0).unwrap().len()).sum::<usize>();
                std::thread::sleep(pause);
            }
            Event::Finished => return (rows, bytes, status("VmHWM") - before),
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
    assert!(growth < 8192, "{growth} KiB for a slow reader of eight partitions");
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn a_huge_value_goes_there_and_back() {
    let _turn = turn();
    let remote = remote();
    let endpoint = endpoint(&remote, "a", &server());
    let size = 64 << 20;
    let statement = Statement::call("select $1::text || 'y'".into());
    let params = [Param::Text(vec![b'x'; size])];
    for _ in 0..2 {
        let outcome = run(&remote, &endpoint, &statement, &params);
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        let value = outcome.rows[0].1[0].as_ref().unwrap();
        assert_eq!((value.len(), value.last()), (size + 1, Some(&b'y')));
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
    let mut call = remote.start(&statement, vec![request(&endpoint, &[])], &CallOptions::default());
    for _ in 0..100_000 {
        assert!(matches!(call.next().unwrap(), Event::Notice { request: 0, .. }));
    }
    let start = Instant::now();
    call.cancel(Duration::from_millis(200));
    assert!(start.elapsed() < Duration::from_millis(600), "{:?}", start.elapsed());
    assert!(matches!(call.next().unwrap(), Event::Finished));
    let growth = status("VmHWM") - before;
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
                assert!(run(&remote, &endpoint, &good, &[text("key")]).error.is_none());
            }
        }
    };
    burst(5_000);
    reset_peak();
    let before = status("VmHWM");
    burst(30_000);
    let growth = status("VmHWM") - before;
    assert!(growth < 512, "{growth} KiB");
    assert_eq!(remote.connections().len(), 1);
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn no_thread_is_started() {
    let _turn = turn();
    let before = status("Threads");
    let remote = remote();
    let connstr = server().replace("127.0.0.1", "localhost");
    assert!(connstr.contains("localhost"), "the test server must be named by 127.0.0.1");
    let requests: Vec<_> = (0..4).map(|at| request(&endpoint(&remote, &at.to_string(), &connstr), &[])).collect();
    let statement = Statement::call("select 'x'::text".into());
    for _ in 0..4 {
        let outcome = drain(remote.start(&statement, requests.clone(), &CallOptions::default()));
        assert_eq!(outcome.texts().len(), 4);
    }
    let threads = status("Threads");
    assert!(threads <= before, "{before} threads before, {threads} after");
}
