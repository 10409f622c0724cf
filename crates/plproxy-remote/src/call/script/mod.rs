//! Scripts: some steps on each of several endpoints at once. A failure on one endpoint stops only the script there, and every
//! script has an outcome.
//!
//! A script has a connection of its own, which never comes to the pool: whatever its SQL does to the session is gone with
//! it. The caller may keep it from one script to the next.

mod results;
mod runner;
pub(crate) mod types;

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;

use crate::call::Call;
use crate::call::event::Event;
use crate::call::state::CallState;
use crate::error::ErrorKind;
use crate::options::ScriptOptions;
use crate::pool::Pool;
use crate::runtime::Runtime;
use runner::Runner;
use types::{Outcome, Script};

type Outcomes = Rc<RefCell<Vec<Option<Outcome>>>>;

/// Scripts that are running.
pub struct Scripts<'a> {
    call: Call<'a>,
    outcomes: Outcomes,
}

impl<'a> Scripts<'a> {
    pub(crate) fn new(
        runtime: &'a Runtime,
        pool: &'a Rc<Pool>,
        scripts: Vec<Script>,
        options: &ScriptOptions,
    ) -> Scripts<'a> {
        let state = CallState::new(None, false);
        let outcomes: Outcomes = Rc::new(RefCell::new(Vec::new()));
        outcomes.borrow_mut().resize_with(scripts.len(), || None);
        let pending = scripts
            .into_iter()
            .enumerate()
            .map(|(number, script)| {
                let runner = Runner {
                    number,
                    options: options.clone(),
                    state: state.clone(),
                };
                let (state, outcomes) = (state.clone(), outcomes.clone());
                Box::pin(async move {
                    // As in a call: a panic that a server provokes must end this script and nothing else.
                    let outcome = AssertUnwindSafe(runner.run(script)).catch_unwind().await;
                    let outcome = outcome.unwrap_or_else(|_| {
                        Outcome::failed(ErrorKind::protocol(
                            "server sent what could not be understood",
                        ))
                    });
                    state.ends(number);
                    if let Some(slot) = outcomes.borrow_mut().get_mut(number) {
                        *slot = Some(outcome);
                    }
                }) as _
            })
            .collect();
        Scripts {
            call: Call::of_futures(runtime, pool, state, pending),
            outcomes,
        }
    }

    /// Waits for the next event: a notice, an interrupt, or the end of all scripts. After an interrupt the caller handles it
    /// and may call this again.
    // Not an iterator, as in a call.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Event {
        // Scripts do not fail the call; were one to, the call would have ended.
        self.call.next().unwrap_or(Event::Finished)
    }

    /// Cancels the scripts that are still running, within `bound`.
    pub fn cancel(&mut self, bound: Duration) {
        self.call.cancel(bound);
    }

    /// The outcomes of the scripts that are done, by their places in the list. Each is given once.
    pub fn take_outcomes(&mut self) -> Vec<(usize, Outcome)> {
        let mut outcomes = self.outcomes.borrow_mut();
        let outcomes = outcomes.iter_mut().enumerate();
        outcomes
            .filter_map(|(number, outcome)| Some((number, outcome.take()?)))
            .collect()
    }

    /// The outcomes of all scripts, in their order; a script that was given up counts as closed.
    pub fn outcomes(self) -> Vec<Outcome> {
        let outcomes = std::mem::take(&mut *self.outcomes.borrow_mut());
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(Outcome::given_up))
            .collect()
    }
}
