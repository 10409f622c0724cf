//! One session: call after call, and a new connection when the old one is lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fastrand::Rng;
use plproxy_test_kit::Server;
use tokio_postgres::{Client, Error, NoTls};

use crate::calls::{Books, Caller, KINDS, Trouble, code};
use crate::shared::{Shared, stream};

/// A call that takes longer than this hangs: every wait has a limit below it.
const HANG: Duration = Duration::from_secs(40);

/// What a fault may lead to: lost connections, servers that go or come, cancelled statements.
fn is_of_fault(code: &str) -> bool {
    code == "connection lost" || code.starts_with("08") || code.starts_with("57")
}

/// Runs until the end is called for; gives what was written.
pub fn run(
    number: usize,
    steady: bool,
    proxy: &Server,
    seed: u64,
    homes: &[i32],
    shared: &Arc<Shared>,
) -> Books {
    let mut books = Books::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            runtime.block_on(work(number, steady, proxy, seed, homes, shared, &mut books))
        }
        Err(error) => shared.wrong(format!("session {number}: {error}")),
    }
    books
}

async fn work(
    number: usize,
    steady: bool,
    proxy: &Server,
    seed: u64,
    homes: &[i32],
    shared: &Arc<Shared>,
    books: &mut Books,
) {
    let mut random = stream(seed, number as u64 + 1);
    let port = proxy.port();
    while !shared.stopping() {
        let client = match connect(proxy, number, shared).await {
            Ok(client) => client,
            // The proxy itself is never down.
            Err(error) => {
                shared.wrong(format!("session {number} could not connect: {error}"));
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let mut statements = HashMap::new();
        let mut left = if steady {
            u64::MAX
        } else {
            random.u64(50..=3000)
        };
        while left > 0 && !shared.stopping() && !client.is_closed() {
            left -= 1;
            let kind = pick(&mut random);
            let begin = Instant::now();
            let mut caller = Caller {
                number,
                client: &client,
                statements: &mut statements,
                random: &mut random,
                books,
                homes,
                port,
            };
            let ended = tokio::time::timeout(HANG, caller.call(kind)).await;
            let hung = ended.is_err();
            note(shared, number, kind, begin, ended.ok());
            if hung {
                break;
            }
        }
        if let Some(backend) = shared.backends.get(number) {
            backend.store(0, Ordering::Relaxed);
        }
    }
}

async fn connect(proxy: &Server, number: usize, shared: &Shared) -> Result<Client, Error> {
    let (client, connection) = proxy.config("postgres").connect(NoTls).await?;
    tokio::spawn(connection);
    let row = client.query_one("select pg_backend_pid()", &[]).await?;
    if let Some(backend) = shared.backends.get(number) {
        backend.store(row.try_get(0)?, Ordering::Relaxed);
    }
    Ok(client)
}

fn pick(random: &mut Rng) -> &'static str {
    let all: u64 = KINDS.iter().map(|(_, weight)| weight).sum();
    let mut at = random.u64(..all);
    for (kind, weight) in KINDS {
        if at < weight {
            return kind;
        }
        at -= weight;
    }
    "run on hash"
}

/// Notes how a call ended; `None` if it did not.
fn note(
    shared: &Shared,
    number: usize,
    kind: &'static str,
    begin: Instant,
    ended: Option<Result<(), Trouble>>,
) {
    let end = Instant::now();
    {
        let mut tally = shared.tally();
        let took = end.duration_since(begin);
        if took > tally.longest.0 {
            tally.longest = (took, kind);
        }
        match &ended {
            Some(Ok(())) => *tally.right.entry(kind).or_default() += 1,
            Some(Err(Trouble::Failed(error))) => {
                *tally.errors.entry(code(error).to_owned()).or_default() += 1;
            }
            Some(Err(Trouble::Wrong(_))) | None => {}
        }
    }
    match ended {
        Some(Ok(())) => {}
        Some(Err(Trouble::Wrong(what))) => {
            shared.wrong(format!("session {number}, {kind}: {what}"))
        }
        Some(Err(Trouble::Failed(error))) => {
            if !is_of_fault(code(&error)) || !shared.is_explained(begin, end) {
                let told = error
                    .as_db_error()
                    .map_or_else(|| error.to_string(), ToString::to_string);
                shared.wrong(format!(
                    "session {number}, {kind}: an error without a cause: {} {told}",
                    code(&error)
                ));
            }
        }
        None => shared.wrong(format!(
            "session {number}, {kind}: no end after {} s",
            HANG.as_secs()
        )),
    }
}
