//! A PostgreSQL server of a run.

use std::fs;
use std::path::PathBuf;

use tokio_postgres::Config;

use crate::run::read;
use crate::{Process, Run, Session, wait_until};

/// A server of scripts/server.sh. Copies are the same server; it ends with its run.
#[derive(Clone, Debug)]
pub struct Server {
    run: Run,
    name: String,
    address: &'static str,
}

impl Server {
    pub(crate) fn find(run: &Run, name: &str) -> Self {
        let server = Self {
            run: run.clone(),
            name: name.to_owned(),
            address: "127.0.0.1",
        };
        server.port();
        server
    }

    /// The same server, started at another address of the loopback, and at that port. It must not run.
    pub fn moved_to(&self, address: &'static str, port: u16) -> Self {
        fs::write(self.directory().join("port"), format!("{port}\n")).expect("the port");
        self.configure(&format!("listen_addresses = '{address}'"));
        let file = self.data().join("pg_hba.conf");
        let rules = format!("{}\nhost all all 127.0.0.0/8 trust\n", read(&file));
        fs::write(&file, rules).expect("the rules");
        self.restart();
        Self {
            address,
            ..self.clone()
        }
    }

    /// Runs a client program of its tree, connected to it; what that prints.
    pub fn tool(&self, program: &str, arguments: &[&str]) -> String {
        let command = [&["tool", &self.name, program], arguments].concat();
        self.run.script("server.sh", &command)
    }

    /// As scripts/server.sh knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        let port = read(&self.directory().join("port"));
        port.parse().expect("a port")
    }

    /// Its data directory is `data` in there, its socket is there, too.
    pub fn directory(&self) -> PathBuf {
        self.run.path().join(&self.name)
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.directory().join("data")
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        let log = fs::read(self.directory().join("log")).expect("a log");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// What it has logged of panics, PostgreSQL's and Rust's.
    pub fn panics(&self) -> String {
        let log = self.log();
        let panics = |line: &&str| line.contains("PANIC") || line.contains("panicked");
        log.lines().filter(panics).collect::<Vec<_>>().join(";")
    }

    /// Forgets what it has logged.
    pub fn clear_log(&self) {
        fs::write(self.directory().join("log"), "").expect("the log");
    }

    /// Its major version.
    pub fn major(&self) -> u32 {
        let version = read(&self.data().join("PG_VERSION"));
        version.parse().expect("a version")
    }

    /// The postmaster, if its pid file is there.
    pub fn postmaster(&self) -> Option<Process> {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        file.lines().next()?.trim().parse().ok().map(Process)
    }

    /// The postmaster and all its processes.
    pub fn family(&self) -> Vec<Process> {
        let Some(postmaster) = self.postmaster() else {
            return Vec::new();
        };
        let mut family = postmaster.children();
        family.insert(0, postmaster);
        family
    }

    /// Looks at the process itself: a killed server leaves its pid file behind.
    pub fn is_running(&self) -> bool {
        self.postmaster().is_some_and(Process::is_there)
    }

    /// Stops it: `smart`, `fast` or `immediate`.
    pub fn stop(&self, mode: &str) {
        self.run.script("server.sh", &["stop", &self.name, mode]);
    }

    /// Starts it on its port, after it has been stopped if it runs.
    pub fn restart(&self) {
        self.run.script("server.sh", &["restart", &self.name]);
    }

    /// As if the machine had lost it. Its sessions notice on their own.
    pub fn kill(&self) {
        self.run.script("server.sh", &["kill", &self.name]);
    }

    /// A standby becomes a primary.
    pub fn promote(&self) {
        self.run.script("server.sh", &["promote", &self.name]);
    }

    /// Adds lines to its postgresql.conf, for its next start.
    pub fn configure(&self, lines: &str) {
        let file = self.data().join("postgresql.conf");
        // Written over, so that it stays its owner's.
        fs::write(&file, format!("{}\n{lines}\n", read(&file))).expect("the configuration");
    }

    /// A connection string for libpq, without a password.
    pub fn connstr(&self, database: &str) -> String {
        format!(
            "host={} port={} dbname={database}",
            self.address,
            self.port()
        )
    }

    /// How its superuser connects.
    pub fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config
            .host(self.address)
            .port(self.port())
            .user("postgres")
            .password(self.run.password())
            .dbname(database);
        config
    }

    /// A session of its superuser.
    pub fn session(&self, database: &str) -> Session {
        match Session::open(&self.config(database)) {
            Ok(session) => session,
            Err(error) => panic!("server {}: {error}", self.name),
        }
    }

    /// What statements say in a session of their own, up to the first error: as `psql -Atq`, each line after a semicolon.
    pub fn ask(&self, database: &str, statements: &[&str]) -> String {
        match Session::open(&self.config(database)) {
            Ok(session) => session.ask(statements),
            Err(error) => error,
        }
    }

    /// The same, for statements that must not fail.
    pub fn execute(&self, database: &str, statements: &[&str]) -> String {
        let session = self.session(database);
        let mut said = Vec::new();
        for statement in statements {
            let answer = session.run(statement);
            if let Some(error) = &answer.error {
                panic!("server {}: {statement}: {error:?}", self.name);
            }
            said.extend(answer.lines());
        }
        said.join(";")
    }

    /// Has a server process killed, on which all the others end and the server recovers; returns when it has.
    pub fn crash(&self, process: Process) {
        let witness = self.session("postgres");
        process.kill();
        process.wait();
        witness.process.wait();
        self.wait_ready();
    }

    /// Waits until it answers.
    pub fn wait_ready(&self) {
        wait_until(&format!("server {} answers", self.name), || {
            self.ask("postgres", &["select 1"]) == "1"
        });
    }

    /// Ends the statements of the sessions of that condition on `pg_stat_activity`; how many there are.
    pub fn cancel(&self, condition: &str) -> String {
        self.signal_sessions("pg_cancel_backend", condition)
    }

    /// Ends the sessions of that condition on `pg_stat_activity`; how many there are.
    pub fn terminate(&self, condition: &str) -> String {
        self.signal_sessions("pg_terminate_backend", condition)
    }

    fn signal_sessions(&self, function: &str, condition: &str) -> String {
        self.ask(
            "postgres",
            &[&format!(
                "select count({function}(pid)) from pg_stat_activity where ({condition}) and pid <> pg_backend_pid()"
            )],
        )
    }

    /// The server process of a session of that condition on `pg_stat_activity`.
    pub fn process(&self, condition: &str) -> Option<Process> {
        let pid = self.ask(
            "postgres",
            &[&format!(
                "select pid from pg_stat_activity where ({condition}) and pid <> pg_backend_pid() limit 1"
            )],
        );
        pid.parse().ok().map(Process)
    }

    /// Waits for it.
    pub fn wait_process(&self, condition: &str) -> Process {
        let found = crate::until_some(|| self.process(condition));
        found.unwrap_or_else(|| panic!("no process on {}: {condition}", self.name))
    }
}
