//! What views show of a connection.

use std::cell::Cell;
use std::net::IpAddr;
use std::time::{Instant, SystemTime};

/// The target of a connection, without anything that may be a piece of a password.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The host.
    pub host: String,
    /// The port; `None` where it must not be shown.
    pub port: Option<u16>,
    /// The database.
    pub dbname: String,
    /// The role.
    pub user: String,
}

/// A connection, as it was at one moment.
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    /// The host as the connection string has it.
    pub host: String,
    /// The address that the connection string gives for it, if it gives one.
    pub hostaddr: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// The database.
    pub dbname: String,
    /// The role.
    pub user: String,
    /// The same four, as a view may show them.
    pub shown: Shown,
    /// The endpoint's number, as [`Endpoint::id`](crate::Endpoint::id) has it.
    pub endpoint: u64,
    /// The server's version, as the server gave it.
    pub server_version: String,
    /// The server's process id, as the server gave it.
    pub process_id: i32,
    /// When it was made.
    pub connected_at: SystemTime,
    /// When a call last began to use it.
    pub last_used_at: SystemTime,
    /// How many statements it ran.
    pub calls: u64,
    /// How many statements are prepared on it.
    pub prepared_statements: usize,
    /// Whether a call, or a transaction of several calls, uses it.
    pub in_use: bool,
    /// Whether a transaction of several calls uses it.
    pub in_transaction: bool,
    /// The version of TLS that protects it, as in `TLSv1.3`; `None` where nothing does.
    pub tls: Option<String>,
}

/// The same, kept up to date.
pub(crate) struct LiveInfo {
    pub(super) fixed: ConnectionInfo,
    /// The moment of `connected_at` on the monotonic clock.
    pub(super) opened: Instant,
    pub(super) last_used: Cell<Instant>,
    pub(super) calls: Cell<u64>,
    pub(super) prepared_statements: Cell<usize>,
    pub(super) in_use: Cell<bool>,
    pub(super) in_transaction: Cell<bool>,
}

impl LiveInfo {
    pub(crate) fn snapshot(&self) -> ConnectionInfo {
        ConnectionInfo {
            last_used_at: self.fixed.connected_at
                + self.last_used.get().saturating_duration_since(self.opened),
            calls: self.calls.get(),
            prepared_statements: self.prepared_statements.get(),
            in_use: self.in_use.get(),
            in_transaction: self.in_transaction.get(),
            ..self.fixed.clone()
        }
    }
}
