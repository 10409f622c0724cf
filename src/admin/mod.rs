//! The functions by which a DBA sees and steers clusters. Each goes the way that calls go, with the caller's own rights on
//! the cluster; what they have in common is here.
#![forbid(unsafe_code)]

pub(crate) mod check;
pub(crate) mod connections;
pub(crate) mod functions;
mod output;
pub(crate) mod pause;
mod prepared;
pub(crate) mod recover;
pub(crate) mod route;
pub(crate) mod run_on_all;
pub(crate) mod shared;
pub(crate) mod stats;
pub(crate) mod two_phase;
pub(crate) mod worker;

use crate::cluster::access::Access;
use crate::cluster::functions::TrustedOnly;
use crate::cluster::{self, Cluster};
use crate::error::{Error, FunctionLabel, Report, sqlstate};
use crate::function;
use crate::pg::fcinfo::CallInfo;
use crate::pg::proc::Proc;
use crate::pg::spi;
use crate::remote::CONNECT_TIMEOUT;
use crate::scripts::run_scripts;
use crate::transaction::pending;
use core::ops::Deref;
use pgrx::pg_sys::Oid;
use plproxy_core::ident::quote_ident;
use plproxy_remote::{Diagnostic, Endpoint, ErrorKind, Outcome, Script, ScriptOptions};
use std::rc::Rc;

/// A call of one of the functions.
struct Admin<'a> {
    info: &'a mut CallInfo,
    operator: Operator,
}

/// Whoever does something about a cluster, by one of the functions or without it.
struct Operator {
    /// The function's.
    label: FunctionLabel,
    /// Whoever looks after clusters is not to run what anybody made of the functions that define them.
    _trusted: TrustedOnly,
}

impl<'a> Admin<'a> {
    fn begin(info: &'a mut CallInfo) -> Result<Self, Error> {
        function::refresh()?;
        let proc = Proc::find(info.function_oid())?;
        let schema = quote_ident(&proc.schema).into_owned();
        Ok(Self {
            operator: Operator::new(FunctionLabel {
                name: format!("{schema}.{}", quote_ident(&proc.name)).into(),
                nargs: info.nargs(),
            }),
            info,
        })
    }

    /// An argument that must not be NULL.
    fn text(&self, number: usize, what: &str) -> Result<String, Error> {
        match self.info.arg(number) {
            Some(value) => spi::text(value),
            None => Err(self.null(what)),
        }
    }

    fn null(&self, what: &str) -> Error {
        let message = format_args!("{what} must not be NULL");
        self.label
            .error_with(sqlstate::NULL_VALUE_NOT_ALLOWED, message)
    }

    fn flag(&self, number: usize, what: &str) -> Result<bool, Error> {
        let value = self.info.arg(number).ok_or_else(|| self.null(what))?;
        Ok(value.value() & 1 != 0)
    }

    fn function(&self, number: usize) -> Result<Oid, Error> {
        let value = self.info.arg(number).ok_or_else(|| self.null("function"))?;
        Ok(Oid::from(value.value() as u32))
    }

    /// The first argument, which names a cluster.
    fn cluster_name(&self) -> Result<String, Error> {
        let value = self.info.arg(0).ok_or_else(|| self.null("cluster"))?;
        match spi::text_up_to(value, cluster::definition::NAME.most)? {
            Some(name) => Ok(name),
            None => Err(self.label.error(cluster::definition::NAME)),
        }
    }

    /// The cluster that the first argument names.
    fn cluster(&self) -> Result<Rc<Cluster>, Error> {
        cluster::named(&self.label, &self.cluster_name()?)
    }
}

impl Deref for Admin<'_> {
    type Target = Operator;

    fn deref(&self) -> &Operator {
        &self.operator
    }
}

impl Operator {
    fn new(label: FunctionLabel) -> Self {
        Self {
            label,
            _trusted: TrustedOnly::begin(),
        }
    }

