//! What one local user may reach of a cluster, and as whom.
#![forbid(unsafe_code)]

use super::definition::{self, CONNECTION_STRING, Definition, Origin};
use crate::error::{Error, FunctionLabel, Report, sqlstate};
use crate::limited::Limited;
use crate::pg::inval::Dependency;
use crate::pg::{allocator, encoding, foreign, machine, role};
use crate::remote::remote;
use crate::shared;
use crate::stats::PartitionPlace;
use core::cell::OnceCell;
use pgrx::pg_sys::Oid;
use plproxy_core::conninfo::{self, ConnInfoError, Params, PasswordRule, SystemEnvironment};
use plproxy_core::options::is_password_required;
use plproxy_core::room;
use plproxy_core::shared::Keys;
use plproxy_remote::{Endpoint, EndpointRef};
use std::collections::HashMap;
use std::rc::Rc;

/// The credentials of a user, and the partitions looked at so far.
pub(crate) struct Access {
    role: Oid,
    user: String,
    password: Option<String>,
    rule: Rule,
    endpoints: Vec<OnceCell<Reached>>,
    /// The user mappings that there are, or might be.
    depends_on: Vec<Dependency>,
}

/// What connections may be made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// With all that this server's user of the operating system has: a superuser wrote the connection strings.
    All,
    /// Without the files that only a superuser may name; a superuser has said of the user mapping that no password is
    /// required.
    NoFiles,
    /// Only with a password that comes with the connection string, or the user mapping, and that the partition asks for.
    OwnPassword,
}

/// So many copies there may be of a connection string and of what stands beside it, while it is made out what it says.
const COPIES: usize = 256;

/// A partition that was looked at.
struct Reached {
    hold: EndpointRef,
    place: Rc<PartitionPlace>,
}

impl Reached {
    fn new(cluster: &Definition, partition: usize, endpoint: &Rc<Endpoint>) -> Self {
        Self {
            hold: endpoint.hold(),
            place: Rc::new(PartitionPlace::new(
                cluster.shown_name(),
                partition,
                Rc::clone(endpoint),
            )),
        }
    }
}

impl Access {
    /// Checks the right to use the cluster and finds the remote user.
    pub(crate) fn check(cluster: &Definition, role: Oid) -> Result<Self, Error> {
        let depends_on = Self::mappings(cluster, role)?;
        let mut mapping = foreign::Options::new();
        if let Origin::Server(server) = cluster.origin {
            foreign::check_usage(server, role, &cluster.name)?;
            mapping = foreign::user_mapping(role, server)?;
        }
        Self::new(cluster, role, role::name(role)?, mapping, depends_on)
    }

    fn mappings(cluster: &Definition, role: Oid) -> Result<Vec<Dependency>, Error> {
        let Origin::Server(server) = cluster.origin else {
            return Ok(Vec::new());
        };
        let users = [role, Oid::INVALID].into_iter();
        users
            .map(|user| Dependency::mapping(user, server))
            .collect()
    }

    pub(crate) fn depends_on(&self) -> &[Dependency] {
        &self.depends_on
    }

    /// Whether it is that of connection strings which a superuser wrote.
    pub(crate) fn is_by_superuser(&self) -> bool {
        self.rule == Rule::All
    }

