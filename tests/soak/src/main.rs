//! The soak test: sessions that call without a pause while the partitions, and the sessions themselves, are hurt at random
//! times. Every result is compared with what it must be; at the end the partitions are asked what was written.
//!
//! `plproxy-soak SECONDS SEED`, with PLPROXY_RUN: a run with the servers `proxy`, `left` and `right`, as tests/soak/run.sh makes
//! them. Prints the report, as Markdown, and ends with "N passed, N failed".
#![forbid(unsafe_code)]

mod calls;
mod faults;
mod ledger;
mod report;
mod session;
mod shared;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use plproxy_test_kit::{Process, Run};

use crate::calls::KEYS;
use crate::faults::{Faults, SERVERS, ask};
use crate::shared::{Shared, stream};

const SESSIONS: usize = 16;
/// Sessions that last from the start to the end; their memory is looked at.
const STEADY: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
    let (Some(seconds), Some(seed)) = (number(1), number(2)) else {
        return Err("usage: plproxy-soak SECONDS SEED".into());
    };
    let run = Run::begin();
    let (proxy, servers) = (run.server("proxy"), SERVERS.map(|name| run.server(name)));
    let sql = format!(
        "select hashtext('k' || n) & 15 from generate_series(0, {}) n",
        KEYS - 1
    );
    let homes: Vec<i32> = (ask(&proxy, "postgres", &sql)?.iter())
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;

    let shared = Arc::new(Shared::new(SESSIONS));
    let begin = Instant::now();
    let sessions: Vec<_> = (0..SESSIONS)
        .map(|number| {
            let (proxy, homes, shared) = (proxy.clone(), homes.clone(), shared.clone());
            thread::spawn(move || {
                session::run(number, number < STEADY, &proxy, seed, &homes, &shared)
            })
        })
        .collect();
    let faults = Faults {
        proxy: proxy.clone(),
        servers: servers.clone(),
        steady: STEADY,
        random: stream(seed, 0),
        shared: shared.clone(),
    };
    let faults = thread::spawn(move || faults.run());
    watch(&shared, begin, Duration::from_secs(seconds));
    shared.stop.store(true, Ordering::Relaxed);
    let mut whole = faults.join().is_ok();
    let mut books = Vec::new();
    for session in sessions {
        match session.join() {
            Ok(session) => books.push(session),
            Err(_) => whole = false,
        }
    }
    if !whole {
        shared.wrong("a thread of the test itself has ended in a panic".into());
    }
    let ledger = ledger::read(&servers, &books)?;
    report::print(&shared, &ledger, begin, seconds, seed)
}

/// How many times longer than on an idle machine 20 ms of work take now, in hundredths.
fn busy() -> u32 {
    let worked = || -> Option<u64> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    let (begin, Some(before)) = (Instant::now(), worked()) else {
        return 100;
    };
    loop {
        let done = worked().unwrap_or(u64::MAX).saturating_sub(before);
        if done > 20_000_000 {
            let took = begin.elapsed().as_nanos() as u64;
            return (took.saturating_mul(100) / done).max(100) as u32;
        }
    }
}

/// The memory of a process that is its own, in kB.
fn resident(pid: i32) -> Option<u64> {
    let memory = Process(pid).status("RssAnon:")?;
    memory.split_whitespace().next()?.parse().ok()
}

/// Looks at the memory of the steady sessions until the time is over.
fn watch(shared: &Shared, begin: Instant, time: Duration) {
    while begin.elapsed() < time {
        shared.busy.fetch_max(busy(), Ordering::Relaxed);
        thread::sleep(Duration::from_millis(500).min(time.saturating_sub(begin.elapsed())));
        for (number, backend) in shared.backends.iter().take(STEADY).enumerate() {
            let pid = backend.load(Ordering::Relaxed);
            if let Some(memory) = resident(pid).filter(|_| pid > 0) {
                shared.tally().memory.push((Instant::now(), number, memory));
            }
        }
    }
}
