//! Endpoints: where calls go, one for each way of connecting.

use std::cell::Cell;
use std::fmt;

use plproxy_core::conninfo::ConnInfo;

use crate::encoding::Encoding;

/// A database of a partition, as one local user reaches it.
pub struct Endpoint {
    id: u64,
    info: ConnInfo,
    encoding: Encoding,
    /// When it was last asked for, by the generations of `Remote`.
    generation: Cell<u64>,
    /// Nobody can ask for it any more.
    retired: Cell<bool>,
}

impl Endpoint {
    pub(crate) fn new(id: u64, info: ConnInfo, encoding: Encoding) -> Endpoint {
        Endpoint {
            id,
            info,
            encoding,
            generation: Cell::new(0),
            retired: Cell::new(false),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn info(&self) -> &ConnInfo {
        &self.info
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(crate) fn generation(&self) -> &Cell<u64> {
        &self.generation
    }

    pub(crate) fn retired(&self) -> &Cell<bool> {
        &self.retired
    }

    /// The database's name.
    pub fn dbname(&self) -> &str {
        &self.info.dbname
    }

    /// The role that connections log in as.
    pub fn user(&self) -> &str {
        &self.info.user
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("id", &self.id)
            .field("dbname", &self.info.dbname)
            .finish()
    }
}
