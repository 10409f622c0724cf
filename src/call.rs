//! A running call: what the partitions send becomes the result.
#![forbid(unsafe_code)]

use crate::cluster::Cluster;
use crate::collect::Collector;
use crate::error::{Error, FunctionLabel, Report, sqlstate};
use crate::function::{ProxyFunction, ResultType};
use crate::pg::allocator;
use crate::pg::fcinfo::{CallInfo, ResultMode};
use crate::pg::interrupts;
use crate::pg::memory::Context;
use crate::pg::report::{Level, emit};
use crate::pg::settings::TextSettings;
use crate::remote::remote;
use crate::rows::RowReader;
use crate::shape::{Shape, ShapeResult};
use crate::stats::{End, Watch, Watched};
use crate::stream::Stream;
use crate::tolerance::Tolerance;
use pgrx::pg_sys::Datum;
use plproxy_core::function::Query;
use plproxy_core::options::PreparedStatements;
use plproxy_remote::{
    Batch, CallOptions, Diagnostic, ErrorKind, Event, Prepared, Request, Statement,
};
use std::rc::Rc;
use std::time::Duration;

/// How long the partitions have to confirm a cancel before their connections are closed.
pub(crate) const CANCEL_BOUND: Duration = Duration::from_millis(80);

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
    /// Requests whose time is over, and that others can do without; the next one is last.
    overdue: Vec<usize>,
    /// A statement that gives no rows is as good as one empty value.
    nothing_will_do: bool,
    is_procedure: bool,
    /// The statement need not be one that gives rows.
    is_execute: bool,
}

