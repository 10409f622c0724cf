//! Clusters: where they are defined, and who may reach their partitions as whom.
#![forbid(unsafe_code)]

use crate::access::Access;
use crate::author::Author;
use crate::configured;
use crate::error::{Error, FunctionLabel, Report};
use crate::fdw_validator;
use crate::function::ProxyFunction;
use crate::local::Limited;
use crate::pg::foreign::{self, Server};
use crate::pg::inval::{Changes, Dependency};
use crate::pg::memory::Context;
use crate::pg::report::{Level, emit};
use crate::pg::{allocator, encoding, proc, role};
use crate::recent::Recent;
use core::cell::{Cell, RefCell};
use pgrx::pg_sys::{self, Datum, Oid};
use plproxy_core::function::{Location, Source};
use plproxy_core::numbered::NumberMap;
use plproxy_core::options::{self, ClusterConfig, DefaultUser, OptionError};
use plproxy_core::room::{self as core_room, Room};
use plproxy_remote::{Endpoint, Reset};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::thread::LocalKey;

/// Connection strings of CONNECT that are remembered.
const MOST_CONNECT_STRINGS: usize = 64;
/// Clusters that are remembered: functions may define one for every name that there is.
const MOST_CLUSTERS: usize = 1024;

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

/// A cluster as defined; immutable but for who has come by.
pub(crate) struct Cluster {
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
    pub(crate) origin: Origin,
    pub(crate) author: Author,
    /// What it was read from. None for that of CONNECT.
    depends_on: Vec<Dependency>,
    /// By the local user's OID.
    access: RefCell<NumberMap<Oid, Rc<Access>>>,
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

type Connected = RefCell<Recent<String, Rc<Cluster>>>;

thread_local! {
    /// Named clusters. One that functions define is known to have no server of its name.
    static CLUSTERS: RefCell<Recent<String, Rc<Cluster>>> = RefCell::new(Recent::new(MOST_CLUSTERS));
    /// Goes up with every change of them.
    static GENERATION: Cell<u64> = const { Cell::new(0) };
    static CONNECTED_BY_SUPERUSERS: Connected = RefCell::new(Recent::new(MOST_CONNECT_STRINGS));
    static CONNECTED_BY_OTHERS: Connected = RefCell::new(Recent::new(MOST_CONNECT_STRINGS));
    static KEEPALIVE_WARNED: Cell<bool> = const { Cell::new(false) };
}

/// The clusters of the connection strings of CONNECT, by who wrote them.
const CONNECTED: [&LocalKey<Connected>; 2] = [&CONNECTED_BY_SUPERUSERS, &CONNECTED_BY_OTHERS];

/// The server that a name in a function's body stood for last, and when that was. It keeps nothing alive.
#[derive(Default)]
pub(crate) struct LastServer(RefCell<Option<(u64, Weak<Cluster>)>>);

impl LastServer {
    fn get(&self) -> Option<Rc<Cluster>> {
        match &*self.0.borrow() {
            Some((generation, cluster)) if *generation == GENERATION.get() => cluster.upgrade(),
            _ => None,
        }
    }

