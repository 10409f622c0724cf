//! A running call: what the partitions send becomes the result.
#![forbid(unsafe_code)]

use crate::cancel::{CANCEL_BOUND, interrupted};
use crate::cluster::Cluster;
use crate::error::{Error, FunctionLabel, Report, sqlstate};
use crate::function::ProxyFunction;
use crate::function::signature::ResultType;
use crate::pg::allocator;
use crate::pg::interrupts;
use crate::pg::report::{Level, emit};
use crate::remote::remote;
use crate::shared;
use crate::stats::{End, Watch, Watched};
use crate::tolerance::Tolerance;
use crate::transaction::joined::{Joined, refuse_control};
use crate::under_way::UnderWay;
use plproxy_core::function::Query;
use plproxy_core::options::{PreparedStatements, TransactionMode};
use plproxy_remote::{
    Batch, CallOptions, Diagnostic, ErrorKind, Event, Prepared, Request, Statement,
};
use std::rc::Rc;
use std::time::Duration;

/// For so long what a name stands for on a partition may be what it was.
const PREPARED_LIFETIME: Duration = Duration::from_secs(5);

/// What a request takes until it is sent, besides what is sent.
const REQUEST: usize = 4096;

/// Remote work of one call; dropping it closes what is not finished.
pub(crate) struct Call {
    label: FunctionLabel,
    watch: Watch,
    /// Whether a set is handed out as it comes, where the caller takes it so.
    streaming: bool,
    remote: plproxy_remote::Call<'static>,
    /// A word before which the body's SELECT may lack a `;`.
    next_statement: Option<String>,
    /// What becomes of it when a partition fails.
    tolerance: Tolerance,
    /// The transactions on the partitions that it takes part in.
    joined: Joined,
    /// Requests whose time is over, and that others can do without; the next one is last.
    overdue: Vec<usize>,
    /// A statement that gives no rows is as good as one empty value.
    nothing_will_do: bool,
    is_procedure: bool,
    /// The statement need not be one that gives rows.
    is_execute: bool,
    /// Dropped last: until then a pause waits.
    under_way: UnderWay,
}

impl Call {
    pub(crate) fn start(
        function: &ProxyFunction,
        cluster: &Rc<Cluster>,
        statement: &Rc<Statement>,
        requests: Vec<Request>,
        watched: Vec<Watched>,
        under_way: UnderWay,
    ) -> Result<Self, Error> {
        let config = &cluster.config;
        allocator::check()?;
        let tolerance = Tolerance::of(function, cluster, &requests, &watched)?;
        let is_void = matches!(function.result, ResultType::Void);
        let is_execute = matches!(function.program.query, Query::Execute(_));
        let options = CallOptions {
            query_timeout: config.query_timeout,
            connect_timeout: config.connect_timeout,
            connection_lifetime: config.connection_lifetime,
            idle_timeout: config.idle_timeout,
            reset: cluster.reset.clone(),
            reset_after_error: Some(cluster.reset_after_error.clone()),
            prepared_lifetime: Some(PREPARED_LIFETIME),
            prepared: match config.prepared_statements {
                PreparedStatements::Auto => Prepared::Auto,
                PreparedStatements::On => Prepared::On,
                PreparedStatements::Off => Prepared::Off,
            },
            shared: shared::options(config.shared_connections, cluster.role())?,
            tolerant: tolerance.is_some(),
        };
        let _room = allocator::hold(requests.len().saturating_mul(REQUEST))?;
        let remote = remote()?;
        let joined = match config.transaction_mode {
            TransactionMode::Autocommit => Joined::none(),
            TransactionMode::TwoPhase => {
                if is_execute {
                    refuse_control(&function.label, statement)?;
                }
                Joined::begin(&function.label, cluster, &options, &watched)?
            }
        };
        let watch = Watch::begin(|rank| function.place(rank), watched)?;
        Ok(Self {
            label: function.label.clone(),
            watch,
            // What may be left out is not handed out before it is whole.
            streaming: config.streaming && !tolerance.skips(),
            remote: match joined.branches() {
                None => remote.start(statement, requests, &options),
                Some(branches) => remote.start_in(branches, statement, requests, &options),
            },
            next_statement: match &function.program.query {
                Query::Select(select) => select.next_statement().map(str::to_owned),
                Query::Call(_) | Query::Execute(_) => None,
            },
            tolerance,
            joined,
            overdue: Vec::new(),
            nothing_will_do: is_void && (function.is_procedure || is_execute),
            is_procedure: function.is_procedure,
            is_execute,
            under_way,
        })
    }

    /// Whether a set is handed out as it comes, where the caller takes it so.
    pub(crate) fn is_streaming(&self) -> bool {
        self.streaming
    }

    /// Whether the results of a partition that fails are left out.
    pub(crate) fn skips(&self) -> bool {
        self.tolerance.skips()
    }

