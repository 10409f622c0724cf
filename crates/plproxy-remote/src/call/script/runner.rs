//! Running one script: a connection, and the steps on it.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::results::ScriptResults;
use super::types::{Outcome, Script, Step, StepOutcome, StepResult, Target};
use crate::call::state::CallState;
use crate::connection::Connection;
use crate::connection::connect::{Limits, connect};
use crate::connection::round_trip::{Description, IgnoreReply};
use crate::connection::session::{Origin, Session};
use crate::diagnostic::Diagnostic;
use crate::endpoint::Endpoint;
use crate::error::ErrorKind;
use crate::options::ScriptOptions;
use crate::protocol::write_buffer::WriteBuffer;

/// How long cancelling a step that has timed out may take.
const AFTER_TIMEOUT: Duration = Duration::from_millis(300);

/// Where a new connection is to be made to.
enum Place {
    Endpoint(Rc<Endpoint>),
    Origin(Origin),
}

/// Runs one script.
pub(super) struct Runner {
    pub(super) number: usize,
    pub(super) options: ScriptOptions,
    pub(super) state: Rc<CallState>,
}

impl Runner {
    pub(super) async fn run(self, script: Script) -> Outcome {
        match self.options.whole_limit {
            None => self.work(script).await,
            Some(limit) => tokio::time::timeout(limit, self.work(script))
                .await
                .unwrap_or_else(|_| Outcome::failed(ErrorKind::QueryTimeout)),
        }
    }

    async fn work(&self, script: Script) -> Outcome {
        let mut connection = match self.connection(script.target).await {
            Ok(connection) => connection,
            Err(kind) => return Outcome::failed(kind),
        };
        if self.state.events.is_closed() {
            drop(self.state.spare(connection));
            return Outcome::failed(ErrorKind::Closed);
        }
        let info = connection.live_info().snapshot();
        let mut steps = Vec::with_capacity(script.steps.len());
        let started = Instant::now();
        for step in script.steps {
            if !self
                .state
                .starts(self.number, connection.cancel_key(), false)
            {
                break;
            }
            let begun = Instant::now();
            let left = self
                .options
                .time_limit
                .map(|limit| limit.saturating_sub(started.elapsed()));
            let result = match left {
                None => self.step(&mut connection, &step).await,
                Some(left) => {
                    let ran = tokio::time::timeout(left, self.step(&mut connection, &step)).await;
                    match ran {
                        Ok(result) => result,
                        Err(_) => {
                            connection.broken = true;
                            let cancel = Rc::clone(connection.cancel_key()).cancel();
                            let _ = tokio::time::timeout(AFTER_TIMEOUT, cancel).await;
                            Err(ErrorKind::QueryTimeout)
                        }
                    }
                }
            };
            self.state.ends(self.number);
            let left_open = self.options.ends_transactions && connection.state.is_in_transaction();
            let result = match result {
                Ok(_) if left_open => Err(ErrorKind::open_transaction()),
                result => result,
            };
            let ends = match &result {
                Ok(_) => false,
                Err(ErrorKind::Db(diagnostic)) => diagnostic.fatal || !self.options.go_on,
                Err(_) => true,
            };
            steps.push(StepOutcome {
                result,
                took: begun.elapsed(),
            });
            if ends {
                break;
            }
        }
        let usable = connection.is_answered();
        Outcome {
            connection: Ok(info),
            steps,
            session: usable.then(|| Session::new(connection)),
        }
    }

    async fn connection(&self, target: Target) -> Result<Box<Connection>, ErrorKind> {
        let (session, place) = match target {
            Target::New(endpoint) => (None, Some(Place::Endpoint(endpoint))),
            Target::Session(session) => (Some(session), None),
            Target::SessionOrNew(session, endpoint) => {
                (Some(session), Some(Place::Endpoint(endpoint)))
            }
            Target::SessionOrAgain(session, origin) => (session, Some(Place::Origin(origin))),
        };
        let kept = session.and_then(Session::into_connection);
        let mut alive = None;
        if let Some(mut kept) = kept
            && kept.is_alive()
        {
            for notice in kept.take_notices() {
                self.notice(Box::new(notice));
            }
            alive = Some(kept);
        }
        if let Some(connection) = alive {
            return Ok(connection);
        }
        let limits = Limits {
            each: self.options.connect_timeout,
            default: self.options.default_connect_timeout,
        };
        let connected = match place {
            None => return Err(ErrorKind::Closed),
            Some(Place::Endpoint(endpoint)) => {
                let mut warn = |warning| self.state.warning(self.number, warning);
                let connecting = connect(&endpoint, limits, &self.state.resolver, None, &mut warn);
                self.state.unless_closed(connecting).await
            }
            Some(Place::Origin(origin)) => {
                self.state.unless_closed(origin.connect_again(limits)).await
            }
        };
        connected.unwrap_or(Err(ErrorKind::Closed))
    }

    async fn step(
        &self,
        connection: &mut Connection,
        step: &Step,
    ) -> Result<StepResult, ErrorKind> {
        if connection.state.is_encoding_lost() {
            // The server would read this SQL in another encoding, and write the result in it.
            connection.broken = true;
            return Err(ErrorKind::encoding_changed());
        }
        let encoding = connection.state.encoding();
        match step {
            Step::Run(sql) => {
                let write = |out: &mut WriteBuffer| out.script(sql.bytes(encoding)?);
                self.run_sql(connection, write).await
            }
            Step::Statement(sql) => {
                let write = |out: &mut WriteBuffer| out.extended_query(sql.bytes(encoding)?);
                self.run_sql(connection, write).await
            }
            Step::Describe(sql) => {
                let notice = |notice| self.notice(notice);
                let mut description = Description::new(&notice);
                connection
                    .round_trip(
                        1,
                        |out| out.describe_statement(sql.bytes(encoding)?, &[]),
                        &mut description,
                    )
                    .await?;
                Ok(StepResult::Described(description.columns))
            }
            Step::Parse(sql) => {
                connection
                    .round_trip(
                        1,
                        |out| out.parse_alone(sql.bytes(encoding)?),
                        &mut IgnoreReply,
                    )
                    .await?;
                Ok(StepResult::nothing())
            }
            Step::Reset(reset) => {
                connection.reset(reset).await?;
                Ok(StepResult::nothing())
            }
            Step::Discard => {
                connection.discard().await?;
                Ok(StepResult::nothing())
            }
        }
    }

    /// Runs the statements that `write` writes.
    async fn run_sql(
        &self,
        connection: &mut Connection,
        write: impl FnOnce(&mut WriteBuffer) -> Result<(), ErrorKind>,
    ) -> Result<StepResult, ErrorKind> {
        let notice = |notice| self.notice(notice);
        let mut results = ScriptResults::new(&notice, connection.state.encoding());
        connection.round_trip(1, write, &mut results).await?;
        // Which encoding the session uses now is known, as the server is ready for the next query.
        let done = results.done(!connection.state.is_encoding_lost());
        connection.broken |= done.is_err();
        done
    }

    fn notice(&self, notice: Box<Diagnostic>) {
        self.state.notice(self.number, notice);
    }
}
