//! A session of the proxy is brought to a step of an atomic command, with partitions a and b, and something is lost there.
//!
//! The steps are stopped by real means on partition b: its table is locked, a deferred trigger waits for a lock while the
//! transaction is being prepared, the local transaction stays open, the server process does not run.

use plproxy_test_kit::{Process, Run, Server, Session, until_is, wait_until};

/// The command that all is about.
pub const WORK: &str =
    "select count(*) from plproxy_run_on_all('parts', 'insert into t values (1)', atomic => true)";

/// What b's server process waits for in the trigger.
pub const LOCK: &str = "select pg_advisory_xact_lock(7)";

pub const SETTINGS: [&str; 6] = [
    "--auth",
    "trust",
    "--set",
    "shared_buffers = 16MB",
    "--set",
    "restart_after_crash = on",
];
pub const PREPARING: [&str; 2] = ["--set", "max_prepared_transactions = 20"];
const REPLICATED: [&str; 12] = [
    "--set",
    "wal_level = replica",
    "--set",
    "full_page_writes = on",
    "--set",
    "max_wal_senders = 5",
    "--set",
    "wal_keep_size = 256MB",
    "--set",
    "wal_receiver_timeout = 5s",
    "--set",
    "wal_retrieve_retry_interval = 200ms",
];

/// A step of an atomic command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The command runs on b.
    Command,
    /// It is prepared on a, not on b.
    Prepare,
    /// It is prepared on both; the local transaction is open.
    Prepared,
    /// It is committed here and on a.
    Commit,
}

/// What is lost at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The session, by `pg_terminate_backend`.
    Terminated,
    /// The session, by `kill -9`: the server recovers.
    Killed,
    /// The session and its server at once, as when the power fails.
    Machine,
    /// The server of partition b, or the process that commits there.
    Partition,
}

/// The servers.
pub struct Stages {
    pub run: Run,
    pub a: Server,
    pub b: Server,
    pub proxy: Server,
}

/// A session at a step.
pub struct Work {
    pub session: Session,
    blocker: Option<Session>,
    /// The server process on b that is to commit and does not run.
    stopped: Option<Process>,
}

impl Stages {
    pub fn begin() -> Self {
        let run = Run::begin();
        let partition = |name| {
            let server = run.start(name, &[&SETTINGS[..], &PREPARING].concat());
            server.execute("postgres", &["create database part"]);
            server.execute(
                "part",
                &[
                    "create table t (n int)",
                    "create function wait() returns trigger language plpgsql as $$
                    begin
                        perform pg_advisory_lock_shared(7);
                        perform pg_advisory_unlock_shared(7);
                        return null;
                    end $$",
                    "create constraint trigger wait after insert on t deferrable initially deferred
                        for each row execute function wait()",
                ],
            );
            server
        };
        let (a, b) = (partition("a"), partition("b"));
        let proxy = run.start("proxy", &[&SETTINGS[..], &REPLICATED].concat());
        let stages = Self { run, a, b, proxy };
        stages.create_cluster("postgres", "parts", "part");
        stages
    }

    /// The extension, if it is not there yet, and a cluster of those databases of a and b.
    pub fn create_cluster(&self, database: &str, name: &str, part: &str) {
        // No lock_timeout: what a slow machine takes its time for is not to end by that.
        let server = format!(
            "create server {name} foreign data wrapper plproxy options (lock_timeout '0', p0 '{}', p1 '{}')",
            self.a.connstr(part),
            self.b.connstr(part)
        );
        let mapping =
            format!("create user mapping for public server {name} options (user 'postgres')");
        self.proxy.execute(
            database,
            &[
                "set client_min_messages = warning",
                "create extension if not exists plproxy",
                &server,
                &mapping,
            ],
        );
    }

    pub fn partitions(&self) -> [&Server; 2] {
        [&self.a, &self.b]
    }

    pub fn ask_proxy(&self, statements: &[&str]) -> String {
        tell(&self.proxy, "postgres", statements)
    }

    /// What a statement says on a, then on b.
    pub fn on_partitions(&self, database: &str, statement: &str, between: &str) -> String {
        let said = self
            .partitions()
            .map(|server| tell(server, database, &[statement]));
        said.join(between)
    }

    /// Rows there and prepared transactions of a, then of b.
    pub fn state(&self) -> String {
        self.state_of("part", "t")
    }

    pub fn state_of(&self, database: &str, table: &str) -> String {
        self.on_partitions(database, &count(table), " ")
    }

    /// Waits for that state.
    pub fn wait_state(&self, wanted: &str) {
        let got = until_is(wanted, || self.state());
        assert_eq!(got, wanted, "rows and prepared transactions");
    }

    /// Waits for that state of a alone.
    pub fn wait_a(&self, wanted: &str) {
        wait_until("the state of partition a", || {
            tell(&self.a, "part", &[&count("t")]) == wanted
        });
    }

