//! What a cluster is by its definition, wherever that is read from.
#![forbid(unsafe_code)]

use super::author::Author;
use crate::error::{Error, FunctionLabel, Report, state};
use crate::limited::Limited;
use crate::pause::seen::key;
use crate::pg::inval::Dependency;
use crate::pg::report::{Level, emit};
use crate::pg::{allocator, encoding, foreign};
use core::cell::Cell;
use pgrx::pg_sys::Oid;
use plproxy_core::options::{ClusterConfig, OptionError};
use plproxy_core::room::{self as core_room, Room};
use plproxy_remote::Reset;
use std::collections::HashMap;
use std::rc::Rc;

/// The name in the library of the function that checks options.
pub(super) const VALIDATOR: &str = "plproxy_fdw_validator";

/// As the function of `plproxy.get_cluster_version` takes it; that of a server has fewer.
pub(crate) const NAME: Limited = Limited {
    name: "cluster name",
    most: 1024,
};
/// A server takes no more than 10,000 bytes to start with. There may be many hosts.
pub(crate) const CONNECTION_STRING: Limited = Limited {
    name: "connection string",
    most: 64 * 1024,
};
/// What a partition of a cluster takes, besides its connection string, until something is known of it.
const PARTITION: usize = 256;

thread_local! {
    static KEEPALIVE_WARNED: Cell<bool> = const { Cell::new(false) };
}

/// Where a cluster is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A foreign server, by its OID.
    Server(Oid),
    /// The functions `plproxy.get_cluster_*`, at a version.
    Functions(i32),
    /// The body's own connection string.
    Connect,
}

/// See the module.
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) config: ClusterConfig,
    /// What connections run after a call.
    pub(crate) reset: Option<Rc<Reset>>,
    /// The same after a call that failed. Nobody expects a session to outlive an error: under the C handler it never did.
    pub(crate) reset_after_error: Rc<Reset>,
    /// Connection strings, by partition number.
    pub(crate) partitions: Vec<String>,
    /// For each partition the first one with the same connection string: the two are one.
    pub(crate) same_as: Vec<usize>,
    /// Whether there are two such.
    pub(crate) has_aliases: bool,
    /// What stands for it where it may be paused; 0 for the body's own connection string, which never is.
    pub(crate) key: u64,
    pub(crate) origin: Origin,
    pub(crate) author: Author,
    /// What it was read from. None for that of CONNECT.
    pub(super) depends_on: Vec<Dependency>,
}

impl Definition {
    pub(crate) fn new(
        name: String,
        config: ClusterConfig,
        partitions: Vec<String>,
        origin: Origin,
        author: Author,
        depends_on: Vec<Dependency>,
    ) -> Result<Self, Error> {
        let mut first = HashMap::new();
        let same_as: Vec<usize> = partitions
            .iter()
            .enumerate()
            .map(|(number, connstr)| *first.entry(connstr).or_insert(number))
            .collect();
        let has_aliases = first.len() < same_as.len();
        let key = match origin {
            Origin::Connect => 0,
            Origin::Server(_) | Origin::Functions(_) => key(&name),
        };
        let reset = config.reset_query.as_deref().map(encoding::sql);
        Ok(Self {
            name,
            reset: reset.transpose()?.map(Reset::new),
            reset_after_error: Reset::all(),
            config,
            same_as,
            has_aliases,
            key,
            origin,
            author,
            depends_on,
            partitions,
        })
    }

    /// Whether values travel as text only.
    pub(crate) fn text_only(&self) -> bool {
        self.config.disable_binary
    }

    /// The different partitions, each by its first number.
    pub(crate) fn different_partitions(&self) -> impl Iterator<Item = usize> {
        let numbers = self.same_as.iter().copied().enumerate();
        numbers.filter_map(|(number, first)| (number == first).then_some(number))
    }

    /// The cluster's name in Unicode; none where the body's own connection string stands for the cluster.
    pub(crate) fn shown_name(&self) -> Option<String> {
        (self.origin != Origin::Connect).then(|| match encoding::to_unicode(&self.name) {
            Ok(name) => name.into_owned(),
            Err(_) => self.name.clone(),
        })
    }
}

/// Room for a cluster that is made of options, and for messages about them.
pub(crate) fn room_of(options: &foreign::Options) -> Result<Option<Room>, Error> {
    let text = |(name, value): &(String, Option<String>)| {
        name.len() + value.as_ref().map_or(0, String::len)
    };
    room(options.len(), options.iter().map(text).sum())
}

/// Room for a cluster of so many partitions, whose connection strings are so long together.
pub(crate) fn room(partitions: usize, text: usize) -> Result<Option<Room>, Error> {
    let partitions = partitions.saturating_mul(PARTITION);
    allocator::hold(partitions.saturating_add(text.saturating_mul(4)))
}

/// Says once per session that some options have no effect.
pub(crate) fn warn_of_ignored(config: &ClusterConfig) -> Result<(), Error> {
    if config.ignored_keepalive && !KEEPALIVE_WARNED.replace(true) {
        let message = "Use libpq keepalive options, PL/Proxy keepalive options not supported";
        emit(Level::Warning, &Report::new(*b"01000", message))?;
    }
    Ok(())
}

/// A mistake in a cluster's options, found by a call.
pub(crate) fn option_error(label: &FunctionLabel, error: OptionError) -> Error {
    if error.in_function {
        return Report::internal(core_room::join(&[&label.message(""), &error.message])).into();
    }
    report(error).into()
}

/// An option's error as PostgreSQL shows it.
pub(crate) fn report(error: OptionError) -> Report {
    let mut report = Report::new(state(error.sqlstate), error.message);
    report.hint = error.hint;
    report
}
