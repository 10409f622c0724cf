//! The settings of calls and scripts.

use std::rc::Rc;
use std::time::Duration;

use crate::reset::Reset;

/// Whether statements are prepared on the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prepared {
    /// Where a connection is known to reach one server process.
    #[default]
    Auto,
    /// Always, from the second use on.
    On,
    /// Never.
    Off,
}

/// How a call shares connections.
#[derive(Debug, Clone, Copy)]
pub struct SharedOptions {
    /// So many there may be to a partition, by one remote user.
    pub most: u32,
    /// How long one is waited for; `None`: without end.
    pub lease_timeout: Option<Duration>,
    /// The local user's number, for a view.
    pub role: u32,
}

/// The settings of a call.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// For the call as a whole, from the first statement sent on.
    pub query_timeout: Option<Duration>,
    /// For each attempt to connect; the connection string's own limit counts as well.
    pub connect_timeout: Option<Duration>,
    /// The age at which a connection is replaced, give or take a tenth.
    pub connection_lifetime: Option<Duration>,
    /// How long its connections may be idle.
    pub idle_timeout: Option<Duration>,
    /// The reset query, run before its connections become idle.
    pub reset: Option<Rc<Reset>>,
    /// The reset query after a statement that has failed, unless `reset` is given.
    pub reset_after_error: Option<Rc<Reset>>,
    /// Whether to prepare statements.
    pub prepared: Prepared,
    /// How long a prepared statement is used before it is prepared anew; `None`: as long as its connection.
    pub prepared_lifetime: Option<Duration>,
    /// Whether its connections are those that sessions share.
    pub shared: Option<SharedOptions>,
    /// Whether a request that fails is an event, [`Event::RequestFailed`](crate::Event::RequestFailed), and the others go on.
    /// `query_timeout` counts from the call's start then, until a statement is sent, and still ends the call.
    pub tolerant: bool,
}

/// The settings of scripts.
#[derive(Debug, Clone, Default)]
pub struct ScriptOptions {
    /// For each attempt to connect; the connection string's own limit counts as well.
    pub connect_timeout: Option<Duration>,
    /// For each attempt to connect where neither sets a limit.
    pub default_connect_timeout: Option<Duration>,
    /// For all steps of a script together.
    pub time_limit: Option<Duration>,
    /// For a script, connecting included; after that it is given up, and its connection is closed. A look-up of a host name is
    /// not interrupted.
    pub whole_limit: Option<Duration>,
    /// Whether steps are run after one that the server has refused.
    pub go_on: bool,
    /// Whether a step that leaves a transaction open has failed: nobody would commit it.
    pub ends_transactions: bool,
}