    /// What the recovery has done on the proxy.
    pub fn recover(&self) -> String {
        self.recover_on(&self.proxy, None)
    }

    /// The same on another server, which may be told that one is lost.
    pub fn recover_on(&self, server: &Server, lost: Option<&str>) -> String {
        let lost = lost.map(|lost| format!(", '{lost}'")).unwrap_or_default();
        let statement = format!(
            "select partition, action from plproxy_recover_prepared('parts'{lost}) order by 1"
        );
        tell(server, "postgres", &[&statement])
    }

    /// As at the beginning.
    pub fn clear(&self) {
        self.on_partitions("part", "truncate t", "");
        self.recover();
    }

    /// A session on b that has run it and stays in its transaction.
    pub fn block(&self, statement: &str) -> Session {
        let session = self.b.session("part");
        for statement in ["begin", statement] {
            assert!(session.run(statement).error.is_none(), "{statement}");
        }
        session
    }

    /// A session of a server in a transaction.
    pub fn begin_session(&self, server: &Server) -> Session {
        let session = server.session("postgres");
        session.ask(&["set application_name = work", "begin"]);
        session
    }

    /// Brings a session of the proxy to that step.
    pub fn at(&self, step: Step) -> Work {
        self.at_on(&self.proxy, step)
    }

    pub fn at_on(&self, server: &Server, step: Step) -> Work {
        let mut work = Work {
            session: self.begin_session(server),
            blocker: None,
            stopped: None,
        };
        match step {
            Step::Command => {
                work.blocker = Some(self.block("lock table t"));
                work.session.send(WORK);
                self.b
                    .wait_process("query like 'insert%' and wait_event_type = 'Lock'");
            }
            Step::Prepare => {
                work.blocker = Some(self.block(LOCK));
                work.session.send(WORK);
                self.wait_a("0|1");
                self.b
                    .wait_process("query like 'prepare%' and wait_event_type = 'Lock'");
            }
            Step::Prepared | Step::Commit => {
                work.session.send(WORK);
                self.wait_state("0|1 0|1");
                let process = self
                    .b
                    .wait_process("query like 'prepare%' and state = 'idle'");
                if step == Step::Commit {
                    process.stop();
                    work.stopped = Some(process);
                    work.session.send("commit");
                    self.wait_a("1|0");
                }
            }
        }
        work
    }

    /// Loses something.
    pub fn lose(&self, work: &mut Work, loss: Loss) {
        let worker = work.session.process;
        match loss {
            Loss::Terminated => {
                self.proxy.terminate(&format!("pid = {}", worker.0));
                worker.wait();
            }
            Loss::Killed => self.proxy.crash(worker),
            Loss::Machine => {
                self.lose_machine(worker);
                self.proxy.restart();
            }
            Loss::Partition => match work.stopped.take() {
                Some(process) => self.b.crash(process),
                None => {
                    self.b.kill();
                    self.b.restart();
                    self.b.wait_ready();
                }
            },
        }
        // A process that was stopped has not seen what it was sent; now it never will.
        if let Some(process) = work.stopped.take() {
            self.b.crash(process);
        }
    }

    /// Kills a session of the proxy and its server.
    pub fn lose_machine(&self, worker: Process) {
        let postmaster = self.proxy.postmaster().expect("a postmaster");
        // The session first: when the postmaster goes, it would end on its own and roll back.
        worker.kill();
        postmaster.kill();
        worker.wait();
        postmaster.wait();
    }
}

impl Work {
    pub fn send(&self, statement: &str) {
        self.session.send(statement);
    }

    /// Lets go of what stopped the step.
    pub fn unblock(&mut self) {
        if let Some(blocker) = self.blocker.take() {
            blocker.end();
        }
    }

    /// Ends the session; all that it has said.
    pub fn end(mut self) -> Vec<String> {
        self.unblock();
        self.session.end()
    }
}

fn count(table: &str) -> String {
    format!("select (select count(*) from {table}), (select count(*) from pg_prepared_xacts)")
}

/// What statements say on a server; ports differ from run to run.
pub fn tell(server: &Server, database: &str, statements: &[&str]) -> String {
    let said = server.ask(database, statements);
    let said = masked(&said, "port ", "N", |c| c.is_ascii_digit());
    masked(&said, "port=", "N", |c| c.is_ascii_digit())
}

/// With a word instead of the characters of that kind after each prefix, if there are some.
pub fn masked(text: &str, prefix: &str, word: &str, is_kind: fn(char) -> bool) -> String {
    let mut parts = text.split(prefix);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(is_kind);
        masked += prefix;
        if rest.len() < part.len() {
            masked += word;
        }
        masked += rest;
    }
    masked
}