impl Call {
    pub(crate) fn start(
        function: &ProxyFunction,
        cluster: &Rc<Cluster>,
        statement: &Rc<Statement>,
        requests: Vec<Request>,
        watched: Vec<Watched>,
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
            prepared: match config.prepared_statements {
                PreparedStatements::Auto => Prepared::Auto,
                PreparedStatements::On => Prepared::On,
                PreparedStatements::Off => Prepared::Off,
            },
            tolerant: tolerance.is_some(),
        };
        let _room = allocator::hold(requests.len().saturating_mul(REQUEST))?;
        let remote = remote()?;
        let watch = Watch::begin(function, watched)?;
        Ok(Self {
            label: function.label.clone(),
            watch,
            // What may be left out is not handed out before it is whole.
            streaming: config.streaming && !tolerance.skips(),
            remote: remote.start(statement, requests, &options),
            next_statement: match &function.program.query {
                Query::Select(select) => select.next_statement().map(str::to_owned),
                Query::Call(_) | Query::Execute(_) => None,
            },
            tolerance,
            overdue: Vec::new(),
            nothing_will_do: is_void && (function.is_procedure || is_execute),
            is_procedure: function.is_procedure,
            is_execute,
        })
    }

    /// Reads what the partitions send until all are done, and returns the call's value.
    pub(crate) fn finish(
        mut self,
        info: &mut CallInfo,
        mode: ResultMode,
        shape: &Rc<Shape>,
        memory: &Context,
    ) -> Result<Datum, Error> {
        let result = match mode {
            ResultMode::Single => self.single(info, shape),
            ResultMode::SetOrStream if self.streaming => {
                return Stream::new(self, shape).advance(info);
            }
            ResultMode::Set | ResultMode::SetOrStream => self.set(info, shape, memory),
        };
        self.end(if result.is_ok() {
            End::Done
        } else {
            End::Failed
        });
        let logged = self.log();
        result.and_then(|value| logged.map(|()| value))
    }

    /// All rows go to a tuplestore.
    fn set(
        &mut self,
        info: &mut CallInfo,
        shape: &Rc<Shape>,
        memory: &Context,
    ) -> Result<Datum, Error> {
        let row_type = shape.set_row_type(&self.label)?;
        let mut collector = Collector::new(
            info,
            shape,
            row_type,
            self.watch.len(),
            self.tolerance.skips(),
        )?;
        let label = self.label.clone();
        self.drive(|step| match step {
            Step::Rows(request, batch) => collector.rows(request, batch, &label, memory),
            Step::Done(request) => collector.done(request, &label, memory),
            Step::Failed(request) => collector.failed(request, &label, memory),
        })?;
        collector.finish()?;
        Ok(info.return_null())
    }

    /// One row is wanted, no less and no more.
    fn single(&mut self, info: &mut CallInfo, shape: &Shape) -> Result<Datum, Error> {
        if self.is_procedure && matches!(shape.result, ShapeResult::Void) {
            // From however many partitions, and whatever they send.
            self.drive(|_| Ok(()))?;
            return Ok(info.return_null());
        }
        let mut count: u64 = 0;
        let mut value = None;
        let label = self.label.clone();
        self.drive(|step| {
            if let Step::Rows(_, batch) = step {
                // The value goes to the caller's memory; further rows are counted for the message only.
                let first = count == 0 && !batch.is_empty();
                count += batch.len() as u64;
                if first {
                    // Values as text are read as the partition's settings mean them.
                    let _style = batch.style().map(TextSettings::for_input).transpose()?;
                    let dbname = Rc::clone(batch.dbname());
                    value = RowReader::find(shape, &batch, &label)?
                        .take_single(shape, batch)
                        .map_err(|error| label.value_error(&dbname, error))?;
                }
            }
            Ok(())
        })?;
        if count != 1 {
            let sqlstate = if count == 0 {
                sqlstate::NO_DATA_FOUND
            } else {
                sqlstate::TOO_MANY_ROWS
            };
            let what =
                format_args!("Non-SETOF function requires 1 row from remote query, got {count}");
            return Err(self.label.error_with(sqlstate, what));
        }
        Ok(value.unwrap_or_else(|| info.return_null()))
    }

    /// Waits for what the partitions send and hands it to `take`, until all are done.
    fn drive(&mut self, mut take: impl FnMut(Step) -> Result<(), Error>) -> Result<(), Error> {
        while let Some(arrival) = self.next()? {
            self.or_cancel(|| Self::hand_over(arrival, &mut take))?;
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
                    let end = done.then_some(Step::Done(request));
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
                        end: Some(Step::Done(request)),
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
                        end: Some(Step::Done(request)),
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
                        self.overdue = self.watch.unfinished().rev().collect();
                        continue;
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
                match others.next(request, &dbname, kind, &self.label) {
                    Ok(Some((again, watched))) => {
                        self.watch.moves(request, watched, kind);
                        self.remote.restart(request, again);
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
            Tolerance::Skip(_) if !kind.is_local() => self.skip(request, kind).map(Some),
            _ => {
                self.remote.fail();
                Err(self.failure(Some(request), kind))
            }
        }
    }

    /// Goes on without a partition, with a warning; if none is left, its error is the call's.
    fn skip(&mut self, request: usize, kind: &ErrorKind) -> Result<Arrival, Error> {
        self.watch.failed(Some(request), kind);
        let dbname = self.dbname(request);
        let report = match self.error_of(&dbname, kind) {
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
            end: Some(Step::Failed(request)),
        })
    }

    /// A partition's failure as the call's.
    fn failure(&mut self, request: Option<usize>, kind: &ErrorKind) -> Error {
        self.watch.failed(request, kind);
        self.end(End::Failed);
        let dbname = request.map(|request| self.dbname(request));
        let error = self.error_of(&dbname.unwrap_or_default(), kind);
        self.tolerance.explain(request, error)
    }

    fn error_of(&self, dbname: &str, kind: &ErrorKind) -> Error {
        let error = self.label.remote_error(dbname, kind);
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
            self.watch.end(how, self.remote.take_connects());
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

    /// Hands over what came.
    fn hand_over(
        arrival: Arrival,
        take: &mut impl FnMut(Step) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if let Some(batch) = arrival.batch {
            take(Step::Rows(arrival.request, batch))?;
        }
        arrival.end.map_or(Ok(()), take)
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

/// Something of a request has come.
pub(crate) struct Arrival {
    pub(crate) request: usize,
    pub(crate) batch: Option<Batch>,
    /// What follows, if that was the last of it.
    end: Option<Step>,
}

impl Arrival {
    /// Whether that was the last of it.
    pub(crate) fn is_last(&self) -> bool {
        self.end.is_some()
    }
}

/// Lets PostgreSQL handle its interrupt; if that is the end of the statement, `cancel` ends the remote work first.
pub(crate) fn interrupted(cancel: impl FnOnce()) -> Result<(), Error> {
    let mut cancel = Some(cancel);
    let mut cancel = || cancel.take().into_iter().for_each(|cancel| cancel());
    if let Err(error) = allocator::check() {
        cancel();
        return Err(error);
    }
    if !interrupts::will_end() {
        return interrupts::or_at_the_end(&mut cancel, interrupts::check);
    }
    cancel();
    interrupts::check()?;
    // The work is cancelled, so there is no going on even if PostgreSQL has changed its mind.
    Err(interrupts::canceled())
}

/// What a call's result is made of.
enum Step {
    Rows(usize, Batch),
    Done(usize),
    /// It failed, and is left out.
    Failed(usize),
}