    fn set(&self, cluster: &Rc<Cluster>) {
        if matches!(cluster.origin, Origin::Server(_)) {
            let last = (GENERATION.get(), Rc::downgrade(cluster));
            self.0.replace(Some(last));
        }
    }
}

/// After changes of the catalogs: what came from them is read again. Now and not when each cluster is called the next time,
/// so that connections which nothing stands for any more are seen and closed.
pub(crate) fn renew(changes: &Changes) -> Result<(), Error> {
    // A cluster that is read again has its users' access read again, too.
    let (mut stale, mut suspect) = (Vec::new(), Vec::new());
    CLUSTERS.with_borrow(|clusters| {
        for (name, cluster) in clusters.iter() {
            if changes.touch(&cluster.depends_on) {
                stale.push(name.clone());
            } else if cluster.access_is_touched_by(changes) {
                suspect.push(Rc::clone(cluster));
            }
        }
    });
    for by in CONNECTED {
        by.with_borrow(|connected| {
            let touched = connected
                .values()
                .filter(|it| it.access_is_touched_by(changes));
            suspect.extend(touched.cloned());
        });
    }
    if stale.is_empty() && suspect.is_empty() {
        return Ok(());
    }
    // Taken out first: should this fail, what is left out is read again when it is called.
    if !stale.is_empty() {
        GENERATION.set(GENERATION.get() + 1);
    }
    let stale: Vec<_> = CLUSTERS.with_borrow_mut(|clusters| {
        let taken = stale.into_iter().map(|name| (clusters.remove(&name), name));
        taken.collect()
    });
    let suspect: Vec<_> = suspect
        .into_iter()
        .map(|cluster| (cluster.access.take(), cluster))
        .collect();
    let memory = Context::for_call()?;
    memory.enter(|| {
        for (known, name) in stale {
            if let Some(known) = known
                && let Some(cluster) = renewed(&name, &known)?
            {
                drop(CLUSTERS.with_borrow_mut(|clusters| clusters.insert(name, cluster)));
            }
        }
        suspect
            .into_iter()
            .try_for_each(|(before, cluster)| cluster.inherit_access(&cluster, before))
    })
}

/// A named cluster as it is now, if it can be told without calling anybody's functions.
fn renewed(name: &str, known: &Rc<Cluster>) -> Result<Option<Rc<Cluster>>, Error> {
    let depends_on = Dependency::server(name)?;
    let cluster = match (Server::find(name)?, known.origin) {
        (Some(server), _) => match read_server(name, &server, depends_on)? {
            Ok(cluster) => Rc::new(cluster),
            // Told to who calls it.
            Err(_) => return Ok(None),
        },
        (None, Origin::Functions(_)) => Rc::clone(known),
        (None, _) => return Ok(None),
    };
    cluster.inherit(known)?;
    Ok(Some(cluster))
}

/// The cluster that a call goes to.
pub(crate) fn find(function: &ProxyFunction, args: &[Option<Datum>]) -> Result<Rc<Cluster>, Error> {
    match &function.program.location {
        Location::Connect(Source::Literal(connstr)) => connect(function, connstr),
        Location::Connect(source) => {
            let connstr = text_of(function, source, args, CONNECTION_STRING)?;
            connect(function, &connstr)
        }
        Location::Cluster {
            name: Source::Literal(name),
            ..
        } => {
            if let Some(cluster) = function.last_server.get() {
                return Ok(cluster);
            }
            let cluster = named(&function.label, name)?;
            function.last_server.set(&cluster);
            Ok(cluster)
        }
        Location::Cluster { name, .. } => {
            let name = text_of(function, name, args, NAME)?;
            named(&function.label, &name)
        }
    }
}

/// Whether a function goes to the same cluster whatever its arguments are.
pub(crate) fn is_fixed(function: &ProxyFunction) -> bool {
    let (Location::Connect(source) | Location::Cluster { name: source, .. }) =
        &function.program.location;
    match source {
        Source::Literal(_) => true,
        Source::Argument(_) => false,
        Source::Query(query) => query.args.is_empty(),
    }
}

/// The name of the cluster that a function's body gives. Where it names a function for that, nothing is evaluated.
pub(crate) fn literal_name(function: &ProxyFunction) -> Option<&str> {
    match &function.program.location {
        Location::Cluster {
            name: Source::Literal(name),
            ..
        } => Some(name),
        _ => None,
    }
}

/// An endpoint that a cluster has opened in this session.
pub(crate) struct Opened {
    /// The cluster; none where the body's own connection string stands for it.
    pub(crate) cluster: Option<String>,
    pub(crate) partition: usize,
    /// The local user.
    pub(crate) role: Oid,
    pub(crate) endpoint: Rc<Endpoint>,
}

/// What the clusters known to this session have opened.
pub(crate) fn opened() -> Vec<Opened> {
    let mut found = Vec::new();
    let mut add = |cluster: &Cluster| {
        for (role, access) in cluster.access.borrow().iter() {
            found.extend(access.opened().map(|(partition, endpoint)| Opened {
                cluster: (cluster.origin != Origin::Connect).then(|| cluster.name.clone()),
                partition,
                role: *role,
                endpoint,
            }));
        }
    };
    CLUSTERS.with_borrow(|clusters| clusters.values().for_each(|cluster| add(cluster)));
    for by in CONNECTED {
        by.with_borrow(|connected| connected.values().for_each(|cluster| add(cluster)));
    }
    found
}

/// The text that a source gives for these arguments.
fn text_of(
    function: &ProxyFunction,
    source: &Source,
    args: &[Option<Datum>],
    what: Limited,
) -> Result<String, Error> {
    match source {
        Source::Literal(text) => {
            what.check(&function.label, text)?;
            Ok(text.clone())
        }
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
            what.read(function, value)
        }
        Source::Query(query) => function.location_plan.text(function, query, args, what),
    }
}

/// The cluster of one partition that CONNECT means. Whoever the string came from, the function's owner lets it be used.
fn connect(function: &ProxyFunction, connstr: &str) -> Result<Rc<Cluster>, Error> {
    CONNECTION_STRING.check(&function.label, connstr)?;
    let (by, author) = if role::is_superuser(function.owner)? {
        (&CONNECTED_BY_SUPERUSERS, Author::Superuser)
    } else {
        (&CONNECTED_BY_OTHERS, Author::Other)
    };
    by.with_borrow_mut(|connected| {
        if let Some(cluster) = connected.get(connstr) {
            return Ok(Rc::clone(cluster));
        }
        let partitions = vec![connstr.to_owned()];
        let cluster = Rc::new(Cluster::new(
            connstr.to_owned(),
            ClusterConfig::default(),
            partitions,
            Origin::Connect,
            author,
            Vec::new(),
        )?);
        let _gone = connected.insert(connstr.to_owned(), Rc::clone(&cluster));
        Ok(cluster)
    })
}