    /// Whether it is the call of a procedure.
    pub(crate) fn is_procedure(&self) -> bool {
        self.is_procedure
    }

    /// Waits for what the partitions send and hands it to `take`, until all are done.
    pub(crate) fn drive(
        &mut self,
        mut take: impl FnMut(Arrival) -> Result<(), Error>,
    ) -> Result<(), Error> {
        while let Some(arrival) = self.next()? {
            self.or_cancel(|| take(arrival))?;
        }
        Ok(())
    }

    /// Waits for the next rows, or the end, of some request; `None` when all are done. Notices and interrupts are seen to
    /// on the way, and an error has ended the remote work.
    pub(crate) fn next(&mut self) -> Result<Option<Arrival>, Error> {
        loop {
            if let Some(request) = self.overdue.pop() {
                return self.skip(request, &ErrorKind::QueryTimeout).map(Some);
            }
            match self.remote.next() {
                Ok(Event::Rows {
                    request,
                    batch,
                    done,
                }) => {
                    self.tolerance.answered(request);
                    self.watch.answered(request, batch.len(), done);
                    let end = done.then_some(RequestEnd::Done);
                    return Ok(Some(Arrival {
                        request,
                        batch: Some(batch),
                        end,
                    }));
                }
                Ok(Event::RequestDone {
                    request,
                    columns: Some(_),
                }) => {
                    self.watch.answered(request, 0, true);
                    return Ok(Some(Arrival {
                        request,
                        batch: None,
                        end: Some(RequestEnd::Done),
                    }));
                }
                Ok(Event::RequestFailed {
                    request,
                    kind,
                    unreached,
                }) => {
                    if let Some(arrival) = self.failed(request, &kind, unreached)? {
                        return Ok(Some(arrival));
                    }
                }
                Ok(Event::RequestDone {
                    request,
                    columns: None,
                }) if self.nothing_will_do || self.is_execute => {
                    self.watch.answered(request, 0, true);
                    let nothing = || Batch::of_nothing(self.dbname(request));
                    let batch = self.nothing_will_do.then(nothing);
                    return Ok(Some(Arrival {
                        request,
                        batch,
                        end: Some(RequestEnd::Done),
                    }));
                }
                // A statement without a result, which only the user's own can be.
                Ok(Event::RequestDone { columns: None, .. }) => {
                    let error = self.label.error("run_tag does not match res");
                    self.or_cancel(|| Err(error))?;
                }
                Ok(Event::Notice { request, notice }) => {
                    let report = self.label.remote_report(&self.dbname(request), &notice);
                    self.or_cancel(|| emit(level_of(&notice), &report))?;
                }
                Ok(Event::Warning { warning, .. }) => {
                    let report = Report::new(sqlstate::WARNING, warning);
                    self.or_cancel(|| emit(Level::Warning, &report))?;
                }
                Ok(Event::Finished) => return Ok(None),
                Ok(Event::Interrupted) => {
                    let seen_to = self.interrupted();
                    self.or_cancel(|| seen_to)?;
                }
                Err(error) => {
                    let is_late = matches!(error.kind, ErrorKind::QueryTimeout);
                    if is_late && self.tolerance.skips() {
                        let overdue: Vec<usize> = self.watch.unfinished().rev().collect();
                        let mut all = overdue.iter();
                        if all.all(|request| self.joined.may_do_without(*request)) {
                            self.overdue = overdue;
                            continue;
                        }
                    }
                    // None may have been sent, where one was looked for that can be reached.
                    let request = error.request.or_else(|| self.watch.unfinished().next());
                    return Err(self.failure(request, &error.kind));
                }
            }
        }
    }

    /// A partition has failed, in a call that can do without it, or with another.
    fn failed(
        &mut self,
        request: usize,
        kind: &ErrorKind,
        unreached: bool,
    ) -> Result<Option<Arrival>, Error> {
        let dbname = self.dbname(request);
        match &mut self.tolerance {
            Tolerance::Any(others) if unreached && !kind.is_local() => {
                match others.next(request, &dbname, kind, &self.label, &self.under_way) {
                    Ok(Some((again, watched))) => {
                        let moved = self.joined.moves(request, &self.label, &watched);
                        if let Err(error) = moved {
                            self.fail();
                            return Err(error);
                        }
                        let delays = self.remote.take_delays();
                        self.watch.moves(request, watched, kind, delays);
                        let branch = self.joined.branch(request);
                        self.remote.restart(request, again, branch);
                        Ok(None)
                    }
                    Ok(None) => {
                        let error = others.error(request, &self.label);
                        self.remote.fail();
                        self.watch.failed(Some(request), kind);
                        self.end(End::Failed);
                        Err(error)
                    }
                    Err(error) => {
                        self.fail();
                        Err(error)
                    }
                }
            }
            Tolerance::Skip(_) if !kind.is_local() && self.joined.may_do_without(request) => {
                self.skip(request, kind).map(Some)
            }
            _ => {
                self.remote.fail();
                Err(self.failure(Some(request), kind))
            }
        }
    }

