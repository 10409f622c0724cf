//! Endpoints: one for each database and way to connect to it.

pub(crate) mod reachability;
pub(crate) mod resources;
pub(crate) mod usage;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Instant;

use plproxy_core::conninfo::{ConnInfo, ConnInfoError, Host, Warning, shown};
use plproxy_core::shared::Keys;

use crate::encoding::Encoding;
use crate::endpoint::reachability::{Attempt, Reachability};
use crate::endpoint::resources::Resources;
use crate::endpoint::usage::Usage;

/// Reads a connection string, with the files and the environment behind it. May block.
pub type Reader = Box<dyn Fn() -> Result<(ConnInfo, Vec<Warning>), ConnInfoError>>;

/// A database of a partition, as one local user connects to it.
///
/// It is identified by the connection string. Where that leads may change, as the service file and the password file are read
/// whenever a connection is made. Idle connections are not affected by that.
pub struct Endpoint {
    id: u64,
    reader: Reader,
    shown: RefCell<Shown>,
    /// How often `shown` has changed.
    changes: Cell<u64>,
    resources: Rc<Resources>,
    /// How many references the caller holds.
    holders: Cell<usize>,
    /// It is not in use any more: its connections are not kept.
    closed: Cell<bool>,
    /// The encoding of its sessions, once that is known.
    encoding: Cell<Option<Encoding>>,
    usage: Rc<Usage>,
    reachability: Reachability,
    /// What its connections are told apart by, where sessions share them.
    keys: Cell<Option<Keys>>,
}

/// What may be shown of the connection string, as it was last read.
#[derive(PartialEq, Eq)]
struct Shown {
    /// See [`Endpoint::label`].
    label: Rc<str>,
    user: String,
    hosts: Vec<(String, Option<u16>)>,
}

impl Shown {
    fn of(info: &ConnInfo) -> Shown {
        let hosts = info.hosts.iter();
        Shown {
            label: info.label().into(),
            user: shown(&info.user).to_owned(),
            hosts: hosts
                .map(|host| (host.shown(), Host::shown_port(host)))
                .collect(),
        }
    }
}

impl Endpoint {
    /// Reads the connection string for the first time.
    pub(crate) fn new(
        id: u64,
        reader: Reader,
        resources: Rc<Resources>,
    ) -> Result<Endpoint, ConnInfoError> {
        let (info, _) = reader()?;
        Ok(Endpoint {
            id,
            reader,
            shown: RefCell::new(Shown::of(&info)),
            changes: Cell::new(0),
            resources,
            holders: Cell::new(0),
            closed: Cell::new(false),
            encoding: Cell::new(None),
            usage: Rc::default(),
            reachability: Reachability::default(),
            keys: Cell::new(None),
        })
    }

    /// Reads the connection string, for each connection that is made. May block.
    pub(crate) fn read(&self) -> Result<(ConnInfo, Vec<Warning>), ConnInfoError> {
        let (info, warnings) = (self.reader)()?;
        let shown = Shown::of(&info);
        if *self.shown.borrow() != shown {
            self.shown.replace(shown);
            self.changes.set(self.changes.get() + 1);
        }
        Ok((info, warnings))
    }

    /// Reads the connection string again, for what may be shown of it. May block.
    pub fn refresh(&self) -> Result<(), ConnInfoError> {
        self.read().map(drop)
    }

    /// How often what may be shown of it has changed.
    pub fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// Its number, which no other endpoint has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The encoding of the last session: the host's, or UTF-8 where the server cannot convert to that. `None`: there was no session
    /// yet.
    pub fn encoding(&self) -> Option<Encoding> {
        self.encoding.get()
    }

    /// The encoding that sessions are asked for first.
    pub fn host_encoding(&self) -> Encoding {
        self.resources.encoding
    }

    /// What its connections are told apart by, where sessions share them.
    pub fn keys(&self) -> Option<Keys> {
        self.keys.get()
    }

    /// Sets that, before its first use.
    pub fn set_keys(&self, keys: Keys) {
        self.keys.set(Some(keys));
    }

    pub(crate) fn set_encoding(&self, encoding: Encoding) {
        self.encoding.set(Some(encoding));
    }

    pub(crate) fn resources(&self) -> &Resources {
        &self.resources
    }

    pub(crate) fn usage(&self) -> &Rc<Usage> {
        &self.usage
    }

    /// Whether connecting has failed lately, so that other endpoints are better tried first.
    pub fn is_avoided(&self) -> bool {
        self.reachability.is_avoided()
    }

    /// An attempt to connect begins.
    pub(crate) fn attempt(&self, begun: Instant) -> Attempt<'_> {
        self.reachability.attempt(begun)
    }

    pub(crate) fn is_held(&self) -> bool {
        self.holders.get() > 0
    }

    pub(crate) fn closed(&self) -> &Cell<bool> {
        &self.closed
    }

    /// Keeps the endpoint's idle connections open while the result lives. When the last of the results is dropped, they are closed,
    /// see [`Remote::tidy`](crate::Remote::tidy).
    pub fn hold(self: &Rc<Self>) -> EndpointRef {
        self.holders.set(self.holders.get() + 1);
        EndpointRef(Rc::clone(self))
    }

    /// The database's name for messages and views. A password that was not encoded may be read as other parts of a URI, so only a
    /// plain name is shown.
    pub fn label(&self) -> Rc<str> {
        Rc::clone(&self.shown.borrow().label)
    }

    /// The hosts to try, separated by commas, as they were written; nothing that may be a piece of a password is shown.
    pub fn hosts(&self) -> String {
        let shown = self.shown.borrow();
        let names: Vec<&str> = shown.hosts.iter().map(|(name, _)| name.as_str()).collect();
        names.join(",")
    }

    /// The port, if it is the same for all hosts and may be shown.
    pub fn port(&self) -> Option<u16> {
        let shown = self.shown.borrow();
        let mut ports = shown.hosts.iter().map(|(_, port)| *port);
        let first = ports.next()?;
        first.filter(|_| ports.all(|port| port == first))
    }

    /// The role that connections log in as, for messages and views.
    pub fn user(&self) -> String {
        self.shown.borrow().user.clone()
    }
}

/// See [`Endpoint::hold`].
#[derive(Debug)]
pub struct EndpointRef(Rc<Endpoint>);

impl EndpointRef {
    /// The endpoint.
    pub fn endpoint(&self) -> &Rc<Endpoint> {
        &self.0
    }
}

impl Drop for EndpointRef {
    fn drop(&mut self) {
        let left = self.0.holders.get() - 1;
        self.0.holders.set(left);
        if left == 0 {
            self.0.resources.let_go.set(true);
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("id", &self.id)
            .field("dbname", &self.shown.borrow().label)
            .finish()
    }
}
