//! Cancelling: a cancel request, on a second connection to the same server, for the statement on the first one.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::BytesMut;
use plproxy_core::conninfo::{ConnInfo, Host};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::connection::backend_identity::BackendIdentity;
use crate::endpoint::Endpoint;
use crate::net::address::Address;
use crate::net::descriptors::Descriptor;
use crate::net::linger::Lingering;
use crate::net::socket::open_socket;
use crate::net::tls::negotiate::{SslAttempt, negotiate};
use crate::net::transport::Socket;

/// All that is needed to cancel the statement on a connection.
pub(crate) struct CancelKey {
    process_id: i32,
    secret_key: i32,
    address: Address,
    host: Host,
    /// Over TLS if the connection is.
    ssl: SslAttempt,
    info: Rc<ConnInfo>,
    endpoint: Rc<Endpoint>,
    /// Our port, of a TCP socket.
    port: Option<u16>,
    backend: Cell<BackendIdentity>,
    /// A request was sent and not confirmed: it may arrive at any time, and cancel whatever runs then.
    unconfirmed: Cell<bool>,
    /// A statement that cancels was sent on another connection, which has not been answered.
    pursued: Cell<bool>,
    /// A request is to be made.
    queued: Cell<bool>,
    /// Other sessions use the connection, too: no more of them are made than that.
    shared: Cell<bool>,
}

/// A server, and the role that connects to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    address: SocketAddr,
    user: String,
    ssl: SslAttempt,
}

/// A request that was sent. When it is dropped its socket stays open, see [`crate::net::linger`].
pub(crate) struct Sent {
    key: Rc<CancelKey>,
    socket: Lingering,
    /// Whether an earlier request was not confirmed.
    unconfirmed: bool,
}

impl Sent {
    /// Waits until the server has processed the request: it closes the connection then.
    pub(crate) async fn confirm(mut self) {
        let mut nothing = [0];
        let Some(socket) = self.socket.socket() else {
            return;
        };
        if matches!(socket.read(&mut nothing).await, Ok(0)) {
            self.key.unconfirmed.set(self.unconfirmed);
        }
        self.socket.close();
    }
}

impl CancelKey {
    pub(crate) fn new(
        process_id: i32,
        secret_key: i32,
        address: Address,
        host: &Host,
        info: Rc<ConnInfo>,
        endpoint: Rc<Endpoint>,
        socket: &Socket,
    ) -> CancelKey {
        let encrypted = socket.protection().is_some();
        CancelKey {
            process_id,
            secret_key,
            address,
            host: host.clone(),
            ssl: if encrypted {
                SslAttempt::Required
            } else {
                SslAttempt::Plain
            },
            info,
            endpoint,
            port: socket.local_port(),
            backend: Cell::new(BackendIdentity::Unknown),
            unconfirmed: Cell::new(false),
            pursued: Cell::new(false),
            queued: Cell::new(false),
            shared: Cell::new(false),
        }
    }

    /// Sets what is known of the server process that answers.
    pub(crate) fn set_backend(&self, backend: BackendIdentity) {
        self.backend.set(backend);
    }

    /// Other sessions use the connection, too.
    pub(crate) fn set_shared(&self) {
        self.shared.set(true);
    }

    /// The server, where cancelling many statements together may work.
    pub(crate) fn server(&self) -> Option<Server> {
        match (&self.address, self.backend.get()) {
            _ if self.shared.get() => None,
            (_, BackendIdentity::Mismatched) | (Address::Unix(_), _) => None,
            (Address::Tcp(address), _) => Some(Server {
                address: *address,
                user: self.info.user.clone(),
                ssl: self.ssl,
            }),
        }
    }

    pub(crate) fn process_id(&self) -> i32 {
        self.process_id
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }

    pub(crate) fn endpoint(&self) -> &Rc<Endpoint> {
        &self.endpoint
    }

    pub(crate) fn info(&self) -> &Rc<ConnInfo> {
        &self.info
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn ssl(&self) -> SslAttempt {
        self.ssl
    }

    /// A descriptor for a request, if there is one.
    pub(crate) fn descriptor(&self) -> Option<Descriptor> {
        self.endpoint.resources().descriptors.for_cancel()
    }

    /// Sends the request and waits until the server has processed it. A failure is not reported, as the caller's wait has a bound
    /// in any case.
    pub(crate) async fn cancel(self: Rc<Self>) {
        if let Some(descriptor) = self.descriptor()
            && let Some(sent) = self.send(descriptor).await
        {
            sent.confirm().await;
        }
    }

    /// Sends the request; `None` if that fails.
    pub(crate) async fn send(self: Rc<Self>, descriptor: Descriptor) -> Option<Sent> {
        // The confirmation of this request is none of an earlier one.
        let unconfirmed = self.unconfirmed.replace(true);
        let Some(mut socket) = self.connect(descriptor).await else {
            self.unconfirmed.set(unconfirmed);
            return None;
        };
        let mut message = BytesMut::new();
        frontend::cancel_request(self.process_id, self.secret_key, &mut message);
        // The socket stays open until the other side closes it, as in libpq: a pooler that has to wait for a connection of its
        // own drops a request whose client has closed the connection.
        let sent = async {
            socket.write_all(&message).await?;
            socket.flush().await
        };
        let sent = sent.await;
        sent.is_ok().then(|| Sent {
            key: self,
            socket: Lingering::new(socket),
            unconfirmed,
        })
    }

    async fn connect(&self, descriptor: Descriptor) -> Option<Socket> {
        let info = &*self.info;
        let socket = open_socket(&self.address, info, descriptor).await.ok()?;
        let contexts = &self.endpoint.resources().contexts;
        negotiate(socket, self.ssl, info, &self.host, contexts)
            .await
            .ok()
    }

    /// Sets whether a request is to be made.
    pub(crate) fn set_queued(&self, queued: bool) {
        self.queued.set(queued);
    }

    /// Whether a request is to be made, or was not confirmed.
    pub(crate) fn is_busy(&self) -> bool {
        self.queued.get() || self.unconfirmed.get()
    }

    /// Sets whether a statement that cancels was not answered; gives the previous value.
    pub(crate) fn set_pursued(&self, pursued: bool) -> bool {
        self.pursued.replace(pursued)
    }

    /// Whether a request, or a statement that cancels, may still arrive, so that the connection cannot be used again.
    pub(crate) fn is_unconfirmed(&self) -> bool {
        self.unconfirmed.get() || self.pursued.get()
    }
}
