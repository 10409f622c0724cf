//! Where something is counted, found once and remembered.
#![forbid(unsafe_code)]

use super::memory::{Kind, current, may_have_room};
use super::name::Name;
use crate::error::Error;
use crate::pg::shmem::Memory;
use crate::pg::xact;
use core::cell::Cell;
use pgrx::pg_sys::Oid;
use plproxy_core::hash::siphash;
use plproxy_core::stats::{Entry, Rank, Sample};
use plproxy_remote::Endpoint;
use std::rc::Rc;

/// A place in the memory, good for one epoch and as long as it is not another's.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place {
    entry: Option<&'static Entry>,
    /// One more than that in which it was found, 0 for none.
    epoch: u64,
    number: u32,
    hash: u64,
}

impl Place {
    fn is_of(&self, memory: &Memory) -> bool {
        self.epoch == memory.header.epoch() + 1
    }

    /// Whether it need not be looked for again by who is worth that much.
    fn is_good(&self, kind: Kind, rank: Rank) -> bool {
        let Some(memory) = current() else {
            return true;
        };
        self.is_of(&memory)
            && match self.entry {
                Some(entry) => entry.is(xact::database(), self.number, self.hash),
                None => memory.has_no_entries() || !may_have_room(kind, rank),
            }
    }

    fn find(kind: Kind, name: &Name<'_>, rank: Rank) -> Result<Self, Error> {
        let Some(memory) = current() else {
            return Ok(Self::default());
        };
        let (epoch, entry) = memory.entry(kind, name, rank)?;
        Ok(Self {
            entry,
            epoch: epoch + 1,
            number: name.number,
            hash: name.hash,
        })
    }

    /// Counts a call. One that began before a reset is not counted, but for want of room.
    pub(super) fn count(&self, call: &Sample) {
        let Some(memory) = current() else {
            return;
        };
        let counted = match self.entry {
            Some(_) if !self.is_of(&memory) => true,
            Some(entry) => entry.count((xact::database(), self.number, self.hash), call),
            None => false,
        };
        if !counted {
            memory.header.count_untracked(1);
        }
    }
}

/// Where the calls of a function are counted.
#[derive(Default)]
pub(crate) struct FunctionPlace(Cell<Place>);

impl FunctionPlace {
    /// `rank` is what the partitions are worth that it goes to.
    pub(crate) fn find(&self, function: Oid, rank: Rank) -> Result<Place, Error> {
        let known = self.0.get();
        if known.is_good(Kind::Function, rank) {
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
        let found = Place::find(Kind::Function, &name, rank)?;
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
    /// Somebody was reached there.
    reached: Cell<bool>,
    /// The endpoint's changes that `place` knows of.
    changes: Cell<u64>,
}

impl PartitionPlace {
    /// The cluster's name in Unicode: it is shown in other databases, too.
    pub(crate) fn new(cluster: Option<String>, number: usize, endpoint: Rc<Endpoint>) -> Self {
        Self {
            endpoint,
            cluster,
            number,
            place: Cell::default(),
            reached: Cell::new(false),
            changes: Cell::new(0),
        }
    }

    /// What its entry is worth.
    pub(super) fn rank(&self) -> Rank {
        Rank::of(self.cluster.is_some(), self.reached.get())
    }

    /// It was reached, or else may not have been.
    pub(super) fn was_reached(&self, reached: bool) {
        self.reached.set(self.reached.get() || reached);
    }

    /// Its number, of those that are the same the first.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    pub(super) fn find(&self) -> Result<Place, Error> {
        let (known, rank) = (self.place.get(), self.rank());
        let changes = self.endpoint.changes();
        if known.is_good(Kind::Partition, rank) && self.changes.get() == changes {
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
        let found = Place::find(Kind::Partition, &name, rank)?;
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