/// The cluster of a name: a foreign server, else what the configuration functions say.
pub(crate) fn named(label: &FunctionLabel, name: &str) -> Result<Rc<Cluster>, Error> {
    NAME.check(label, name)?;
    let known = CLUSTERS.with_borrow_mut(|clusters| clusters.get(name).cloned());
    let cluster = match &known {
        Some(cluster) if matches!(cluster.origin, Origin::Server(_)) => Rc::clone(cluster),
        Some(_) => configured::load(label, name, known.as_ref())?,
        None => {
            let depends_on = Dependency::server(name)?;
            match Server::find(name)? {
                Some(server) => Rc::new(
                    read_server(name, &server, depends_on)?
                        .map_err(|error| option_error(label, error))?,
                ),
                None => configured::load(label, name, None)?,
            }
        }
    };
    warn_of_ignored(&cluster.config)?;
    match known {
        Some(known) if Rc::ptr_eq(&known, &cluster) => return Ok(cluster),
        Some(known) => cluster.inherit(&known)?,
        None => {}
    }
    GENERATION.set(GENERATION.get() + 1);
    drop(
        CLUSTERS.with_borrow_mut(|clusters| clusters.insert(name.to_owned(), Rc::clone(&cluster))),
    );
    Ok(cluster)
}

/// A cluster as a foreign server defines it; the wrapper's options are the defaults.
fn read_server(
    name: &str,
    server: &Server,
    depends_on: Dependency,
) -> Result<Result<Cluster, OptionError>, Error> {
    let depends_on = vec![depends_on, Dependency::wrapper(server.wrapper)?];
    let (defaults, validator) = server.wrapper()?;
    let _room = room_of(&defaults)?;
    let _room_too = room_of(&server.options)?;
    let author = Author::Role {
        role: server.owner,
        has_valid_mappings: proc::is_c_function(validator, fdw_validator::NAME)?,
    };
    let parsed = options::parse_server(&defaults, &server.options);
    Ok(match parsed {
        Ok(parsed) => Ok(Cluster::new(
            name.to_owned(),
            parsed.config,
            parsed.partitions,
            Origin::Server(server.oid),
            author,
            depends_on,
        )?),
        Err(error) => Err(error),
    })
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

impl Cluster {
    pub(crate) fn new(
        name: String,
        config: ClusterConfig,
        partitions: Vec<String>,
        origin: Origin,
        author: Author,
        depends_on: Vec<Dependency>,
    ) -> Result<Self, Error> {
        let mut first = HashMap::new();
        let same_as = partitions
            .iter()
            .enumerate()
            .map(|(number, connstr)| *first.entry(connstr).or_insert(number))
            .collect();
        let reset = config.reset_query.as_deref().map(encoding::sql);
        Ok(Self {
            name,
            reset: reset.transpose()?.map(Reset::new),
            reset_after_error: Reset::all(),
            config,
            same_as,
            origin,
            author,
            depends_on,
            access: RefCell::default(),
            partitions,
        })
    }

    /// Whether values travel as text only.
    pub(crate) fn text_only(&self) -> bool {
        self.config.disable_binary
    }

    /// Takes over who has come by from what the cluster was before.
    fn inherit(&self, was: &Self) -> Result<(), Error> {
        let before = was.access.borrow().clone();
        self.inherit_access(was, before)
    }

    /// The same, of these. It may have been itself.
    fn inherit_access(&self, was: &Self, before: NumberMap<Oid, Rc<Access>>) -> Result<(), Error> {
        let mut inherited = NumberMap::default();
        if self.config.default_user == was.config.default_user {
            for (role, access) in before {
                if let Some(access) = access.renew(was, self)? {
                    inherited.insert(role, access);
                }
            }
        }
        self.access.replace(inherited);
        Ok(())
    }

    /// Whether what somebody may reach, or as whom, may have changed while the cluster has not.
    fn access_is_touched_by(&self, changes: &Changes) -> bool {
        let access = self.access.borrow();
        access
            .values()
            .any(|access| changes.roles || changes.touch(access.depends_on()))
    }

    /// Whose user mapping counts.
    fn role(&self) -> Oid {
        match self.config.default_user {
            DefaultUser::CurrentUser => role::current(),
            DefaultUser::SessionUser => role::session(),
        }
    }

    /// What is known of the calling user, who may have no access any more.
    pub(crate) fn known_access(&self) -> Option<Rc<Access>> {
        self.access.borrow().get(&self.role()).cloned()
    }

    /// The different partitions, each by its first number.
    pub(crate) fn different_partitions(&self) -> impl Iterator<Item = usize> {
        let numbers = self.same_as.iter().copied().enumerate();
        numbers.filter_map(|(number, first)| (number == first).then_some(number))
    }

    /// What the calling user may reach, and as whom.
    pub(crate) fn access(&self) -> Result<Rc<Access>, Error> {
        let role = self.role();
        let is_by_superuser = self.author.is_superuser()?;
        if let Some(access) = self.access.borrow().get(&role)
            && access.is_by_superuser() == is_by_superuser
        {
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
        return Report::internal(core_room::join(&[&label.message(""), &error.message])).into();
    }
    fdw_validator::report(error).into()
}
