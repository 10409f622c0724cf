//! What a caller can choose for calls and for errands.

use std::rc::Rc;
use std::time::Duration;

use crate::reset::Reset;

/// Whether statements are prepared on the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prepared {
    /// Where a connection provably reaches one real server process.
    #[default]
    Auto,
    /// Always, from the second use on.
    On,
    /// Never.
    Off,
}

/// The settings of a call.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// For the call as a whole, from the first sending on.
    pub query_timeout: Option<Duration>,
    /// For each attempt to connect; the connection string's own limit counts as well.
    pub connect_timeout: Option<Duration>,
    /// The age from which on a connection is replaced, give or take a tenth.
    pub connection_lifetime: Option<Duration>,
    /// The time without use after which its connections are closed.
    pub idle_timeout: Option<Duration>,
    /// What its connections run before they rest.
    pub reset: Option<Rc<Reset>>,
    /// What they run after a statement that failed, unless `reset` is given.
    pub reset_after_error: Option<Rc<Reset>>,
    /// Whether to prepare.
    pub prepared: Prepared,
    /// Whether a request that fails is an event, [`Event::RequestFailed`](crate::Event::RequestFailed), and the others go on. `query_timeout` counts from
    /// the call's start then, until something is sent, and still ends the call.
    pub tolerant: bool,
}

/// The settings of errands.
#[derive(Debug, Clone, Default)]
pub struct ErrandOptions {
    /// For each attempt to connect; the connection string's own limit counts as well.
    pub connect_timeout: Option<Duration>,
    /// For each attempt to connect where neither sets a limit.
    pub default_connect_timeout: Option<Duration>,
    /// For all steps of an errand together.
    pub time_limit: Option<Duration>,
    /// For an errand from its connecting on; then it is given up, and its connection closed. Nothing ends the look-up of a
    /// host name that has begun.
    pub whole_limit: Option<Duration>,
    /// Whether the steps after one that the server refused are run nevertheless.
    pub go_on: bool,
    /// Whether a step that leaves a transaction open has failed: nobody would commit it.
    pub ends_transactions: bool,
}
