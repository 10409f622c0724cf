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
use crate::call::request::Task;
use crate::call::request::context::Common;
use crate::call::request_futures::{Tasks, Work};
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
    tasks: Tasks,
    requests: usize,
    query_timeout: Option<Duration>,
    /// Of a tolerant call, for what is run once more.
    common: Option<Rc<Common>>,
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
        let alone = (count == 1).then(|| runtime.gate().clone());
        let state = CallState::new(alone, options.tolerant);
        let common = Rc::new(Common {
            statement: statement.clone(),
            options: options.clone(),
            state: state.clone(),
            pool: Rc::clone(pool),
            started: Instant::now(),
            batch: (ROUND / count.max(1)).clamp(2048, ROUND / 4),
        });
        let branches = branches.into_iter().flatten().map(Some);
        let requests = requests.into_iter().zip(branches.chain(repeat(None)));
        let mut works = requests.enumerate().map(|(request, (wanted, branch))| {
            work(Task {
                request,
                endpoint: wanted.endpoint,
                params: RefCell::new(Some(wanted.params)),
                branch,
                common: common.clone(),
            })
        });
        let gate = runtime.gate();
        let tasks = match (works.next(), count) {
            (None, _) => Tasks::None,
            (Some(work), 1) => Tasks::One(work),
            (Some(work), _) => Tasks::many(std::iter::once(work).chain(works), gate),
        };
        let mut call = Call::of_tasks(runtime, pool, state, tasks, count, options.query_timeout);
        call.common = options.tolerant.then_some(common);
        call
    }

    /// A call of other work than one statement.
    pub(crate) fn of_works(
        runtime: &'a Runtime,
        pool: &'a Rc<Pool>,
        state: Rc<CallState>,
        works: Vec<Work>,
    ) -> Call<'a> {
        let requests = works.len();
        let tasks = if works.is_empty() {
            Tasks::None
        } else {
            Tasks::many(works.into_iter(), runtime.gate())
        };
        Call::of_tasks(runtime, pool, state, tasks, requests, None)
    }

    fn of_tasks(
        runtime: &'a Runtime,
        pool: &'a Rc<Pool>,
        state: Rc<CallState>,
        tasks: Tasks,
        requests: usize,
        query_timeout: Option<Duration>,
    ) -> Call<'a> {
        Call {
            runtime,
            pool,
            tasks,
            requests,
            query_timeout,
            common: None,
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
            if self.runtime.gate().interrupted() {
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
            if matches!(self.tasks, Tasks::None) {
                return Ok(Event::Finished);
            }
            if self.is_overdue() {
                if self.finds_the_end() {
                    continue;
                }
                return self.time_out();
            }
            self.ask_outside();
            match self.wait() {
                Woken::Interrupted => return Ok(Event::Interrupted),
                Woken::Wanted => {}
            }
        }
    }

    /// Runs a request, of that place in the list, which has failed, once more, on an endpoint that may be another, and in a
    /// transaction that goes on, if one is given.
    pub fn restart(&mut self, request: usize, again: Request, branch: Option<Rc<Branch>>) {
        if let Some(common) = &self.common {
            self.state.events.fails_no_more();
            let Request { endpoint, params } = again;
            let work = work(Task {
                request,
                endpoint,
                params: RefCell::new(Some(params)),
                branch,
                common: common.clone(),
            });
            self.tasks.push(work, self.runtime.gate());
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
            runtime.poll_alone(|cx| self.tasks.poll(cx));
            if !self.state.fast_path.take_waited() {
                self.state.fast_path.enter_runtime();
            }
            if self.state.fast_path.is_blocking() || matches!(self.tasks, Tasks::None) {
                return Woken::Wanted;
            }
        }
        // What it joined the runtime for does not wait until the caller, who may have rows to see to, comes back.
        let mut looked = false;
        runtime.wait(|cx, ticked| {
            if !std::mem::take(&mut joins) && runtime.gate().interrupted() {
                return Poll::Ready(Woken::Interrupted);
            }
            self.tasks.poll(cx);
            let mut wanted = self.state.is_wanted();
            if !wanted && self.state.events.has_ahead() {
                if looked {
                    self.state.events.falls_idle();
                    self.tasks.poll(cx);
                    wanted = self.state.is_wanted();
                } else {
                    // What the turn's server has sent meanwhile goes first.
                    looked = true;
                    runtime.look();
                }
            }
            if wanted || matches!(self.tasks, Tasks::None) || ticked && self.is_overdue() {
                return Poll::Ready(Woken::Wanted);
            }
            Poll::Pending
        })
    }

    /// Asks one question of the system, which may block.
    fn ask_outside(&self) {
        if let Some(question) = self.state.outside.next() {
            let runtime = self.runtime;
            runtime.gate().show(Some(Wait::Connect));
            question.ask();
            runtime.gate().show(None);
            runtime.owes_a_turn();
        }
    }

    fn is_overdue(&self) -> bool {
        let Some(limit) = self.query_timeout else {
            return false;
        };
        // What finds nobody to send to has to end, too, if it goes from one to the next.
        let started = || self.common.as_ref().map(|common| common.started);
        self.state
            .running
            .first_sent()
            .or_else(started)
            .is_some_and(|since| since.elapsed().saturating_sub(self.rested) >= limit)
    }

    /// A last look before the only request times out: whether its answer is there, all but the telling. In a tolerant call,
    /// in which each counts for itself, whether anything is there.
    fn finds_the_end(&mut self) -> bool {
        let each = self.common.is_some() && !std::mem::replace(&mut self.looked, true);
        if !each && !matches!(self.tasks, Tasks::One(_)) {
            return false;
        }
        self.state.fast_path.enter_runtime();
        self.state.hurry();
        let runtime = self.runtime;
        let mut looked = false;
        runtime.wait(|cx, _| {
            self.tasks.poll(cx);
            let found = self.state.holds_the_end() || each && self.state.is_wanted();
            if looked || found {
                return Poll::Ready(found);
            }
            // What came while the caller was at other things.
            looked = true;
            runtime.look();
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
fn work(task: Task) -> Work {
    let (request, common) = (task.request, task.common.clone());
    let done = AssertUnwindSafe(task.run()).catch_unwind();
    Box::pin(done.map(move |done| {
        if done.is_err() {
            common.state.ends(request);
            let kind = ErrorKind::protocol("server sent what could not be understood");
            common.state.fail(request, kind);
        }
    }))
}

#[cfg(test)]
mod tests;
