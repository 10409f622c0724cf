//! Clusters: where they are defined, and who may reach their partitions as whom.
#![forbid(unsafe_code)]

pub(crate) mod access;
mod author;
pub(crate) mod definition;
pub(crate) mod functions;

use crate::error::{Error, FunctionLabel};
use crate::pause::seen::seeing_definitions;
use crate::pg::foreign::Server;
use crate::pg::inval::{Changes, Dependency};
use crate::pg::memory::Context;
use crate::pg::{proc, role};
use crate::recent::Recent;
use access::Access;
use author::Author;
use core::cell::{Cell, RefCell};
use core::ops::Deref;
use definition::{Definition, NAME, Origin, VALIDATOR, option_error, room_of, warn_of_ignored};
use pgrx::pg_sys::Oid;
use plproxy_core::int_map::IntMap;
use plproxy_core::options::{self, ClusterConfig, DefaultUser, OptionError};
use plproxy_remote::Endpoint;
use std::rc::{Rc, Weak};
use std::thread::LocalKey;

/// Connection strings of CONNECT that are remembered.
const MOST_CONNECT_STRINGS: usize = 64;
/// Clusters that are remembered: functions may define one for every name that there is.
const MOST_CLUSTERS: usize = 1024;

/// A cluster, and who has come by.
pub(crate) struct Cluster {
    definition: Definition,
    /// By the local user's OID.
    access: RefCell<IntMap<Oid, Rc<Access>>>,
}

impl Deref for Cluster {
    type Target = Definition;

    fn deref(&self) -> &Definition {
        &self.definition
    }
}

type Connected = RefCell<Recent<String, Rc<Cluster>>>;

thread_local! {
    /// Named clusters. One that functions define is known to have no server of its name.
    static CLUSTERS: RefCell<Recent<String, Rc<Cluster>>> = RefCell::new(Recent::new(MOST_CLUSTERS));
    /// Goes up with every change of them.
    static GENERATION: Cell<u64> = const { Cell::new(0) };
    static CONNECTED_BY_SUPERUSERS: Connected = RefCell::new(Recent::new(MOST_CONNECT_STRINGS));
    static CONNECTED_BY_OTHERS: Connected = RefCell::new(Recent::new(MOST_CONNECT_STRINGS));
}

/// The clusters of the connection strings of CONNECT, by who wrote them.
const CONNECTED: [&LocalKey<Connected>; 2] = [&CONNECTED_BY_SUPERUSERS, &CONNECTED_BY_OTHERS];

/// The server that a name in a function's body stood for last, and when that was. It keeps nothing alive.
#[derive(Default)]
pub(crate) struct LastServer(RefCell<Option<(u64, Weak<Cluster>)>>);

impl LastServer {
    pub(crate) fn get(&self) -> Option<Rc<Cluster>> {
        match &*self.0.borrow() {
            Some((generation, cluster)) if *generation == GENERATION.get() => cluster.upgrade(),
            _ => None,
        }
    }

    pub(crate) fn set(&self, cluster: &Rc<Cluster>) {
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
            Ok(definition) => Cluster::new(definition),
            // Told to who calls it.
            Err(_) => return Ok(None),
        },
        (None, Origin::Functions(_)) => Rc::clone(known),
        (None, _) => return Ok(None),
    };
    cluster.inherit(known)?;
    Ok(Some(cluster))
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

/// The cluster of one partition that a connection string of CONNECT means, and whether a superuser's function gave it.
pub(crate) fn connected(connstr: &str, by_superuser: bool) -> Result<Rc<Cluster>, Error> {
    let (by, author) = if by_superuser {
        (&CONNECTED_BY_SUPERUSERS, Author::Superuser)
    } else {
        (&CONNECTED_BY_OTHERS, Author::Other)
    };
    by.with_borrow_mut(|connected| {
        if let Some(cluster) = connected.get(connstr) {
            return Ok(Rc::clone(cluster));
        }
        let partitions = vec![connstr.to_owned()];
        let cluster = Cluster::new(Definition::new(
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
    let of_functions = || {
        seeing_definitions(|| {
            let version = functions::version(label, name, known.is_some())?;
            match &known {
                Some(known) if version.is_of(known) => Ok(Rc::clone(known)),
                _ => version.load(label, name).map(Cluster::new),
            }
        })
    };
    let cluster = match &known {
        Some(cluster) if matches!(cluster.origin, Origin::Server(_)) => Rc::clone(cluster),
        Some(_) => of_functions()?,
        None => {
            let depends_on = Dependency::server(name)?;
            match Server::find(name)? {
                Some(server) => read_server(name, &server, depends_on)?
                    .map(Cluster::new)
                    .map_err(|error| option_error(label, error))?,
                None => of_functions()?,
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
) -> Result<Result<Definition, OptionError>, Error> {
    let depends_on = vec![depends_on, Dependency::wrapper(server.wrapper)?];
    let (defaults, validator) = server.wrapper()?;
    let _room = room_of(&defaults)?;
    let _room_too = room_of(&server.options)?;
    let author = Author::Role {
        role: server.owner,
        has_valid_mappings: proc::is_c_function(validator, VALIDATOR)?,
    };
    let parsed = options::parse_server(&defaults, &server.options);
    Ok(match parsed {
        Ok(parsed) => Ok(Definition::new(
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

impl Cluster {
    fn new(definition: Definition) -> Rc<Self> {
        Rc::new(Self {
            definition,
            access: RefCell::default(),
        })
    }

    /// Takes over who has come by from what the cluster was before.
    fn inherit(&self, was: &Self) -> Result<(), Error> {
        let before = was.access.borrow().clone();
        self.inherit_access(was, before)
    }

    /// The same, of these. It may have been itself.
    fn inherit_access(&self, was: &Self, before: IntMap<Oid, Rc<Access>>) -> Result<(), Error> {
        let mut inherited = IntMap::default();
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
    pub(crate) fn role(&self) -> Oid {
        match self.config.default_user {
            DefaultUser::CurrentUser => role::current(),
            DefaultUser::SessionUser => role::session(),
        }
    }

    /// What is known of the calling user, who may have no access any more.
    pub(crate) fn known_access(&self) -> Option<Rc<Access>> {
        self.access.borrow().get(&self.role()).cloned()
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
