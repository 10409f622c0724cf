//! What is done to the servers and to the sessions, at random times and by a seed.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use plproxy_test_kit::{Process, Server};
use tokio_postgres::{NoTls, Row};

use crate::calls::PARTITIONS;
use crate::shared::Shared;

type Done = Result<(), Box<dyn Error>>;

/// The servers of the partitions.
pub const SERVERS: [&str; 2] = ["left", "right"];

/// The time between two faults, in milliseconds.
const PAUSE: (u64, u64) = (1500, 9000);

/// The kinds, with how often each is done.
const KINDS: [(&str, u64); 8] = [
    ("server killed (kill -9) and started again", 2),
    ("server restarted (fast)", 2),
    ("server stopped (SIGSTOP) for a while", 4),
    ("server process of a partition killed (kill -9)", 2),
    ("sessions of a partition terminated", 5),
    ("partition repointed (ALTER SERVER)", 5),
    ("call cancelled", 5),
    ("session of the proxy terminated", 3),
];

pub struct Faults {
    pub proxy: Server,
    pub servers: [Server; 2],
    /// Sessions from this number on may be terminated.
    pub steady: usize,
    pub random: Rng,
    pub shared: Arc<Shared>,
}

impl Faults {
    /// Hurts until the end is called for, then leaves all servers well.
    pub fn run(mut self) {
        while !self.shared.stopping() {
            let pause = self.random.u64(PAUSE.0..=PAUSE.1);
            let until = Instant::now() + Duration::from_millis(pause);
            while Instant::now() < until && !self.shared.stopping() {
                thread::sleep(Duration::from_millis(50));
            }
            if self.shared.stopping() {
                return;
            }
            let kind = self.pick();
            let fault = self.shared.hurt(kind);
            if let Err(error) = self.hurt(kind) {
                self.shared
                    .wrong(format!("the fault \"{kind}\" was not done: {error}"));
            }
            self.shared.mended(fault);
        }
    }

    fn pick(&mut self) -> &'static str {
        let all: u64 = KINDS.iter().map(|(_, weight)| weight).sum();
        let mut at = self.random.u64(..all);
        for (kind, weight) in KINDS {
            if at < weight {
                return kind;
            }
            at -= weight;
        }
        "call cancelled"
    }

    fn hurt(&mut self, kind: &str) -> Done {
        let [left, right] = &self.servers;
        let server = if self.random.bool() { left } else { right };
        let partition = self.random.usize(..PARTITIONS);
        if kind.starts_with("server killed") {
            server.kill();
            thread::sleep(Duration::from_millis(self.random.u64(..1000)));
            server.restart();
        } else if kind.starts_with("server restarted") {
            server.restart();
        } else if kind.starts_with("server stopped") {
            let family = server.family();
            family.iter().copied().for_each(Process::stop);
            thread::sleep(Duration::from_millis(self.random.u64(100..=3000)));
            family.into_iter().for_each(Process::go_on);
        } else if kind.starts_with("server process") {
            let pids = ask(
                server,
                "postgres",
                "select pid from pg_stat_activity where datname like 'part%'",
            )?;
            if let Some(row) = self.random.choice(&pids) {
                // The postmaster ends all the others, and recovers.
                server.crash(Process(row.try_get(0)?));
            }
        } else if kind.starts_with("sessions of") {
            let server = if partition < PARTITIONS / 2 {
                left
            } else {
                right
            };
            let sql =
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'part' || ";
            ask(server, "postgres", &format!("{sql}{partition}"))?;
        } else if kind.starts_with("partition repointed") {
            ask(
                &self.proxy,
                "postgres",
                &format!("call repoint({partition})"),
            )?;
        } else {
            let (function, least) = match kind {
                "call cancelled" => ("pg_cancel_backend", 0),
                _ => ("pg_terminate_backend", self.steady),
            };
            let sessions = self.shared.backends.len();
            let number = self.random.u64(least as u64..=sessions as u64 - 1) as usize;
            let backends = self.shared.backends.get(number);
            let pid = backends.map_or(0, |pid| pid.load(Ordering::Relaxed));
            if pid != 0 {
                ask(
                    &self.proxy,
                    "postgres",
                    &format!("select {function}({pid})"),
                )?;
            }
        }
        Ok(())
    }
}

/// One statement on a connection of its own.
pub fn ask(server: &Server, database: &str, sql: &str) -> Result<Vec<Row>, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let limit = Duration::from_secs(60);
        tokio::time::timeout(limit, async {
            let (client, connection) = server.config(database).connect(NoTls).await?;
            tokio::spawn(connection);
            Ok(client.query(sql, &[]).await?)
        })
        .await?
    })
}
