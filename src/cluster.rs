//! Clusters: where they are defined, and who may reach their partitions as whom.
#![forbid(unsafe_code)]

use crate::access::Access;
use crate::configured;
use crate::error::{Error, FunctionLabel, Report};
use crate::fdw_validator;
use crate::function::ProxyFunction;
use crate::pg::foreign::Server;
use crate::pg::report::{Level, emit};
use crate::pg::{role, spi};
use crate::remote;
use core::cell::{Cell, RefCell};
use pgrx::pg_sys::{self, Datum, Oid};
use plproxy_core::function::{Location, Source};
use plproxy_core::options::{self, ClusterConfig, DefaultUser, OptionError};
use std::collections::HashMap;
use std::rc::Rc;

/// Connection strings of CONNECT that are remembered.
const MOST_CONNECT_STRINGS: usize = 64;
/// Clusters that are remembered: functions may define one for every name that there is.
const MOST_CLUSTERS: usize = 1024;

/// A cluster as defined; immutable but for who has come by.
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) config: ClusterConfig,
    /// Connection strings, by partition number.
    pub(crate) partitions: Vec<String>,
    /// For each partition the first one with the same connection string: the two are one.
    pub(crate) same_as: Vec<usize>,
    pub(crate) origin: Origin,
    /// By the local user's OID.
    access: RefCell<HashMap<Oid, Rc<Access>>>,
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

/// A cluster that was looked up before.
struct Known {
    cluster: Rc<Cluster>,
    /// Since it was seen that no server has the name, no server has changed.
    no_server: bool,
}

thread_local! {
    static CLUSTERS: RefCell<HashMap<String, Known>> = RefCell::new(HashMap::new());
    static CONNECTED: RefCell<HashMap<String, Rc<Cluster>>> = RefCell::new(HashMap::new());
    static KEEPALIVE_WARNED: Cell<bool> = const { Cell::new(false) };
}

/// After a change of servers, wrappers, mappings or roles: what came from them is read again.
pub(crate) fn forget_servers() {
    CLUSTERS.with_borrow_mut(|clusters| {
        clusters.retain(|_, known| !matches!(known.cluster.origin, Origin::Server(_)));
        for known in clusters.values_mut() {
            known.no_server = false;
            known.cluster.access.borrow_mut().clear();
        }
    });
    CONNECTED.with_borrow_mut(HashMap::clear);
    remote::sweep_later();
}

/// The cluster that a call goes to.
pub(crate) fn find(function: &ProxyFunction, args: &[Option<Datum>]) -> Result<Rc<Cluster>, Error> {
    match &function.program.location {
        Location::Connect(Source::Literal(connstr)) => Ok(connect(connstr)),
        Location::Connect(source) => Ok(connect(&text_of(function, source, args)?)),
        Location::Cluster {
            name: Source::Literal(name),
            ..
        } => named(function, name),
        Location::Cluster { name, .. } => named(function, &text_of(function, name, args)?),
    }
}

/// The text that a source gives for these arguments.
fn text_of(
    function: &ProxyFunction,
    source: &Source,
    args: &[Option<Datum>],
) -> Result<String, Error> {
    match source {
        Source::Literal(text) => Ok(text.clone()),
        Source::Argument(number) => {
            if function
                .args
                .get(*number)
                .is_none_or(|arg| arg.type_info.oid != pg_sys::TEXTOID)
            {
                return Err(function.label.error("expected text"));
            }
            let value = args.get(*number).copied().flatten().ok_or_else(|| {
                function
                    .label
                    .error("Cluster/connect name map func returned NULL")
            })?;
            spi::text(value)
        }
        Source::Query(query) => function.location_plan.text(function, query, args),
    }
}

/// The cluster of one partition that CONNECT means.
fn connect(connstr: &str) -> Rc<Cluster> {
    CONNECTED.with_borrow_mut(|connected| {
        if let Some(cluster) = connected.get(connstr) {
            return Rc::clone(cluster);
        }
        if connected.len() >= MOST_CONNECT_STRINGS {
            connected.clear();
            remote::sweep_later();
        }
        let partitions = vec![connstr.to_owned()];
        let cluster = Rc::new(Cluster::new(
            connstr.to_owned(),
            ClusterConfig::default(),
            partitions,
            Origin::Connect,
        ));
        connected.insert(connstr.to_owned(), Rc::clone(&cluster));
        cluster
    })
}

/// The cluster of a name: a foreign server, else what the configuration functions say.
fn named(function: &ProxyFunction, name: &str) -> Result<Rc<Cluster>, Error> {
    let known = CLUSTERS.with_borrow(|clusters| {
        clusters
            .get(name)
            .map(|known| (Rc::clone(&known.cluster), known.no_server))
    });
    let (known, no_server) = match known {
        Some((cluster, _)) if matches!(cluster.origin, Origin::Server(_)) => return Ok(cluster),
        Some((cluster, no_server)) => (Some(cluster), no_server),
        None => (None, false),
    };
    let server = if no_server { None } else { Server::find(name)? };
    let cluster = match server {
        Some(server) => Rc::new(from_server(function, name, &server)?),
        None => configured::load(function, name, known.as_ref())?,
    };
    if known.is_some_and(|known| Rc::ptr_eq(&known, &cluster)) && no_server {
        return Ok(cluster);
    }
    let known = Known {
        cluster: Rc::clone(&cluster),
        no_server: true,
    };
    CLUSTERS.with_borrow_mut(|clusters| {
        if clusters.len() >= MOST_CLUSTERS {
            clusters.clear();
            remote::sweep_later();
        }
        clusters.insert(name.to_owned(), known);
    });
    Ok(cluster)
}

/// A cluster as a foreign server defines it; the wrapper's options are the defaults.
fn from_server(function: &ProxyFunction, name: &str, server: &Server) -> Result<Cluster, Error> {
    let parsed = options::parse_server(&server.wrapper_options()?, &server.options)
        .map_err(|error| option_error(&function.label, error))?;
    warn_of_ignored(&parsed.config)?;
    Ok(Cluster::new(
        name.to_owned(),
        parsed.config,
        parsed.partitions,
        Origin::Server(server.oid),
    ))
}

impl Cluster {
    pub(crate) fn new(
        name: String,
        config: ClusterConfig,
        partitions: Vec<String>,
        origin: Origin,
    ) -> Self {
        let mut first = HashMap::new();
        let same_as = partitions
            .iter()
            .enumerate()
            .map(|(number, connstr)| *first.entry(connstr).or_insert(number))
            .collect();
        Self {
            name,
            config,
            same_as,
            origin,
            access: RefCell::default(),
            partitions,
        }
    }

    /// Whether values travel as text only.
    pub(crate) fn text_only(&self) -> bool {
        self.config.disable_binary
    }

    /// What the calling user may reach, and as whom.
    pub(crate) fn access(&self) -> Result<Rc<Access>, Error> {
        let role = match self.config.default_user {
            DefaultUser::CurrentUser => role::current(),
            DefaultUser::SessionUser => role::session(),
        };
        if let Some(access) = self.access.borrow().get(&role) {
            return Ok(Rc::clone(access));
        }
        let access = Rc::new(Access::check(self, role)?);
        self.access.borrow_mut().insert(role, Rc::clone(&access));
        Ok(access)
    }
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
        return label.error(error.message);
    }
    fdw_validator::report(error).into()
}
