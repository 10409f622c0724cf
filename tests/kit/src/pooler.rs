//! A PgBouncer of a run.

use std::path::PathBuf;

use crate::run::read;
use crate::{Process, Run};

/// A pooler of scripts/pooler.sh, in front of all databases of a server. It ends with its run, if it is not killed before.
#[derive(Clone, Debug)]
pub struct PgBouncer {
    run: Run,
    name: String,
}

impl PgBouncer {
    pub(crate) fn find(run: &Run, name: &str) -> Self {
        let pooler = Self {
            run: run.clone(),
            name: name.to_owned(),
        };
        pooler.port();
        pooler
    }

    fn directory(&self) -> PathBuf {
        self.run.path().join(&self.name)
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        let port = read(&self.directory().join("port"));
        port.parse().expect("a port")
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        read(&self.directory().join("log"))
    }

    /// Its one process.
    pub fn process(&self) -> Process {
        let pid = read(&self.directory().join("program.pid"));
        Process(pid.parse().expect("a process"))
    }

    /// A connection string for libpq, without user and password.
    pub fn connstr(&self, database: &str) -> String {
        format!("host=127.0.0.1 port={} dbname={database}", self.port())
    }

    /// Killed, and started again on the same port.
    pub fn restart(&self) {
        self.run.script("pooler.sh", &["restart", &self.name]);
    }

    /// Shut down, which it tells its clients, and started again on the same port.
    pub fn shut_down_and_restart(&self) {
        self.run
            .script("pooler.sh", &["restart", &self.name, "shutdown"]);
    }

    /// Ends it at once.
    pub fn kill(&self) {
        self.run.script("pooler.sh", &["kill", &self.name]);
    }

    /// What a command of its administration console says, such as `SHOW POOLS`.
    pub fn admin(&self, command: &str) -> String {
        let said = self
            .run
            .script("pooler.sh", &["admin", &self.name, command]);
        said.trim_end().to_owned()
    }
}
