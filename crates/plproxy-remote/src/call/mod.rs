//! Calls: one statement on some endpoints at once, and what comes of it, event by event.

pub(crate) mod cancel_all;
pub(crate) mod cancel_by_server;
pub(crate) mod event;
pub(crate) mod queue;
pub(crate) mod request;
pub(crate) mod request_futures;
pub(crate) mod running;
pub(crate) mod script;
pub(crate) mod state;
mod stop;
pub(crate) mod wait_queue;

use std::cell::RefCell;
use std::iter::repeat;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::FutureExt;

use crate::call::event::Event;
use crate::call::queue::Item;
use crate::call::request::PartitionRequest;
use crate::call::request::context::CallContext;
use crate::call::request_futures::{RequestFuture, RequestFutures};
use crate::call::state::CallState;
use crate::connection::branch::Branch;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::net::linger;
use crate::options::CallOptions;
use crate::pool::Pool;
use crate::protocol::param::Params;
use crate::protocol::statement::Statement;
use crate::runtime::Runtime;
use crate::runtime::wait_event::Wait;

/// How long the other requests of a failed call may take to end.
const AFTER_ERROR: Duration = Duration::from_millis(500);
/// How long the cancelling may take after a timeout, which has used up the caller's patience already.
const AFTER_TIMEOUT: Duration = Duration::from_millis(300);
/// Rows of all requests together, in bytes, that one round of polling may take in.
const ROUND: usize = 64 * 1024;

/// One run of the statement.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where.
    pub endpoint: Rc<Endpoint>,
    /// With what; requests may share it.
    pub params: Params,
}

/// A call under way. Dropping it hangs up on the servers that still work on it, without a wait.
pub struct Call<'a> {
    runtime: &'a Runtime,
    pool: &'a Rc<Pool>,
    state: Rc<CallState>,
    futures: RequestFutures,
    requests: usize,
    query_timeout: Option<Duration>,
    /// Of a tolerant call, for what is run once more.
    context: Option<Rc<CallContext>>,
    /// All that had come when a tolerant call's time was over was looked at.
    looked: bool,
    /// When the caller turned to other things.
    resting_since: Option<Instant>,
    /// How long it did so in all.
    rested: Duration,
}

