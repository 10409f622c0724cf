//! A call: one statement on some endpoints at once, and its results, event by event.

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
use crate::call::request::turn::Turns;
use crate::call::request_futures::{RequestFuture, RequestFutures};
use crate::call::running::Delay;
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
/// How long cancelling may take after a timeout, when the caller has waited for long enough.
const AFTER_TIMEOUT: Duration = Duration::from_millis(300);
/// Bytes of rows, of all requests together, that are read in one round of polling.
const ROUND: usize = 64 * 1024;

/// The statement on one endpoint.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where to run it.
    pub endpoint: Rc<Endpoint>,
    /// Its parameters; requests may share them.
    pub params: Params,
}

/// A call that is running. Dropping it closes the connections to the servers that still execute its statement, without a wait.
pub struct Call<'a> {
    runtime: &'a Runtime,
    pool: &'a Rc<Pool>,
    state: Rc<CallState>,
    futures: RequestFutures,
    requests: usize,
    query_timeout: Option<Duration>,
    /// Of a tolerant call, for requests that are restarted.
    context: Option<Rc<CallContext>>,
    /// A tolerant call has timed out, and all that had arrived by then was read.
    drained: bool,
    /// Since when the caller does something else.
    resting_since: Option<Instant>,
    /// How long it did so, in all.
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
            turns: match &branches {
                Some(branches) if options.shared.is_some() && count > 1 => Turns::of(branches),
                _ => Turns::default(),
            },
            batch: (ROUND / count.max(1)).clamp(2048, ROUND / 4),
        });
        let branches = branches.into_iter().flatten().map(Some);
        let requests = requests.into_iter().zip(branches.chain(repeat(None)));
        let mut pending = requests.enumerate().map(|(request, (wanted, branch))| {
            future_of(PartitionRequest {
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
            (Some(first), 1) => RequestFutures::One(first),
            (Some(first), _) => {
                RequestFutures::many(std::iter::once(first).chain(pending), interrupts)
            }
        };
        let mut call = Call::new_with(runtime, pool, state, futures, count, options.query_timeout);
        call.context = options.tolerant.then_some(context);
        call
    }

    /// A call whose requests are other futures than those of one statement.
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
            drained: false,
            state,
            resting_since: None,
            rested: Duration::ZERO,
        }
    }

    /// Waits for the next event. After `Interrupted` the caller handles its interrupts and may call this again.
    // Not an iterator: after an interrupt or an error the caller decides whether to go on.
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
                if self.reads_the_end() {
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

    /// Restarts a request that has failed, by its place in the list, on an endpoint that may be another one, and in a
    /// transaction of several calls if one is given.
    pub fn restart(&mut self, request: usize, again: Request, branch: Option<Rc<Branch>>) {
        if let Some(context) = &self.context {
            self.state.events.is_restarted();
            let Request { endpoint, params } = again;
            let future = future_of(PartitionRequest {
                request,
                endpoint,
                params: RefCell::new(Some(params)),
                branch,
                context: context.clone(),
            });
            self.futures.push(future, self.runtime.host_interrupts());
        }
    }

    /// Ends a tolerant call for a failure that is not tolerated, as other calls end by themselves.
    pub fn fail(&mut self) {
        self.stop(AFTER_ERROR, true);
    }

    /// The caller does something else: until the next call of `next` the time does not count for `query_timeout`.
    pub fn rest(&mut self) {
        if self.query_timeout.is_some() && self.resting_since.is_none() {
            self.resting_since = Some(Instant::now());
        }
    }

    /// Cancels the statements that are still running, on new connections to all servers at once, and reads their replies,
    /// all within `bound`. Connections that become idle are kept, the others are closed. The call is finished then.
    pub fn cancel(&mut self, bound: Duration) {
        self.stop(bound, true);
    }

    /// What requests had to wait for before their statements could be sent, since this was last called.
    pub fn take_delays(&self) -> Vec<(usize, Delay)> {
        self.state.running.take_delays()
    }

    fn wait(&mut self) -> Woken {
        let runtime = self.runtime;
        let mut entering = self.state.fast_path.is_blocking();
        if entering {
            runtime.poll_directly(|cx| self.futures.poll(cx));
            if !self.state.fast_path.take_waited() {
                self.state.fast_path.enter_runtime();
            }
            if self.state.fast_path.is_blocking() || matches!(self.futures, RequestFutures::None) {
                return Woken::Wanted;
            }
        }
        // A request that has just entered the runtime is polled before the caller handles an interrupt.
        let mut checked = false;
        runtime.wait(|cx, ticked| {
            if !std::mem::take(&mut entering) && runtime.host_interrupts().interrupted() {
                return Poll::Ready(Woken::Interrupted);
            }
            self.futures.poll(cx);
            let mut wanted = self.state.is_wanted();
            if !wanted && self.state.events.has_read_ahead() {
                if checked {
                    self.state.events.current_is_idle();
                    self.futures.poll(cx);
                    wanted = self.state.is_wanted();
                } else {
                    // Whatever the current request's server has sent meanwhile comes first.
                    checked = true;
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
        // A request that finds no server, and goes from one host to the next, has to end, too.
        let started = || self.context.as_ref().map(|context| context.started);
        self.state
            .running
            .first_sent()
            .or_else(started)
            .is_some_and(|since| since.elapsed().saturating_sub(self.rested) >= limit)
    }

    /// A last check before the only request times out: whether its reply has arrived in whole. In a tolerant call, in which
    /// each request counts for itself, whether anything has arrived.
    fn reads_the_end(&mut self) -> bool {
        let each = self.context.is_some() && !std::mem::replace(&mut self.drained, true);
        if !each && !matches!(self.futures, RequestFutures::One(_)) {
            return false;
        }
        self.state.fast_path.enter_runtime();
        self.state.set_out_of_time();
        let runtime = self.runtime;
        let mut checked = false;
        runtime.wait(|cx, _| {
            self.futures.poll(cx);
            let found = self.state.is_complete() || each && self.state.is_wanted();
            if checked || found {
                return Poll::Ready(found);
            }
            // Whatever arrived while the caller did something else.
            checked = true;
            runtime.check_io();
            Poll::Pending
        })
    }

    fn time_out(&mut self) -> Result<Event, Error> {
        if self.state.events.done_count() == self.requests {
            // Only connections are still being reset, which has no part in the result. They are closed.
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

/// The future of a request. A panic in it is a defect of this crate or of a library that a server has provoked: it must end
/// the call and nothing else. All that the request owns, its connection included, is dropped.
fn future_of(request: PartitionRequest) -> RequestFuture {
    let (number, context) = (request.request, request.context.clone());
    let done = AssertUnwindSafe(request.run()).catch_unwind();
    Box::pin(done.map(move |done| {
        if done.is_err() {
            context.state.ends(number);
            let kind = ErrorKind::protocol("server sent what could not be understood");
            context.state.fail(number, kind);
        }
    }))
}

#[cfg(test)]
mod tests;
