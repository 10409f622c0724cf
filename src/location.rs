//! CLUSTER and CONNECT: the cluster that a call goes to.
#![forbid(unsafe_code)]

use crate::cluster::definition::{CONNECTION_STRING, NAME};
use crate::cluster::{Cluster, connected, named};
use crate::error::Error;
use crate::function::ProxyFunction;
use crate::limited::Limited;
use crate::pg::role;
use pgrx::pg_sys::{self, Datum};
use plproxy_core::function::{Location, Source};
use std::rc::Rc;

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

/// The cluster of a connection string. Whoever the string came from, the function's owner lets it be used.
fn connect(function: &ProxyFunction, connstr: &str) -> Result<Rc<Cluster>, Error> {
    CONNECTION_STRING.check(&function.label, connstr)?;
    connected(connstr, role::is_superuser(function.owner)?)
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
            what.read(&function.label, value)
        }
        Source::Query(query) => {
            let arguments = function.arguments();
            function.location_plan.text(arguments, query, args, what)
        }
    }
}
