//! The soak test: sessions that call without a pause while the partitions, and the sessions themselves, are hurt at random
//! times. Every result is compared with what it must be; at the end the partitions are asked what was written.
//!
//! `plproxy-soak SECONDS SEED`, with SOAK_PROXY, SOAK_LEFT and SOAK_RIGHT: connection strings of the servers, the last two
//! without a database; and SOAK_SERVER: the script that kills and restarts servers. tests/soak/run.sh makes all that. Prints the
//! report, as Markdown, and ends with "N passed, N failed".
#![forbid(unsafe_code)]

mod calls;
mod faults;
mod ledger;
mod random;
mod report;
mod session;
mod shared;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::calls::KEYS;
use crate::faults::{Faults, ask, status};
use crate::random::Random;
use crate::shared::Shared;

const SESSIONS: usize = 16;
/// Sessions that last from the start to the end; their memory is looked at.
const STEADY: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
    let (Some(seconds), Some(seed)) = (number(1), number(2)) else {
        return Err("usage: plproxy-soak SECONDS SEED".into());
    };
    let proxy = std::env::var("SOAK_PROXY")?;
    let servers = [std::env::var("SOAK_LEFT")?, std::env::var("SOAK_RIGHT")?];
    let sql = format!(
        "select hashtext('k' || n) & 15 from generate_series(0, {}) n",
        KEYS - 1
    );
    let homes: Vec<i32> = (ask(&proxy, &sql)?.iter())
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
        script: std::env::var_os("SOAK_SERVER")
            .ok_or("SOAK_SERVER is not set")?
            .into(),
        proxy: proxy.clone(),
        servers: servers.clone(),
        steady: STEADY,
        random: Random::new(seed, 0),
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

/// Looks at the memory of the steady sessions until the time is over.
fn watch(shared: &Shared, begin: Instant, time: Duration) {
    while begin.elapsed() < time {
        shared.busy.fetch_max(busy(), Ordering::Relaxed);
        thread::sleep(Duration::from_millis(500).min(time.saturating_sub(begin.elapsed())));
        for (number, backend) in shared.backends.iter().take(STEADY).enumerate() {
            let pid = backend.load(Ordering::Relaxed);
            if let Some(memory) = status(pid.unsigned_abs(), "RssAnon:").filter(|_| pid > 0) {
                shared.tally().memory.push((Instant::now(), number, memory));
            }
        }
    }
}
