//! What becomes of a call when one of its partitions fails: most fail with it, RUN ON ANY goes to another one that can be
//! reached, RUN ON ALL SKIP FAILED does without.
#![forbid(unsafe_code)]

use crate::cluster::Cluster;
use crate::cluster::access::Access;
use crate::error::{Error, FunctionLabel, Report, SqlState, sqlstate};
use crate::function::ProxyFunction;
use crate::gucs;
use crate::stats::Watched;
use crate::under_way::UnderWay;
use plproxy_core::function::RunOn;
use plproxy_core::room::join;
use plproxy_core::routing::shuffle;
use plproxy_remote::{ErrorKind, Params, Request};
use std::rc::Rc;

/// How much of a partition's reason an error has that names several, and how much in all.
const REASON: usize = 300;
const REASONS: usize = 8000;

/// See the module.
pub(crate) enum Tolerance {
    /// It fails, too.
    None,
    /// Others are tried.
    Any(Box<Others>),
    /// It goes on without.
    Skip(Skipped),
}

impl Tolerance {
    pub(crate) fn of(
        function: &ProxyFunction,
        cluster: &Rc<Cluster>,
        requests: &[Request],
        watched: &[Watched],
    ) -> Result<Self, Error> {
        Ok(match function.program.run_on() {
            Some(RunOn::AllSkipFailed) => Self::Skip(Skipped::default()),
            // Where there is another.
            Some(RunOn::Any) if cluster.different_partitions().nth(1).is_some() => {
                let requests = requests.iter().zip(watched);
                Self::Any(Box::new(Others {
                    cluster: Rc::clone(cluster),
                    access: cluster.access()?,
                    requests: requests
                        .map(|(request, watched)| Trying {
                            params: Some(request.params.clone()),
                            partition: watched.partition.number(),
                            left: None,
                            failures: Vec::new(),
                        })
                        .collect(),
                }))
            }
            _ => Self::None,
        })
    }

    /// Whether the failure of a partition may be of no consequence.
    pub(crate) fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether partitions may be left out.
    pub(crate) fn skips(&self) -> bool {
        matches!(self, Self::Skip(_))
    }

    /// A request is answered: it will not be run again.
    pub(crate) fn answered(&mut self, request: usize) {
        if let Self::Any(others) = self
            && let Some(trying) = others.requests.get_mut(request)
        {
            // They may be large.
            trying.params = None;
        }
    }

    /// The call's error with what came before it.
    pub(crate) fn explain(&self, request: Option<usize>, error: Error) -> Error {
        let (Self::Any(others), Some(request)) = (self, request) else {
            return error;
        };
        match (others.requests.get(request), error) {
            (Some(trying), Error::Report(mut report))
                if report.detail.is_none() && !trying.failures.is_empty() =>
            {
                report.detail = Some(reasons(&trying.failures));
                Error::Report(report)
            }
            (_, error) => error,
        }
    }
}

/// The partitions that may take the place of the one that was picked.
pub(crate) struct Others {
    cluster: Rc<Cluster>,
    access: Rc<Access>,
    requests: Vec<Trying>,
}

/// A request that looks for a partition.
struct Trying {
    params: Option<Params>,
    /// The one that is tried.
    partition: usize,
    /// Those that were not, the next one last; made when it is needed.
    left: Option<Vec<usize>>,
    failures: Vec<Failure>,
}

/// A partition that could not be connected to.
struct Failure {
    partition: usize,
    dbname: Rc<str>,
    sqlstate: SqlState,
    reason: String,
}

