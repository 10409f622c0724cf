//! The run directory, in which servers and poolers are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::{env, fs};

use crate::{PgBouncer, Server};

/// A run directory of scripts/server.sh.
#[derive(Clone, Debug)]
pub struct Run(Arc<Directory>);

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    /// It ends with this value, not with the script that has made it.
    owned: bool,
}

impl Run {
    /// That of `PLPROXY_RUN`, or a new one, whose servers end with the last copy of this.
    pub fn begin() -> Self {
        if let Some(path) = env::var_os("PLPROXY_RUN") {
            return Self::of(PathBuf::from(path), false);
        }
        let path = script("server.sh", None, ["new"]).trim().into();
        Self::of(path, true)
    }

    fn of(path: PathBuf, owned: bool) -> Self {
        Self(Arc::new(Directory { path, owned }))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The superuser's password on all servers of the run.
    pub fn password(&self) -> String {
        read(&self.path().join("password"))
    }

    /// Starts a server; the options are those of scripts/server.sh.
    pub fn start(&self, name: &str, options: &[&str]) -> Server {
        self.script("server.sh", &[&["start", name], options].concat());
        self.server(name)
    }

    /// One that was started already.
    pub fn server(&self, name: &str) -> Server {
        Server::find(self, name)
    }

    /// A streaming standby of a server, which is to have the settings for it.
    pub fn start_standby(&self, name: &str, primary: &Server, options: &[&str]) -> Server {
        let backup = format!(
            "pg_basebackup -h 127.0.0.1 -U postgres -p {} -D \"$PGDATA_NEW\" -R -X stream -c fast",
            primary.port()
        );
        self.start(name, &[&["--from", &backup], options].concat())
    }

    /// Starts a PgBouncer in front of a server; the options are those of scripts/pooler.sh.
    pub fn start_pooler(&self, name: &str, server: &Server, options: &[&str]) -> PgBouncer {
        self.script(
            "pooler.sh",
            &[&["start", name, server.name()], options].concat(),
        );
        PgBouncer::find(self, name)
    }

    /// Runs a script of scripts/ in this run; what it prints.
    pub fn script(&self, name: &str, arguments: &[&str]) -> String {
        script(name, Some(self.path()), arguments)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.owned {
            // Not if it panics already: that is what is to be told.
            let mut command = command("server.sh", Some(&self.path));
            let _ = command.arg("stop_all").status();
        }
    }
}

/// The project's directory.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// A small file, without the line's end.
pub(crate) fn read(path: &Path) -> String {
    match fs::read_to_string(path) {
        Ok(text) => text.trim_end().to_owned(),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

fn command(name: &str, run: Option<&Path>) -> Command {
    let mut command = Command::new(root().join("scripts").join(name));
    command.stdin(Stdio::null());
    if let Some(run) = run {
        command.env("PLPROXY_RUN", run);
    }
    command
}

fn script<I: AsRef<OsStr>>(
    name: &str,
    run: Option<&Path>,
    arguments: impl IntoIterator<Item = I>,
) -> String {
    let mut command = command(name, run);
    let output = command
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
