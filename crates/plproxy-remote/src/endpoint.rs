//! Endpoints: where calls go, one for each way of connecting.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use plproxy_core::conninfo::ConnInfo;

use crate::encoding::Encoding;
use crate::tls::Contexts;

/// A database of a partition, as one local user reaches it.
pub struct Endpoint {
    id: u64,
    info: ConnInfo,
    encoding: Encoding,
    contexts: Rc<Contexts>,
    /// How many of the caller's own values count on it.
    holders: Cell<usize>,
    /// Set when the last of them is gone; all endpoints share it.
    let_go: Rc<Cell<bool>>,
    /// Nobody can ask for it any more.
    retired: Cell<bool>,
}

impl Endpoint {
    pub(crate) fn new(
        id: u64,
        info: ConnInfo,
        encoding: Encoding,
        let_go: Rc<Cell<bool>>,
        contexts: Rc<Contexts>,
    ) -> Endpoint {
        Endpoint {
            id,
            info,
            encoding,
            contexts,
            holders: Cell::new(0),
            let_go,
            retired: Cell::new(false),
        }
    }

    /// Its number, which no other endpoint has.
    pub fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn info(&self) -> &ConnInfo {
        &self.info
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(crate) fn contexts(&self) -> &Contexts {
        &self.contexts
    }

    pub(crate) fn is_held(&self) -> bool {
        self.holders.get() > 0
    }

    pub(crate) fn retired(&self) -> &Cell<bool> {
        &self.retired
    }

    /// Keeps the endpoint's connections at rest open while the result lives. When the last of the results is gone, they are
    /// closed, see [`Remote::tidy`](crate::Remote::tidy).
    pub fn hold(self: &Rc<Self>) -> Hold {
        self.holders.set(self.holders.get() + 1);
        Hold(Rc::clone(self))
    }

    /// The database's name for messages. A password that was not encoded makes a URI's parts fall where they do not
    /// belong, so what is no plain name is not shown.
    pub fn label(&self) -> &str {
        label(&self.info.dbname)
    }

    /// The database's name.
    pub fn dbname(&self) -> &str {
        &self.info.dbname
    }

    /// The hosts to try, divided by commas, as they were written.
    pub fn hosts(&self) -> String {
        let names: Vec<String> = (self.info.hosts.iter())
            .map(|host| host.name.to_string())
            .collect();
        names.join(",")
    }

    /// The port, if it is the same for all hosts.
    pub fn port(&self) -> Option<u16> {
        let mut ports = self.info.hosts.iter().map(|host| host.port);
        let first = ports.next()?;
        ports.all(|port| port == first).then_some(first)
    }

    /// The role that connections log in as.
    pub fn user(&self) -> &str {
        &self.info.user
    }
}

/// A database's name as a message may show it.
pub fn label(dbname: &str) -> &str {
    if dbname.contains(['@', ':', '/', '=']) {
        "***"
    } else {
        dbname
    }
}

/// See [`Endpoint::hold`].
#[derive(Debug)]
pub struct Hold(Rc<Endpoint>);

impl Hold {
    /// What is held.
    pub fn endpoint(&self) -> &Rc<Endpoint> {
        &self.0
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let left = self.0.holders.get() - 1;
        self.0.holders.set(left);
        if left == 0 {
            self.0.let_go.set(true);
        }
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