    /// Goes on without a partition, with a warning; if none is left, its error is the call's.
    fn skip(&mut self, request: usize, kind: &ErrorKind) -> Result<Arrival, Error> {
        self.joined.leave_out(request);
        self.watch.failed(Some(request), kind);
        let dbname = self.dbname(request);
        let report = match self.error_of(Some(request), &dbname, kind) {
            Error::Report(report) => *report,
            error => return Err(error),
        };
        let all = self.watch.len();
        // The error of the only one is the call's.
        if all > 1 {
            self.or_cancel(|| emit(Level::Warning, &report))?;
        }
        if let Tolerance::Skip(skipped) = &mut self.tolerance {
            skipped.takes(request, report);
            if skipped.count() >= all {
                let error = skipped.error();
                self.end(End::Failed);
                return Err(error);
            }
        }
        Ok(Arrival {
            request,
            batch: None,
            end: Some(RequestEnd::Failed),
        })
    }

    /// A partition's failure as the call's.
    fn failure(&mut self, request: Option<usize>, kind: &ErrorKind) -> Error {
        self.watch.failed(request, kind);
        self.end(End::Failed);
        let dbname = request.map(|request| self.dbname(request));
        let error = self.error_of(request, &dbname.unwrap_or_default(), kind);
        self.tolerance.explain(request, error)
    }

    fn error_of(&self, request: Option<usize>, dbname: &str, kind: &ErrorKind) -> Error {
        let mut error = self.label.remote_error(dbname, kind);
        let skips = self.tolerance.skips();
        if let Some(hint) = self.joined.hint(request, skips, kind) {
            error = error.hinted(hint);
        }
        error.with_semicolon_hint(self.next_statement.as_deref())
    }

    /// Runs `f`; if it fails, or ends the process, the remote work ends with it.
    pub(crate) fn or_cancel<T>(
        &mut self,
        f: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let result = interrupts::or_at_the_end(&mut || self.cancel(), f);
        if result.is_err() {
            self.fail();
            // An interrupt goes first: it may be what ended `f`, and there is no way back from a FATAL.
            if interrupts::will_end() {
                interrupts::check()?;
            }
        }
        result
    }

    /// Ends the remote work within a bound: nobody wants the rest.
    pub(crate) fn cancel(&mut self) {
        self.remote.cancel(CANCEL_BOUND);
        self.end(End::Canceled);
    }

    /// Ends the remote work within a bound: something here went wrong.
    pub(crate) fn fail(&mut self) {
        self.remote.cancel(CANCEL_BOUND);
        self.end(End::Failed);
    }

    /// Counts the call, if that was not done.
    pub(crate) fn end(&mut self, how: End) {
        if self.watch.is_running() {
            self.watch.end(how, self.remote.take_delays());
        }
    }

    /// Logs a call that has ended, if it was slow.
    pub(crate) fn log(&mut self) -> Result<(), Error> {
        self.watch.log(&self.label)
    }

    /// The caller turns to other things for a while, which does not count for `query_timeout`.
    pub(crate) fn rest(&mut self) {
        self.remote.rest();
    }

    /// How many partitions are asked.
    pub(crate) fn requests(&self) -> usize {
        self.watch.len()
    }

    pub(crate) fn label(&self) -> &FunctionLabel {
        &self.label
    }

    /// Lets PostgreSQL handle its interrupt; if that is the end of this call, the partitions' work ends first.
    fn interrupted(&mut self) -> Result<(), Error> {
        interrupted(|| self.cancel())
    }

    fn dbname(&self, request: usize) -> Rc<str> {
        let partition = self.watch.partition(request);
        partition.map_or_else(Rc::default, |partition| partition.endpoint.label())
    }
}

impl Drop for Call {
    /// Whoever left it in the middle wanted no more of it.
    fn drop(&mut self) {
        self.end(End::Canceled);
    }
}

/// How loud a partition's notice is here.
fn level_of(notice: &Diagnostic) -> Level {
    if notice.code.starts_with(b"00") {
        Level::Notice
    } else {
        Level::Warning
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestEnd {
    Done,
    /// It failed, and is left out.
    Failed,
}

/// Something of a request has come.
pub(crate) struct Arrival {
    pub(crate) request: usize,
    pub(crate) batch: Option<Batch>,
    /// How the request ended, if that was the last of it.
    pub(crate) end: Option<RequestEnd>,
}

impl Arrival {
    /// Whether that was the last of it.
    pub(crate) fn is_last(&self) -> bool {
        self.end.is_some()
    }
}