impl Others {
    /// What to do in the place of a request that could not be sent; `None` if all partitions were tried.
    pub(crate) fn next(
        &mut self,
        request: usize,
        dbname: &Rc<str>,
        kind: &ErrorKind,
        label: &FunctionLabel,
        under_way: &UnderWay,
    ) -> Result<Option<(Request, Watched)>, Error> {
        let Some(trying) = self.requests.get_mut(request) else {
            return Ok(None);
        };
        let failed = trying.partition;
        trying.failures.push(Failure {
            partition: failed,
            dbname: Rc::clone(dbname),
            reason: shortened(&kind.to_string()),
            sqlstate: label.remote_error(dbname, kind).sqlstate(),
        });
        let left = trying
            .left
            .get_or_insert_with(|| order(&self.cluster, &self.access, failed));
        let (partition, place) = loop {
            let Some(partition) = left.pop() else {
                return Ok(None);
            };
            let place = self.access.place(&self.cluster, partition, label)?;
            let Err(reason) = under_way.also(&self.cluster, partition) else {
                break (partition, place);
            };
            trying.failures.push(Failure {
                partition,
                dbname: place.endpoint.label(),
                reason: reason.to_owned(),
                sqlstate: sqlstate::INTERNAL_ERROR,
            });
        };
        let Some(params) = &trying.params else {
            return Ok(None);
        };
        trying.partition = partition;
        let again = Request {
            endpoint: Rc::clone(&place.endpoint),
            params: params.clone(),
        };
        Ok(Some((again, Watched::new(place)?)))
    }

    /// The error of a request for which there is no partition left.
    pub(crate) fn error(&self, request: usize, label: &FunctionLabel) -> Error {
        let trying = self.requests.get(request);
        let failures = trying.map_or(&[][..], |trying| &trying.failures);
        let mut states = failures.iter().map(|failure| failure.sqlstate);
        let first = states.next().unwrap_or(sqlstate::INTERNAL_ERROR);
        let state = if states.all(|state| state == first) {
            first
        } else if gucs::standard_sqlstates() {
            sqlstate::UNABLE_TO_CONNECT
        } else {
            sqlstate::INTERNAL_ERROR
        };
        let count = failures.len();
        let what = format_args!("could not connect to any of {count} partitions");
        label.error_with(state, what).with_detail(reasons(failures))
    }
}

/// The other partitions in random order, behind those that were not reached a while ago.
fn order(cluster: &Cluster, access: &Access, but: usize) -> Vec<usize> {
    let others = cluster.different_partitions().filter(|other| *other != but);
    let mut left: Vec<usize> = others.collect();
    shuffle(&mut left);
    left.sort_by_key(|other| !access.is_avoided(*other));
    left
}

/// A reason on one line, of bounded length.
fn shortened(reason: &str) -> String {
    let mut line = String::new();
    for word in reason.split_whitespace() {
        if line.len() + word.len() > REASON {
            line.push_str(" ...");
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// A line for each partition, in their order.
fn reasons(failures: &[Failure]) -> String {
    let mut sorted: Vec<&Failure> = failures.iter().collect();
    sorted.sort_by_key(|failure| failure.partition);
    let mut text = String::new();
    for (number, failure) in sorted.iter().enumerate() {
        if text.len() > REASONS {
            let rest = sorted.len() - number;
            text.push_str(&format!("\nand {rest} more partitions"));
            break;
        }
        let Failure {
            partition,
            dbname,
            reason,
            ..
        } = failure;
        let gap = if number == 0 { "" } else { "\n" };
        text.push_str(&format!("{gap}partition {partition} [{dbname}]: {reason}"));
    }
    text
}

/// Partitions that were left out.
#[derive(Default)]
pub(crate) struct Skipped {
    count: usize,
    /// Of the first of them, in the order of the partitions.
    first: Option<(usize, Report)>,
}

impl Skipped {
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// One more, with its error, which may be large.
    pub(crate) fn takes(&mut self, request: usize, report: Report) {
        self.count += 1;
        let first = self.first.as_ref().map(|(first, _)| *first);
        if first.is_none_or(|first| request < first) {
            self.first = Some((request, report));
        }
    }

    /// The error of a call of which nothing is left.
    pub(crate) fn error(&mut self) -> Error {
        let mut report = self
            .first
            .take()
            .map_or_else(Report::default, |(_, report)| report);
        let all = self.count;
        if all > 1 {
            let what = format!("All {all} partitions failed; this is the error of the first.");
            report.detail = Some(match report.detail {
                Some(detail) => join(&[&detail, "\n", &what]),
                None => what,
            });
        }
        report.into()
    }
}
