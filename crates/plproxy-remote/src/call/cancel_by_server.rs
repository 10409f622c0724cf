//! Cancelling many statements of one server over one connection.
//!
//! A cancel request costs its server a process, and over TLS a handshake: hundreds of them take seconds, which is too long. Where
//! many partitions of a call are databases of one server, one more connection, of the same role, cancels all statements with one
//! of its own. A backend is only cancelled if the server sees its client at the port of our socket: a pooler may have given us
//! the process id of another client's backend.

use std::collections::HashSet;
use std::fmt::Write;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::connection::cancel::CancelKey;
use crate::connection::connect;
use crate::error::ErrorKind;

/// From how many statements of one server on this is used.
pub(crate) const MANY: usize = 8;
/// After that time each statement gets a cancel request of its own.
const PATIENCE: Duration = Duration::from_millis(250);

type CancelFuture = Pin<Box<dyn Future<Output = Option<(Box<Connection>, HashSet<i32>)>>>>;

/// The statements of one server.
pub(crate) struct ServerCancel {
    /// Waiting for the connection.
    queued: Vec<Rc<CancelKey>>,
    /// Being cancelled.
    under_way: Vec<Rc<CancelKey>>,
    work: Option<CancelFuture>,
    begun: Instant,
    /// The connection is being made.
    connecting: bool,
    connection: Option<Box<Connection>>,
    /// It has failed, and is not tried again.
    failed: bool,
}

impl ServerCancel {
    pub(crate) fn new() -> ServerCancel {
        ServerCancel {
            queued: Vec::new(),
            under_way: Vec::new(),
            work: None,
            begun: Instant::now(),
            connecting: false,
            connection: None,
            failed: false,
        }
    }

    /// Whether it is used for so many statements.
    pub(crate) fn takes(&self, count: usize) -> bool {
        !self.failed && (count >= MANY || self.connection.is_some() || self.work.is_some())
    }

    pub(crate) fn push(&mut self, key: Rc<CancelKey>) {
        self.queued.push(key);
    }

    /// Whether a statement was not cancelled yet.
    pub(crate) fn is_unsent(&self) -> bool {
        !self.queued.is_empty() || self.work.is_some()
    }

    /// Whether a connection would be of use: one that is nearly made may be ready before our own, where a server is busy with
    /// many.
    pub(crate) fn wants_connection(&self) -> bool {
        self.work.is_some() && self.connecting
    }

    pub(crate) fn offer(&mut self, connection: Box<Connection>) {
        if self.wants_connection() {
            self.begin(Some(connection));
        }
    }

    fn begin(&mut self, connection: Option<Box<Connection>>) {
        self.connecting = connection.is_none();
        self.begun = Instant::now();
        self.work = Some(Box::pin(cancel(connection, self.under_way.clone())));
    }

    /// Makes progress; gives the statements that need a cancel request of their own.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Vec<Rc<CancelKey>> {
        if self.work.is_none() && !self.queued.is_empty() {
            self.under_way = std::mem::take(&mut self.queued);
            let connection = self.connection.take();
            self.begin(connection);
        }
        let Some(work) = &mut self.work else {
            return Vec::new();
        };
        let done = match work.as_mut().poll(cx) {
            Poll::Ready(done) => done,
            Poll::Pending if self.begun.elapsed() > PATIENCE => None,
            Poll::Pending => return Vec::new(),
        };
        self.work = None;
        let mut left = std::mem::take(&mut self.under_way);
        match done {
            Some((connection, reached)) => {
                self.connection = Some(connection);
                let is_reached = |key: &mut Rc<CancelKey>| reached.contains(&key.process_id());
                let reached = left.extract_if(.., is_reached);
                reached.for_each(|key| key.set_queued(false));
            }
            None => {
                self.failed = true;
                left.append(&mut self.queued);
            }
        }
        left
    }

    /// The statements that are not cancelled.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Rc<CancelKey>> {
        self.queued.iter().chain(&self.under_way)
    }
}

/// Cancels statements, on this connection or a new one; gives the processes that were reached. None if it fails.
async fn cancel(
    connection: Option<Box<Connection>>,
    keys: Vec<Rc<CancelKey>>,
) -> Option<(Box<Connection>, HashSet<i32>)> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => keys.first()?.connect_beside().await?,
    };
    let places = keys
        .iter()
        .filter_map(|key| Some((key.process_id(), key.port()?)));
    let sql = statement(places);
    // From now on they may be cancelled at any time, until the server has answered.
    let before: Vec<bool> = keys.iter().map(|key| key.set_pursued(true)).collect();
    let reached = connection.query_numbers(&sql, keys.len()).await;
    let is_answered = match &reached {
        Ok(_) => true,
        Err(ErrorKind::Db(diagnostic)) => !diagnostic.fatal,
        Err(_) => false,
    };
    if is_answered {
        for (key, before) in keys.iter().zip(before) {
            key.set_pursued(before);
        }
    }
    Some((connection, reached.ok()?))
}

/// The statement. The processes are found in a subquery with OFFSET, into which PostgreSQL never moves a condition: otherwise it
/// might cancel a process before it checks its port.
fn statement(places: impl Iterator<Item = (i32, u16)>) -> String {
    let mut sql = String::from(
        "select pid from (select a.pid from pg_catalog.pg_stat_activity a join (values ",
    );
    for (at, (process_id, port)) in places.enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        let _ = write!(sql, "{comma}({process_id}, {port})");
    }
    sql.push_str(
        ") as v (pid, port) on v.pid operator(pg_catalog.=) a.pid and v.port operator(pg_catalog.=) a.client_port \
         offset 0) as ours where pg_catalog.pg_cancel_backend(pid)",
    );
    sql
}

impl CancelKey {
    /// A connection to the same server, as the same role, for nothing but cancelling.
    async fn connect_beside(&self) -> Option<Box<Connection>> {
        let target = connect::Destination::of(self.endpoint(), self.info());
        let connecting = target.connect_to(self.host(), self.address(), self.ssl());
        connecting.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_checks_ports_before_it_cancels() {
        assert_eq!(
            statement([(1, 2), (3, 4)].into_iter()),
            "select pid from (select a.pid from pg_catalog.pg_stat_activity a join (values (1, 2), (3, 4)) as v (pid, port) \
             on v.pid operator(pg_catalog.=) a.pid and v.port operator(pg_catalog.=) a.client_port offset 0) as ours \
             where pg_catalog.pg_cancel_backend(pid)"
        );
    }
}