    /// The same user's access to `cluster` as it is now, which was `was`; `None` if there is none any more. The partitions
    /// that stay what they were stay connected.
    pub(crate) fn renew(
        self: &Rc<Self>,
        was: &Definition,
        cluster: &Definition,
    ) -> Result<Option<Rc<Self>>, Error> {
        let role = self.role;
        let depends_on = Self::mappings(cluster, role)?;
        let Some(name) = role::find_name(role)? else {
            return Ok(None);
        };
        let mut mapping = foreign::Options::new();
        if let Origin::Server(server) = cluster.origin {
            if !foreign::may_use(server, role)? {
                return Ok(None);
            }
            match foreign::find_user_mapping(role, server)? {
                Some(found) => mapping = found,
                None => return Ok(None),
            }
        }
        let access = Self::new(cluster, role, name, mapping, depends_on)?;
        let is_same = access.user == self.user && access.password == self.password;
        if is_same && access.rule == self.rule {
            if core::ptr::eq(was, cluster) {
                return Ok(Some(Rc::clone(self)));
            }
            let held: HashMap<&str, &Reached> = was
                .partitions
                .iter()
                .zip(&self.endpoints)
                .filter_map(|(connstr, slot)| Some((connstr.as_str(), slot.get()?)))
                .collect();
            let slots = cluster.partitions.iter().zip(&access.endpoints);
            for (partition, (connstr, slot)) in slots.enumerate() {
                if let Some(reached) = held.get(connstr.as_str()) {
                    slot.get_or_init(|| Reached::new(cluster, partition, reached.hold.endpoint()));
                }
            }
        }
        Ok(Some(Rc::new(access)))
    }

    fn new(
        cluster: &Definition,
        role: Oid,
        name: String,
        mapping: foreign::Options,
        depends_on: Vec<Dependency>,
    ) -> Result<Self, Error> {
        let _room = definition::room(cluster.partitions.len(), 0)?;
        let rule = if cluster.author.is_superuser()? {
            Rule::All
        } else if cluster.author.has_valid_mappings() && !is_password_required(&mapping) {
            Rule::NoFiles
        } else {
            Rule::OwnPassword
        };
        let (mut user, mut password) = (None, None);
        for (name, value) in mapping {
            match name.as_str() {
                "user" => user = value.map(encoding::into_unicode).transpose()?,
                "password" => password = value.map(encoding::into_unicode).transpose()?,
                // Another wrapper's server may serve as a cluster; its mappings have options of their own.
                _ => (),
            }
        }
        Ok(Self {
            role,
            user: user.map_or_else(|| encoding::into_unicode(name), Ok)?,
            password,
            rule,
            endpoints: cluster.partitions.iter().map(|_| OnceCell::new()).collect(),
            depends_on,
        })
    }

    /// The pool's slot for a partition.
    pub(crate) fn endpoint(
        &self,
        cluster: &Definition,
        partition: usize,
        label: &FunctionLabel,
    ) -> Result<Rc<Endpoint>, Error> {
        let reached = self.reached(cluster, partition, label)?;
        Ok(Rc::clone(reached.hold.endpoint()))
    }

    /// The same with where its calls are counted.
    pub(crate) fn place(
        &self,
        cluster: &Definition,
        partition: usize,
        label: &FunctionLabel,
    ) -> Result<Rc<PartitionPlace>, Error> {
        let reached = self.reached(cluster, partition, label)?;
        Ok(Rc::clone(&reached.place))
    }

    fn reached(
        &self,
        cluster: &Definition,
        partition: usize,
        label: &FunctionLabel,
    ) -> Result<&Reached, Error> {
        let (Some(slot), Some(connstr)) = (
            self.endpoints.get(partition),
            cluster.partitions.get(partition),
        ) else {
            return Err(label.error("part number out of range"));
        };
        if let Some(reached) = slot.get() {
            return Ok(reached);
        }
        allocator::check()?;
        let connstr = &*encoding::to_unicode(connstr)?;
        CONNECTION_STRING.check(label, connstr)?;
        let credentials = self.user.len() + self.password.as_ref().map_or(0, String::len);
        if credentials > CONNECTION_STRING.most {
            return Err(label.error(Limited {
                name: "user mapping",
                ..CONNECTION_STRING
            }));
        }
        let copies = (connstr.len() + credentials).saturating_mul(COPIES);
        let _room = allocator::hold(copies)?;
        let params = self.params(connstr).map_err(|error| label.error(error))?;
        let dbname = params.label(&self.user).to_owned();
        self.check_params(cluster, &params).map_err(|mut report| {
            report.message = label.message(format_args!("[{dbname}] {}", report.message));
            Error::Report(report)
        })?;
        // Two users never share a connection, nor do two sets of credentials, nor what was made with less than is required.
        let key = format!(
            "{}\0{:?}\0{}\0{}\0{connstr}",
            self.role.to_u32(),
            self.rule,
            self.user,
            self.password.as_deref().unwrap_or_default()
        );
        let keys = self.keys(connstr, params.get("user").unwrap_or(&self.user));
        let env = SystemEnvironment::new().with_default_socket_dir(machine::default_socket_dir());
        let rule = match (self.rule, cluster.origin) {
            (Rule::All | Rule::NoFiles, _) => PasswordRule::Free,
            (Rule::OwnPassword, Origin::Server(_)) => PasswordRule::RequiredOfMapping,
            (Rule::OwnPassword, _) => PasswordRule::Required,
        };
        let read = move || {
            let _room = room::hold(copies)?;
            let (mut info, warnings) = params.resolve(&env)?;
            info.password_rule = rule;
            Ok((info, warnings))
        };
        let endpoint = remote()?
            .endpoint(&key, read)
            .map_err(|error| label.error(format_args!("[{dbname}] {error}")))?;
        if let Some(keys) = keys {
            endpoint.set_keys(keys);
        }
        Ok(slot.get_or_init(|| Reached::new(cluster, partition, &endpoint)))
    }

