//! What is done to the servers and to the sessions, at random times and by a seed.

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use tokio_postgres::{NoTls, Row};

use crate::calls::PARTITIONS;
use crate::random::Random;
use crate::shared::Shared;

type Done = Result<(), Box<dyn Error>>;

/// The servers of the partitions, as scripts/server.sh knows them.
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
    pub script: PathBuf,
    pub proxy: String,
    /// A connection string for each of the servers, without a database.
    pub servers: [String; 2],
    /// Sessions from this number on may be terminated.
    pub steady: usize,
    pub random: Random,
    pub shared: Arc<Shared>,
}

impl Faults {
    /// Hurts until the end is called for, then leaves all servers well.
    pub fn run(mut self) {
        while !self.shared.stopping() {
            let pause = self.random.between(PAUSE.0, PAUSE.1);
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
        let mut at = self
            .random
            .below(KINDS.iter().map(|(_, weight)| weight).sum());
        for (kind, weight) in KINDS {
            if at < weight {
                return kind;
            }
            at -= weight;
        }
        "call cancelled"
    }

    fn hurt(&mut self, kind: &str) -> Done {
        let at = self.random.below(2) as usize;
        let server = SERVERS.get(at).copied().unwrap_or("left");
        let partition = self.random.below(PARTITIONS as u64);
        let connstr = self.servers.get(at).cloned().unwrap_or_default();
        if kind.starts_with("server killed") {
            self.server(&["kill", server])?;
            thread::sleep(Duration::from_millis(self.random.below(1000)));
            self.server(&["restart", server])
        } else if kind.starts_with("server restarted") {
            self.server(&["restart", server])
        } else if kind.starts_with("server stopped") {
            let family = self.family(server)?;
            signal("-STOP", &family)?;
            thread::sleep(Duration::from_millis(self.random.between(100, 3000)));
            signal("-CONT", &family)
        } else if kind.starts_with("server process") {
            let pids = ask(
                &connstr,
                "select pid from pg_stat_activity where datname like 'part%'",
            )?;
            if let Some(row) = pids.get(self.random.below(pids.len() as u64) as usize) {
                signal("-9", &[row.try_get::<_, i32>(0)? as u32])?;
                // The postmaster ends all the others, and recovers.
                thread::sleep(Duration::from_millis(200));
                self.until_up(&connstr)?;
            }
            Ok(())
        } else if kind.starts_with("sessions of") {
            let connstr = self
                .servers
                .get(usize::from(partition >= 8))
                .cloned()
                .unwrap_or_default();
            let sql =
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'part' || ";
            ask(&connstr, &format!("{sql}{partition}")).map(drop)
        } else if kind.starts_with("partition repointed") {
            ask(&self.proxy, &format!("call repoint({partition})")).map(drop)
        } else {
            let (function, least) = match kind {
                "call cancelled" => ("pg_cancel_backend", 0),
                _ => ("pg_terminate_backend", self.steady),
            };
            let sessions = self.shared.backends.len();
            let number = self.random.between(least as u64, sessions as u64 - 1) as usize;
            match self
                .shared
                .backends
                .get(number)
                .map(|pid| pid.load(Ordering::Relaxed))
            {
                None | Some(0) => Ok(()),
                Some(pid) => ask(&self.proxy, &format!("select {function}({pid})")).map(drop),
            }
        }
    }

    fn server(&self, arguments: &[&str]) -> Done {
        let mut command = Command::new(&self.script);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        match command.status()?.success() {
            true => Ok(()),
            false => Err(format!("{arguments:?} failed").into()),
        }
    }

    /// A server's postmaster and all its processes.
    fn family(&self, server: &str) -> Result<Vec<u32>, Box<dyn Error>> {
        let told = Command::new(&self.script).args(["pid", server]).output()?;
        let postmaster: u32 = String::from_utf8(told.stdout)?.trim().parse()?;
        let mut family = vec![postmaster];
        for entry in std::fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if status(pid, "PPid:") == Some(u64::from(postmaster)) {
                family.push(pid);
            }
        }
        Ok(family)
    }

    fn until_up(&self, connstr: &str) -> Done {
        let begin = Instant::now();
        loop {
            match ask(connstr, "select 1") {
                Ok(_) => return Ok(()),
                Err(error) if begin.elapsed() > Duration::from_secs(60) => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(100)),
            }
        }
    }
}

/// A number from a process's status.
pub fn status(pid: u32, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

/// To processes of the servers that were started for this run. Some are gone before it arrives.
fn signal(signal: &str, pids: &[u32]) -> Done {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    let mut command = Command::new("kill");
    command
        .arg(signal)
        .args(pids)
        .stderr(Stdio::null())
        .status()?;
    Ok(())
}

/// One statement on a connection of its own.
pub fn ask(connstr: &str, sql: &str) -> Result<Vec<Row>, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let limit = Duration::from_secs(60);
        tokio::time::timeout(limit, async {
            let (client, connection) = tokio_postgres::connect(connstr, NoTls).await?;
            tokio::spawn(connection);
            Ok(client.query(sql, &[]).await?)
        })
        .await?
    })
}
