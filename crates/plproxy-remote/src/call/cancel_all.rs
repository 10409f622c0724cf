//! Cancelling on many servers at once, with a limited number of sockets.
//!
//! Many statements of one server are cancelled together ([`crate::call::cancel_by_server`]), and those that this does not
//! reach, and all others, by a cancel request each. A request is sent as soon as its connection is made. The server closes that
//! connection when it has processed the request, for which the next one does not wait. Servers that cannot be connected to do
//! not keep the others waiting: after a while as many other requests begin.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::Stream;
use futures::stream::FuturesUnordered;

use crate::call::cancel_by_server::ServerCancel;
use crate::connection::Connection;
use crate::connection::cancel::{CancelKey, Sent, Server};

/// How many requests are made at once.
const WIDTH: usize = 128;
/// How often as many more may begin, whether or not the others are done.
pub(crate) const PACE: Duration = Duration::from_millis(40);
/// How many sockets stay open at the most until the server closes the connection.
const CONFIRMING: usize = 256;

type Sending = Pin<Box<dyn Future<Output = Option<Sent>>>>;
type Confirming = Pin<Box<dyn Future<Output = ()>>>;

/// Cancel requests that are being made.
pub(crate) struct Cancelling {
    by_server: HashMap<Server, ServerCancel>,
    waiting: VecDeque<Rc<CancelKey>>,
    sending: FuturesUnordered<Sending>,
    confirming: FuturesUnordered<Confirming>,
    begun: Instant,
    started: usize,
}

impl Cancelling {
    pub(crate) fn new(keys: Vec<Rc<CancelKey>>) -> Cancelling {
        let mut cancelling = Cancelling {
            by_server: HashMap::new(),
            waiting: VecDeque::new(),
            sending: FuturesUnordered::new(),
            confirming: FuturesUnordered::new(),
            begun: Instant::now(),
            started: 0,
        };
        cancelling.extend(keys);
        cancelling
    }

    /// Adds statements to be cancelled.
    pub(crate) fn extend(&mut self, keys: Vec<Rc<CancelKey>>) {
        let mut servers: HashMap<Option<Server>, Vec<Rc<CancelKey>>> = HashMap::new();
        for key in keys {
            key.set_queued(true);
            servers.entry(key.server()).or_default().push(key);
        }
        for (server, keys) in servers {
            let by_server = server.map(|server| {
                let known = self.by_server.entry(server);
                known.or_insert_with(ServerCancel::new)
            });
            match by_server.filter(|by_server| by_server.takes(keys.len())) {
                Some(by_server) => keys.into_iter().for_each(|key| by_server.push(key)),
                None => self.waiting.extend(keys),
            }
        }
    }

    /// Whether a request has not been sent.
    pub(crate) fn is_unsent(&self) -> bool {
        !self.waiting.is_empty()
            || !self.sending.is_empty()
            || self.by_server.values().any(ServerCancel::is_unsent)
    }

    /// Whether all requests were sent and confirmed, or have failed.
    pub(crate) fn is_over(&self) -> bool {
        !self.is_unsent() && self.confirming.is_empty()
    }

    /// Whether a connection to some server would be of use.
    pub(crate) fn wants_connection(&self) -> bool {
        self.by_server.values().any(ServerCancel::wants_connection)
    }

    /// Takes a connection, and uses it if it can.
    pub(crate) fn offer(&mut self, connection: Box<Connection>) {
        let server = connection.cancel_key().server();
        if let Some(by_server) = server.and_then(|server| self.by_server.get_mut(&server)) {
            by_server.offer(connection);
        }
    }

    /// Makes progress. To be polled every [`PACE`], too.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        loop {
            for by_server in self.by_server.values_mut() {
                self.waiting.extend(by_server.poll(cx));
            }
            self.start();
            let mut sent = false;
            while let Poll::Ready(Some(request)) = Pin::new(&mut self.sending).poll_next(cx) {
                sent = true;
                if let Some(request) = request
                    && self.confirming.len() < CONFIRMING
                {
                    self.confirming.push(Box::pin(request.confirm()));
                }
            }
            while let Poll::Ready(Some(())) = Pin::new(&mut self.confirming).poll_next(cx) {}
            if !sent || self.waiting.is_empty() {
                return;
            }
        }
    }

    /// Begins as many requests as are allowed.
    fn start(&mut self) {
        let paces = self.begun.elapsed().as_millis() / PACE.as_millis();
        let allowed = WIDTH.saturating_mul(usize::try_from(paces + 1).unwrap_or(usize::MAX));
        while self.sending.len() < WIDTH || self.started < allowed {
            let Some(key) = self.waiting.front() else {
                return;
            };
            let descriptor = key.descriptor().or_else(|| {
                // Requests that were sent can do without theirs: their servers have received them.
                self.confirming.clear();
                key.descriptor()
            });
            let (Some(descriptor), Some(key)) = (descriptor, self.waiting.pop_front()) else {
                return;
            };
            key.set_queued(false);
            self.started += 1;
            self.sending.push(Box::pin(key.send(descriptor)));
        }
    }
}

impl Drop for Cancelling {
    fn drop(&mut self) {
        let by_server = self.by_server.values().flat_map(ServerCancel::keys);
        let undone = self.waiting.iter().chain(by_server);
        undone.for_each(|key| key.set_queued(false));
    }
}
