//! Endpoints: where calls go, one for each way of connecting.

use std::fmt;

use plproxy_core::conninfo::ConnInfo;

use crate::encoding::Encoding;

/// A database of a partition, as one local user reaches it.
pub struct Endpoint {
    id: u64,
    info: ConnInfo,
    encoding: Encoding,
}

impl Endpoint {
    pub(crate) fn new(id: u64, info: ConnInfo, encoding: Encoding) -> Endpoint {
        Endpoint { id, info, encoding }
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