    /// What the connections are told apart by that sessions share.
    fn keys(&self, connstr: &str, user: &str) -> Option<Keys> {
        let (role, rule) = (self.role.to_u32().to_be_bytes(), format!("{:?}", self.rule));
        let password = self.password.as_deref().unwrap_or_default();
        shared::keys(connstr, user, &[&role, rule.as_bytes()], password)
    }

    /// Refuses connection strings of who is no superuser that ask for what only superusers may give away. The words are
    /// those of postgres_fdw and dblink where they have any.
    fn check_params(&self, cluster: &Definition, params: &Params) -> Result<(), Box<Report>> {
        if self.rule == Rule::All {
            return Ok(());
        }
        let hint = match cluster.origin {
            Origin::Server(_) => "The owner of the foreign server is not a superuser.",
            Origin::Functions(_) => {
                "The owner of plproxy.get_cluster_partitions(text) or of its schema is not a superuser."
            }
            Origin::Connect => "The owner of the function is not a superuser.",
        };
        if let Some(keyword) = params.names_file() {
            let mut report = Report::new(
                sqlstate::INSUFFICIENT_PRIVILEGE,
                format!("connection option \"{keyword}\" is superuser-only"),
            );
            report.hint = Some(hint.to_owned());
            return Err(Box::new(report));
        }
        if self.rule == Rule::NoFiles || params.get("password").is_some_and(|p| !p.is_empty()) {
            return Ok(());
        }
        let mut report = Report::new(sqlstate::PROHIBITED_STATEMENT, "password is required");
        let place = match cluster.origin {
            Origin::Server(_) => "user mapping",
            Origin::Functions(_) | Origin::Connect => "connection string",
        };
        report.detail = Some(format!(
            "Non-superusers must provide a password in the {place}."
        ));
        report.hint = Some(hint.to_owned());
        Err(Box::new(report))
    }

    /// Whether a partition could not be connected to a while ago.
    pub(crate) fn is_avoided(&self, partition: usize) -> bool {
        let slot = self.endpoints.get(partition).and_then(OnceCell::get);
        slot.is_some_and(|reached| reached.hold.endpoint().is_avoided())
    }

    /// The partitions looked at so far, with their slots.
    pub(crate) fn opened(&self) -> impl Iterator<Item = (usize, Rc<Endpoint>)> {
        let slots = self.endpoints.iter().enumerate();
        slots.filter_map(|(partition, slot)| {
            Some((partition, Rc::clone(slot.get()?.hold.endpoint())))
        })
    }

    /// The connection string with the user that it lacks.
    fn params(&self, connstr: &str) -> Result<Params, ConnInfoError> {
        let mut params = conninfo::parse(connstr)?;
        if params.get("user").is_none() {
            params.set("user", &self.user);
            if let Some(password) = &self.password {
                params.set("password", password);
            }
        }
        Ok(params)
    }
}
