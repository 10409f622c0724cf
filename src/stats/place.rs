//! Where something is counted, found once and remembered.
#![forbid(unsafe_code)]

use super::entry::{Entry, Sample};
use super::memory::{Header, Kind, current};
use crate::cluster::{Cluster, Origin};
use crate::error::Error;
use crate::pg::xact;
use core::cell::Cell;
use pgrx::pg_sys::Oid;
use plproxy_core::hash::siphash;
use plproxy_remote::Endpoint;
use std::rc::Rc;

/// All that tells an entry from others, and what is shown of it.
pub(super) struct Name<'a> {
    pub(super) database: u32,
    pub(super) number: u32,
    /// Of everything, as names may be cut where they are kept.
    pub(super) hash: u64,
    pub(super) cluster: &'a str,
    pub(super) dbname: &'a str,
    pub(super) host: &'a str,
    pub(super) port: u32,
}

/// A place in the memory, good for one epoch.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place {
    header: Option<&'static Header>,
    epoch: u64,
    entry: Option<&'static Entry>,
}

impl Place {
    /// Whether it has to be looked for again.
    fn is_stale(&self) -> bool {
        self.header
            .is_none_or(|header| header.epoch() != self.epoch)
    }

    fn find(kind: Kind, name: &Name<'_>) -> Result<Self, Error> {
        let Some(memory) = current() else {
            return Ok(Self::default());
        };
        let (epoch, entry) = memory.entry(kind, name)?;
        Ok(Self {
            header: Some(memory.header),
            epoch,
            entry,
        })
    }

    /// Counts a call. One that began before a reset is not counted, but for want of room.
    pub(super) fn count(&self, call: &Sample) {
        match (self.entry, self.header) {
            (Some(entry), _) if !self.is_stale() => entry.count(call),
            (None, Some(header)) => header.count_untracked(),
            _ => {}
        }
    }
}

/// Where the calls of a function are counted.
#[derive(Default)]
pub(crate) struct FunctionPlace(Cell<Place>);

impl FunctionPlace {
    pub(crate) fn find(&self, function: Oid) -> Result<Place, Error> {
        let known = self.0.get();
        if !known.is_stale() {
            return Ok(known);
        }
        let number = function.to_u32();
        let name = Name {
            database: xact::database(),
            number,
            hash: siphash(&number.to_le_bytes()).cast_unsigned(),
            cluster: "",
            dbname: "",
            host: "",
            port: 0,
        };
        let found = Place::find(Kind::Function, &name)?;
        self.0.set(found);
        Ok(found)
    }
}

/// A partition as one local user reaches it, and where its calls are counted.
pub(crate) struct PartitionPlace {
    pub(crate) endpoint: Rc<Endpoint>,
    /// None where the body's own connection string stands for the cluster.
    cluster: Option<String>,
    number: usize,
    place: Cell<Place>,
    /// The endpoint's changes that `place` knows of.
    changes: Cell<u64>,
}

impl PartitionPlace {
    pub(crate) fn new(cluster: &Cluster, number: usize, endpoint: Rc<Endpoint>) -> Self {
        Self {
            endpoint,
            cluster: (cluster.origin != Origin::Connect).then(|| cluster.name.clone()),
            number,
            place: Cell::default(),
            changes: Cell::new(0),
        }
    }

    pub(super) fn find(&self) -> Result<Place, Error> {
        let known = self.place.get();
        let changes = self.endpoint.changes();
        if !known.is_stale() && self.changes.get() == changes {
            return Ok(known);
        }
        let cluster = self.cluster.as_deref();
        let number = match cluster {
            Some(_) => u32::try_from(self.number).unwrap_or(NO_NUMBER),
            None => NO_NUMBER,
        };
        let (database, host) = (xact::database(), self.endpoint.hosts());
        let dbname = self.endpoint.label();
        let port = self.endpoint.port().map_or(0, u32::from);
        let all = format!(
            "{database}\0{}\0{number}\0{host}\0{port}\0{dbname}",
            cluster.unwrap_or_default()
        );
        let name = Name {
            database,
            number,
            hash: siphash(all.as_bytes()).cast_unsigned(),
            cluster: cluster.unwrap_or_default(),
            dbname: &dbname,
            host: &host,
            port,
        };
        let found = Place::find(Kind::Partition, &name)?;
        self.changes.set(changes);
        self.place.set(found);
        Ok(found)
    }

    /// How the log names it.
    pub(super) fn label(&self) -> String {
        let host = self.endpoint.hosts();
        let address = match self.endpoint.port() {
            Some(port) => format!("{host}:{port}"),
            None => host,
        };
        match &self.cluster {
            Some(_) => format!("partition {} ({address})", self.number),
            None => format!("connection ({address})"),
        }
    }
}

/// The number of what is no partition of a cluster.
pub(crate) const NO_NUMBER: u32 = u32::MAX;
