//! What connection settings take from outside the connection string, behind a trait, so that tests and hosts of this
//! crate can say what there is.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::room;

use super::system_user;

/// What a file is, as far as anyone here cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode {
    /// A plain file, rather than a directory, a pipe or a device.
    pub regular: bool,
    /// The permission bits, such as `0o600`.
    pub permissions: u32,
}

/// The surroundings of a connection string.
pub trait Environment {
    /// An environment variable. One that is not UTF-8 counts as not set.
    fn var(&self, name: &str) -> Option<String>;
    /// The content of a file.
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// What a file is.
    fn file_mode(&self, path: &Path) -> io::Result<FileMode>;
    /// The home directory of the user this process runs as.
    fn home(&self) -> Option<PathBuf>;
    /// The name of the user this process runs as; or why there is none, in libpq's words.
    fn user(&self) -> Result<String, String>;
    /// Where the socket is when no host is given.
    fn default_socket_dir(&self) -> PathBuf {
        PathBuf::from("/var/run/postgresql")
    }
    /// Where the system's `pg_service.conf` is, unless `PGSYSCONFDIR` says otherwise.
    fn sysconfdir(&self) -> PathBuf {
        PathBuf::from("/etc/postgresql-common")
    }
}

/// The real machine.
#[derive(Debug, Clone, Default)]
pub struct SystemEnvironment {
    socket_dir: Option<PathBuf>,
}

/// Far above any password or service file: what is larger is a mistake, and must not fill the memory.
const MAX_FILE: u64 = 16 * 1024 * 1024;

impl SystemEnvironment {
    /// The machine with Debian's directories.
    pub fn new() -> Self {
        Self::default()
    }

    /// With another default socket directory.
    pub fn with_default_socket_dir(self, dir: impl Into<PathBuf>) -> Self {
        Self {
            socket_dir: Some(dir.into()),
        }
    }
}

impl Environment for SystemEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        let file = std::fs::File::open(path)?;
        // As much as there seems to be; with a byte more its end is seen without more room.
        let length = file.metadata()?.len().min(MAX_FILE);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        room::reserve_exact(&mut content, length.saturating_add(1))
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        if file.take(MAX_FILE + 1).read_to_end(&mut content)? as u64 > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "file too large"));
        }
        Ok(content)
    }

    fn file_mode(&self, path: &Path) -> io::Result<FileMode> {
        use std::os::unix::fs::PermissionsExt;
        let metadata = std::fs::metadata(path)?;
        Ok(FileMode {
            regular: metadata.is_file(),
            permissions: metadata.permissions().mode() & 0o7777,
        })
    }

    fn home(&self) -> Option<PathBuf> {
        std::env::var_os("HOME")
            .filter(|home| !home.is_empty())
            .map(PathBuf::from)
            .or_else(system_user::own_home)
    }

    fn user(&self) -> Result<String, String> {
        system_user::own_name()
    }

    fn default_socket_dir(&self) -> PathBuf {
        self.socket_dir
            .clone()
            .unwrap_or_else(|| PathBuf::from("/var/run/postgresql"))
    }

    fn sysconfdir(&self) -> PathBuf {
        PathBuf::from("/etc/postgresql-common")
    }
}

/// Surroundings made up for a test: nothing is there but what was put there.
#[derive(Debug, Clone, Default)]
pub struct TestEnvironment {
    vars: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, (Vec<u8>, FileMode)>,
}

impl TestEnvironment {
    /// The user `os_user` with the home `/home/os_user`, no variables, no files.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a variable set.
    pub fn with_var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With a plain file of the given permissions.
    pub fn with_file(mut self, path: &str, permissions: u32, content: impl Into<Vec<u8>>) -> Self {
        let mode = FileMode {
            regular: true,
            permissions,
        };
        self.files.insert(path.into(), (content.into(), mode));
        self
    }

    /// With something that is not a plain file.
    pub fn with_device(mut self, path: &str) -> Self {
        self.files.insert(
            path.into(),
            (
                Vec::new(),
                FileMode {
                    regular: false,
                    permissions: 0o600,
                },
            ),
        );
        self
    }
}

impl Environment for TestEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).cloned()
    }

    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files
            .get(path)
            .map(|(content, _)| content.clone())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn file_mode(&self, path: &Path) -> io::Result<FileMode> {
        self.files
            .get(path)
            .map(|(_, mode)| *mode)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn home(&self) -> Option<PathBuf> {
        Some(PathBuf::from("/home/os_user"))
    }

    fn user(&self) -> Result<String, String> {
        Ok("os_user".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_seen() {
        let env = SystemEnvironment::new();
        let dir = std::env::temp_dir().join(format!("plproxy-environment-{}", std::process::id()));
        std::fs::write(&dir, "text").unwrap();
        assert_eq!(env.read_file(&dir).unwrap(), b"text");
        assert!(env.file_mode(&dir).unwrap().regular);
        std::fs::remove_file(&dir).unwrap();
        assert!(env.file_mode(&dir).is_err());
        assert!(!env.file_mode(Path::new("/")).unwrap().regular);
        assert!(env.read_file(Path::new("/dev/zero")).is_err(), "endless");
        assert_eq!(env.var("PATH"), std::env::var("PATH").ok());
    }

    #[test]
    fn directories_can_be_moved() {
        let env = SystemEnvironment::new();
        assert_eq!(env.default_socket_dir(), Path::new("/var/run/postgresql"));
        assert_eq!(
            env.with_default_socket_dir("/tmp").default_socket_dir(),
            Path::new("/tmp")
        );
    }
}
