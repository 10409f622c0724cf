//! The functions by which a DBA sees and steers clusters. Each goes the way that calls go, with the caller's own rights on
//! the cluster; what they have in common is here.
#![forbid(unsafe_code)]

pub(crate) mod check;
pub(crate) mod connections;
pub(crate) mod functions;
mod output;
pub(crate) mod recover;
pub(crate) mod route;
pub(crate) mod run_on_all;
pub(crate) mod stats;
pub(crate) mod two_phase;

use crate::call::{self, CANCEL_BOUND};
use crate::cluster::access::Access;
use crate::cluster::functions::TrustedOnly;
use crate::cluster::{self, Cluster};
use crate::error::{Error, FunctionLabel, Report, sqlstate};
use crate::function;
use crate::pg::allocator;
use crate::pg::fcinfo::CallInfo;
use crate::pg::interrupts;
use crate::pg::proc::Proc;
use crate::pg::report::{Level, emit};
use crate::pg::spi;
use crate::remote::remote;
use crate::transaction::pending;
use pgrx::pg_sys::Oid;
use plproxy_core::ident::quote_ident;
use plproxy_remote::{
    Diagnostic, Endpoint, Errand, ErrandOptions, Errands, ErrorKind, Event, Outcome,
};
use std::rc::Rc;
use std::time::Duration;

/// What an errand takes until something is sent, besides what is sent.
const ERRAND: usize = 8192;

/// How long to try to connect where nothing is set.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A call of one of the functions.
struct Admin<'a> {
    info: &'a mut CallInfo,
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
            label: FunctionLabel {
                name: format!("{schema}.{}", quote_ident(&proc.name)).into(),
                nargs: info.nargs(),
            },
            info,
            _trusted: TrustedOnly::begin(),
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

    /// The different partitions of a cluster, as the caller reaches them.
    fn partitions(&self, cluster: &Cluster) -> Result<Vec<Partition>, Error> {
        let access = cluster.access()?;
        let numbers = cluster.different_partitions();
        numbers
            .map(|number| Partition::find(cluster, &access, number, &self.label))
            .collect()
    }

    /// Runs errands and waits for all of them.
    fn run(&self, errands: Vec<Errand>, options: &ErrandOptions) -> Result<Vec<Outcome>, Error> {
        let mut outcomes: Vec<Option<Outcome>> = errands.iter().map(|_| None).collect();
        self.run_each_to_its_end(errands, options, &mut |number, outcome| {
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
        errands: Vec<Errand>,
        options: &ErrandOptions,
        each: &mut dyn FnMut(usize, Outcome),
    ) -> Result<(), Error> {
        let report = |dbname: &str, notice: &Diagnostic| self.label.remote_report(dbname, notice);
        run_errands(&report, errands, options, each)
    }

    /// A failed errand as an error of the local session.
    fn remote_error(&self, partition: &Partition, kind: &ErrorKind) -> Error {
        self.label.remote_error(&partition.dbname(), kind)
    }
}

/// Runs errands and waits for all of them; `report` makes one of a partition's notice. What came of each is handed over. Should
/// an error end them, or the process, those that are over by then are handed over before.
pub(crate) fn run_errands(
    report: &dyn Fn(&str, &Diagnostic) -> Report,
    errands: Vec<Errand>,
    options: &ErrandOptions,
    each: &mut dyn FnMut(usize, Outcome),
) -> Result<(), Error> {
    let _room = allocator::hold(errands.len().saturating_mul(ERRAND))?;
    let names: Vec<String> = errands.iter().map(dbname).collect();
    let mut running = remote()?.errands(errands, options);
    loop {
        let event = running.next();
        if matches!(event, Event::Finished) {
            hand_over(&mut running, each);
            return Ok(());
        }
        let mut cancel = || {
            pending::hurry();
            running.cancel(CANCEL_BOUND);
            hand_over(&mut running, each);
        };
        let result = match event {
            Event::Interrupted => call::interrupted(cancel),
            Event::Notice { request, notice } => {
                let dbname = names.get(request).map_or("", String::as_str);
                let report = report(dbname, &notice);
                interrupts::or_at_the_end(&mut cancel, || emit(level_of(&notice), &report))
            }
            Event::Warning { warning, .. } => {
                let report = Report::new(sqlstate::WARNING, warning);
                interrupts::or_at_the_end(&mut cancel, || emit(Level::Warning, &report))
            }
            // Errands tell of their failures by their outcomes.
            Event::Rows { .. } | Event::RequestDone { .. } | Event::RequestFailed { .. } => Ok(()),
            Event::Finished => Ok(()),
        };
        if let Err(error) = result {
            running.cancel(CANCEL_BOUND);
            hand_over(&mut running, each);
            return Err(error);
        }
    }
}

/// Hands over what came of the errands that are over.
fn hand_over(running: &mut Errands<'_>, each: &mut dyn FnMut(usize, Outcome)) {
    for (number, outcome) in running.take_outcomes() {
        each(number, outcome);
    }
}

/// The library has come without the extension's SQL, or the other way round.
pub(crate) fn outdated() -> Error {
    let what = "the extension's functions are of another version than its library";
    Error::from(Report::internal(what)).hinted("Run ALTER EXTENSION plproxy UPDATE.")
}

/// How loud a partition's notice is here: as loud as there, unlike in calls. Warnings have their class of SQLSTATEs.
fn level_of(notice: &Diagnostic) -> Level {
    if notice.code.starts_with(b"01") {
        Level::Warning
    } else {
        Level::Notice
    }
}

/// The database that an errand goes to, for messages.
fn dbname(errand: &Errand) -> String {
    use plproxy_remote::On;
    let endpoint = match &errand.on {
        On::New(endpoint) | On::SessionOrNew(_, endpoint) => Some(endpoint),
        On::Session(session) | On::SessionOrAgain(Some(session), _) => session.endpoint(),
        On::SessionOrAgain(None, _) => None,
    };
    endpoint.map_or(String::new(), |endpoint| endpoint.label().to_string())
}

/// How errands go to a cluster.
pub(crate) fn options(cluster: &Cluster) -> ErrandOptions {
    ErrandOptions {
        connect_timeout: cluster.config.connect_timeout,
        default_connect_timeout: Some(CONNECT_TIMEOUT),
        time_limit: cluster.config.query_timeout,
        ..ErrandOptions::default()
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

/// What went wrong, as a value in a row.
pub(crate) fn words(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::Db(diagnostic) => diagnostic.lines(),
        other => other.to_string(),
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
