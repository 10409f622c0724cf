//! What tells this server from its copies: what a transaction's name carries, so that nobody else ends it.
#![forbid(unsafe_code)]

use crate::error::{Error, Report};
use crate::pg::{compat, machine, xact};
use plproxy_core::hash::siphash;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::UNIX_EPOCH;

/// A file that `initdb` writes and nobody ever writes again. A copy of the directory has a copy of it, which is another file.
const WITNESS: &str = "./PG_VERSION";

/// A server of ours, and the database in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instance {
    /// What `initdb` gave it, and what its copies share.
    pub(crate) system: u64,
    pub(crate) database: u32,
    /// What they do not: of the timeline, which a promotion changes; of the path of the data directory; and of the number
    /// and the time of birth of a file in it.
    pub(crate) server: u64,
}

impl Instance {
    /// The one that this session is in. It must not be in recovery.
    pub(crate) fn this() -> Result<Self, Error> {
        let system = xact::system()?;
        let server = of_directory().map_err(|error| {
            Report::internal(format!(
                "could not tell the data directory from its copies: {error}"
            ))
        })?;
        let server = format!("{system} {} {server}", compat::timeline()?);
        Ok(Self {
            system,
            database: xact::database(),
            server: siphash(server.as_bytes()).cast_unsigned(),
        })
    }
}

fn of_directory() -> io::Result<String> {
    let path = fs::canonicalize(machine::data_directory())?;
    let file = fs::metadata(path.join(WITNESS))?;
    // Where the file system does not know when a file was made there is its number.
    let born = file
        .created()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_nanos());
    Ok(format!("{} {born} {}", file.ino(), path.display()))
}