    /// The different partitions of a cluster, as the caller reaches them.
    fn partitions(&self, cluster: &Cluster) -> Result<Vec<Partition>, Error> {
        let access = cluster.access()?;
        let numbers = cluster.different_partitions();
        numbers
            .map(|number| Partition::find(cluster, &access, number, &self.label))
            .collect()
    }

    /// Runs scripts and waits for all of them.
    fn run(&self, scripts: Vec<Script>, options: &ScriptOptions) -> Result<Vec<Outcome>, Error> {
        let mut outcomes: Vec<Option<Outcome>> = scripts.iter().map(|_| None).collect();
        self.run_each_to_its_end(scripts, options, &mut |number, outcome| {
            if let Some(slot) = outcomes.get_mut(number) {
                *slot = Some(outcome);
            }
        })?;
        let outcomes = outcomes.into_iter();
        Ok(outcomes
            .map(|outcome| outcome.unwrap_or_else(Outcome::given_up))
            .collect())
    }

    /// The same, and hands over what came of each. Should an error end them, or the process, those that are over by then are
    /// handed over before.
    fn run_each_to_its_end(
        &self,
        scripts: Vec<Script>,
        options: &ScriptOptions,
        each: &mut dyn FnMut(usize, Outcome),
    ) -> Result<(), Error> {
        let report = |dbname: &str, notice: &Diagnostic| self.label.remote_report(dbname, notice);
        run_scripts(&report, scripts, options, &pending::hurry, each)
    }

    /// A failed script as an error of the local session.
    fn remote_error(&self, partition: &Partition, kind: &ErrorKind) -> Error {
        self.label.remote_error(&partition.dbname(), kind)
    }
}

/// How scripts go to a cluster.
pub(crate) fn options(cluster: &Cluster) -> ScriptOptions {
    ScriptOptions {
        connect_timeout: cluster.config.connect_timeout,
        default_connect_timeout: Some(CONNECT_TIMEOUT),
        time_limit: cluster.config.query_timeout,
        ..ScriptOptions::default()
    }
}

/// A partition, or why its connection string is of no use.
struct Partition {
    number: usize,
    endpoint: Result<Rc<Endpoint>, String>,
}

impl Partition {
    fn find(
        cluster: &Cluster,
        access: &Access,
        number: usize,
        label: &FunctionLabel,
    ) -> Result<Self, Error> {
        let endpoint = match access.endpoint(cluster, number, label) {
            Ok(endpoint) => Ok(endpoint),
            // Ours, about this partition; what PostgreSQL raised ends the statement.
            Err(Error::Report(report)) => Err(without_prefix(label, &report)),
            Err(error) => return Err(error),
        };
        Ok(Self { number, endpoint })
    }

    fn dbname(&self) -> String {
        let endpoint = self.endpoint.as_ref();
        endpoint.map_or(String::new(), |endpoint| endpoint.label().to_string())
    }
}

/// A message without the function's name, for a row that stands for it.
fn without_prefix(label: &FunctionLabel, report: &Report) -> String {
    let prefix = format!("PL/Proxy function {}({}): ", label.name, label.nargs);
    let message = &report.message;
    let message = message.strip_prefix(&prefix).unwrap_or(message);
    match &report.detail {
        Some(detail) => format!("{message}\nDETAIL:  {detail}"),
        None => message.to_owned(),
    }
}

/// Outcomes of the partitions that can be connected to, put back beside all of them.
fn beside(
    partitions: &[Partition],
    outcomes: Vec<Outcome>,
) -> impl Iterator<Item = (&Partition, Result<Outcome, String>)> {
    let mut outcomes = outcomes.into_iter();
    partitions.iter().map(move |partition| {
        let outcome = match &partition.endpoint {
            Ok(_) => outcomes.next().ok_or_else(String::new),
            Err(why) => Err(why.clone()),
        };
        (partition, outcome)
    })
}
