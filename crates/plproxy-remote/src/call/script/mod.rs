//! Errands: some steps on each of several endpoints at once, each on its own. What fails on one stops only that one, and
//! every endpoint has an outcome.
//!
//! An errand has a connection of its own, which never comes to the pool: whatever its SQL does to the session is gone with
//! it. The caller may keep it from one errand to the next.

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
use crate::options::ErrandOptions;
use crate::pool::Pool;
use crate::runtime::Runtime;
use runner::Runner;
use types::{Errand, Outcome};

type Outcomes = Rc<RefCell<Vec<Option<Outcome>>>>;

/// Errands under way.
pub struct Errands<'a> {
    call: Call<'a>,
    outcomes: Outcomes,
}

impl<'a> Errands<'a> {
    pub(crate) fn new(
        runtime: &'a Runtime,
        pool: &'a Rc<Pool>,
        errands: Vec<Errand>,
        options: &ErrandOptions,
    ) -> Errands<'a> {
        let state = CallState::new(None, false);
        let outcomes: Outcomes = Rc::new(RefCell::new(Vec::new()));
        outcomes.borrow_mut().resize_with(errands.len(), || None);
        let pending = errands
            .into_iter()
            .enumerate()
            .map(|(number, errand)| {
                let runner = Runner {
                    number,
                    options: options.clone(),
                    state: state.clone(),
                };
                let (state, outcomes) = (state.clone(), outcomes.clone());
                Box::pin(async move {
                    // As in a call: a panic that a server provokes must end this errand and nothing else.
                    let outcome = AssertUnwindSafe(runner.run(errand)).catch_unwind().await;
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
        Errands {
            call: Call::of_futures(runtime, pool, state, pending),
            outcomes,
        }
    }

    /// Waits until there is something to do: a notice, an interrupt, or the end of it all. After an interrupt the caller
    /// sees to it and may come back.
    // Not an iterator, as a call is none.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Event {
        // Errands report no failure to the call; were there one, all would be over.
        self.call.next().unwrap_or(Event::Finished)
    }

    /// Cancels what is still running, within `bound`.
    pub fn cancel(&mut self, bound: Duration) {
        self.call.cancel(bound);
    }

    /// How those errands went that are over, by their places in the list. Each is given once.
    pub fn take_outcomes(&mut self) -> Vec<(usize, Outcome)> {
        let mut outcomes = self.outcomes.borrow_mut();
        let outcomes = outcomes.iter_mut().enumerate();
        outcomes
            .filter_map(|(number, outcome)| Some((number, outcome.take()?)))
            .collect()
    }

    /// How each errand went, in their order; one that was given up counts as closed.
    pub fn outcomes(self) -> Vec<Outcome> {
        let outcomes = std::mem::take(&mut *self.outcomes.borrow_mut());
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(Outcome::given_up))
            .collect()
    }
}