/// Why a wait ended.
enum Woken {
    Interrupted,
    Wanted,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        runtime: &'a Runtime,
        pool: &'a Rc<Pool>,
        statement: &Rc<Statement>,
        requests: Vec<Request>,
        branches: Option<Vec<Rc<Branch>>>,
        options: &CallOptions,
    ) -> Call<'a> {
        linger::sweep();
        let count = requests.len();
        let alone = (count == 1).then(|| runtime.host_interrupts().clone());
        let state = CallState::new(alone, options.tolerant);
        let context = Rc::new(CallContext {
            statement: statement.clone(),
            options: options.clone(),
            state: state.clone(),
            pool: Rc::clone(pool),
            started: Instant::now(),
            batch: (ROUND / count.max(1)).clamp(2048, ROUND / 4),
        });
        let branches = branches.into_iter().flatten().map(Some);
        let requests = requests.into_iter().zip(branches.chain(repeat(None)));
        let mut pending = requests.enumerate().map(|(request, (wanted, branch))| {
            work(PartitionRequest {
                request,
                endpoint: wanted.endpoint,
                params: RefCell::new(Some(wanted.params)),
                branch,
                context: context.clone(),
            })
        });
        let interrupts = runtime.host_interrupts();
        let futures = match (pending.next(), count) {
            (None, _) => RequestFutures::None,
            (Some(work), 1) => RequestFutures::One(work),
            (Some(work), _) => {
                RequestFutures::many(std::iter::once(work).chain(pending), interrupts)
            }
        };
        let mut call = Call::new_with(runtime, pool, state, futures, count, options.query_timeout);
        call.context = options.tolerant.then_some(context);
        call
    }

    /// A call of other work than one statement.
    pub(crate) fn of_futures(
        runtime: &'a Runtime,
        pool: &'a Rc<Pool>,
        state: Rc<CallState>,
        pending: Vec<RequestFuture>,
    ) -> Call<'a> {
        let requests = pending.len();
        let futures = if pending.is_empty() {
            RequestFutures::None
        } else {
            RequestFutures::many(pending.into_iter(), runtime.host_interrupts())
        };
        Call::new_with(runtime, pool, state, futures, requests, None)
    }

    fn new_with(
        runtime: &'a Runtime,
        pool: &'a Rc<Pool>,
        state: Rc<CallState>,
        futures: RequestFutures,
        requests: usize,
        query_timeout: Option<Duration>,
    ) -> Call<'a> {
        Call {
            runtime,
            pool,
            futures,
            requests,
            query_timeout,
            context: None,
            looked: false,
            state,
            resting_since: None,
            rested: Duration::ZERO,
        }
    }

    /// Waits until there is something to do. After `Interrupted` the caller sees to its interrupts and may come back.
    // Not an iterator: after an interrupt or an error the caller decides whether to come back.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Event, Error> {
        if let Some(since) = self.resting_since.take() {
            self.rested = self.rested.saturating_add(since.elapsed());
        }
        loop {
            if self.runtime.host_interrupts().interrupted() {
                return Ok(Event::Interrupted);
            }
            match self.state.events.take() {
                Some(Item::Event(event)) => return Ok(event),
                Some(Item::Failed(error)) => {
                    self.stop(AFTER_ERROR, true);
                    return Err(error);
                }
                None => {}
            }
            if matches!(self.futures, RequestFutures::None) {
                return Ok(Event::Finished);
            }
            if self.is_overdue() {
                if self.finds_the_end() {
                    continue;
                }
                return self.time_out();
            }
            self.run_blocking_call();
            match self.wait() {
                Woken::Interrupted => return Ok(Event::Interrupted),
                Woken::Wanted => {}
            }
        }
    }

    /// Runs a request, of that place in the list, which has failed, once more, on an endpoint that may be another, and in a
    /// transaction that goes on, if one is given.
    pub fn restart(&mut self, request: usize, again: Request, branch: Option<Rc<Branch>>) {
        if let Some(context) = &self.context {
            self.state.events.fails_no_more();
            let Request { endpoint, params } = again;
            let work = work(PartitionRequest {
                request,
                endpoint,
                params: RefCell::new(Some(params)),
                branch,
                context: context.clone(),
            });
            self.futures.push(work, self.runtime.host_interrupts());
        }
    }

    /// Ends a tolerant call for a failure that is not to be tolerated, as others end by themselves.
    pub fn fail(&mut self) {
        self.stop(AFTER_ERROR, true);
    }

    /// The caller turns to other things: until the next call of `next` the time does not count for `query_timeout`.
    pub fn rest(&mut self) {
        if self.query_timeout.is_some() && self.resting_since.is_none() {
            self.resting_since = Some(Instant::now());
        }
    }

    /// Cancels what is still running, on new connections to all servers at once, and reads what they still send, all
    /// within `bound`. Connections that become idle are kept, the rest is closed. The call is finished then.
    pub fn cancel(&mut self, bound: Duration) {
        self.stop(bound, true);
    }

    /// The connections made for requests since the last time that it was asked, and how long each took.
    pub fn take_connects(&self) -> Vec<(usize, Duration)> {
        self.state.running.take_connects()
    }

    fn wait(&mut self) -> Woken {
        let runtime = self.runtime;
        let mut joins = self.state.fast_path.is_blocking();
        if joins {
            runtime.poll_directly(|cx| self.futures.poll(cx));
            if !self.state.fast_path.take_waited() {
                self.state.fast_path.enter_runtime();
            }
            if self.state.fast_path.is_blocking() || matches!(self.futures, RequestFutures::None) {
                return Woken::Wanted;
            }
        }
        // What it joined the runtime for does not wait until the caller, who may have rows to see to, comes back.
        let mut looked = false;
        runtime.wait(|cx, ticked| {
            if !std::mem::take(&mut joins) && runtime.host_interrupts().interrupted() {
                return Poll::Ready(Woken::Interrupted);
            }
            self.futures.poll(cx);
            let mut wanted = self.state.is_wanted();
            if !wanted && self.state.events.has_read_ahead() {
                if looked {
                    self.state.events.current_is_idle();
                    self.futures.poll(cx);
                    wanted = self.state.is_wanted();
                } else {
                    // What the turn's server has sent meanwhile goes first.
                    looked = true;
                    runtime.check_io();
                }
            }
            if wanted || matches!(self.futures, RequestFutures::None) || ticked && self.is_overdue()
            {
                return Poll::Ready(Woken::Wanted);
            }
            Poll::Pending
        })
    }

    /// Makes one call of the system that may block.
    fn run_blocking_call(&self) {
        if let Some(blocking) = self.state.resolver.next() {
            let runtime = self.runtime;
            runtime.host_interrupts().show(Some(Wait::Connect));
            blocking.run();
            runtime.host_interrupts().show(None);
            runtime.io_is_due();
        }
    }

    fn is_overdue(&self) -> bool {
        let Some(limit) = self.query_timeout else {
            return false;
        };
        // What finds nobody to send to has to end, too, if it goes from one to the next.
        let started = || self.context.as_ref().map(|context| context.started);
        self.state
            .running
            .first_sent()
            .or_else(started)
            .is_some_and(|since| since.elapsed().saturating_sub(self.rested) >= limit)
    }

    /// A last look before the only request times out: whether its answer is there, all but the telling. In a tolerant call,
    /// in which each counts for itself, whether anything is there.
    fn finds_the_end(&mut self) -> bool {
        let each = self.context.is_some() && !std::mem::replace(&mut self.looked, true);
        if !each && !matches!(self.futures, RequestFutures::One(_)) {
            return false;
        }
        self.state.fast_path.enter_runtime();
        self.state.set_out_of_time();
        let runtime = self.runtime;
        let mut looked = false;
        runtime.wait(|cx, _| {
            self.futures.poll(cx);
            let found = self.state.holds_the_end() || each && self.state.is_wanted();
            if looked || found {
                return Poll::Ready(found);
            }
            // What came while the caller was at other things.
            looked = true;
            runtime.check_io();
            Poll::Pending
        })
    }

    fn time_out(&mut self) -> Result<Event, Error> {
        if self.state.events.done_count() == self.requests {
            // What is still under way has no part in the result: connections that are being reset. They are closed.
            self.stop(AFTER_TIMEOUT, false);
            return Ok(Event::Finished);
        }
        let request = self.state.running.first();
        self.stop(AFTER_TIMEOUT, false);
        Err(Error {
            request,
            kind: ErrorKind::QueryTimeout,
        })
    }
}

/// A request as work to be polled. A panic in it is a defect of ours or of the library's that a server found: it must
/// end the call and nothing else. What it had, its connection among that, is dropped.
fn work(task: PartitionRequest) -> RequestFuture {
    let (request, context) = (task.request, task.context.clone());
    let done = AssertUnwindSafe(task.run()).catch_unwind();
    Box::pin(done.map(move |done| {
        if done.is_err() {
            context.state.ends(request);
            let kind = ErrorKind::protocol("server sent what could not be understood");
            context.state.fail(request, kind);
        }
    }))
}

#[cfg(test)]
mod tests;
