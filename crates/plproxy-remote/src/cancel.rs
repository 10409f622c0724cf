//! Cancelling: a second connection to the same server, which tells it to stop what the first one asked for.

use std::cell::Cell;
use std::rc::Rc;

use bytes::BytesMut;
use plproxy_core::conninfo::{ConnInfo, Host};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::address::Address;
use crate::endpoint::Endpoint;
use crate::linger::Lingering;
use crate::open::open_socket;
use crate::stream::Socket;
use crate::tls::{self, Way};

/// All that is needed to cancel the statement of a connection.
pub(crate) struct CancelKey {
    process_id: i32,
    secret_key: i32,
    address: Address,
    host: Host,
    /// The key goes the way that it came: over TLS if the connection does.
    way: Way,
    info: Rc<ConnInfo>,
    endpoint: Rc<Endpoint>,
    /// A request is on its way. Should nobody wait for its end, it may arrive at any time and hit what runs then.
    astray: Cell<bool>,
    /// A request is being made and has not been sent.
    unsent: Cell<bool>,
}

/// No connection could be made for the request.
struct Unsent;

impl CancelKey {
    pub(crate) fn new(
        process_id: i32,
        secret_key: i32,
        address: Address,
        host: &Host,
        encrypted: bool,
        info: Rc<ConnInfo>,
        endpoint: Rc<Endpoint>,
    ) -> CancelKey {
        CancelKey {
            process_id,
            secret_key,
            address,
            host: host.clone(),
            way: if encrypted { Way::Required } else { Way::Plain },
            info,
            endpoint,
            astray: Cell::new(false),
            unsent: Cell::new(false),
        }
    }

    /// Sends the request and waits until the server has taken it, which it shows by hanging up. There is nobody to tell
    /// of a failure: the caller's time is bounded in any case.
    pub(crate) async fn send(self: Rc<Self>) {
        // What became of an earlier request, this one's end does not tell.
        let astray = self.astray.replace(true);
        self.unsent.set(true);
        let socket = self.request().await;
        self.unsent.set(false);
        match socket {
            Err(Unsent) => self.astray.set(astray),
            Ok(None) => {}
            Ok(Some(socket)) => {
                let mut open = Lingering::new(socket);
                let mut nothing = [0];
                let Some(socket) = open.socket() else { return };
                if matches!(socket.read(&mut nothing).await, Ok(0)) {
                    self.astray.set(astray);
                }
                open.close();
            }
        }
    }

    /// Sends the request.
    async fn request(&self) -> Result<Option<Socket>, Unsent> {
        let info = &*self.info;
        let resources = self.endpoint.resources();
        let descriptor = resources.descriptors.insist();
        let Ok(socket) = open_socket(&self.address, info, descriptor).await else {
            return Err(Unsent);
        };
        let contexts = &resources.contexts;
        let Ok(mut socket) = tls::negotiate(socket, self.way, info, &self.host, contexts).await
        else {
            return Err(Unsent);
        };
        let mut message = BytesMut::new();
        frontend::cancel_request(self.process_id, self.secret_key, &mut message);
        // The socket stays open until the other side hangs up, as libpq's does: a pooler that has to wait for a connection of
        // its own takes a request whose sender has hung up for abandoned.
        let sent = async {
            socket.write_all(&message).await?;
            socket.flush().await
        };
        let sent = sent.await;
        Ok(sent.is_ok().then_some(socket))
    }

    /// Whether a request is being made that has not been sent.
    pub(crate) fn is_unsent(&self) -> bool {
        self.unsent.get()
    }

    /// Whether a request may still be under way, so that the connection cannot be used again.
    pub(crate) fn is_astray(&self) -> bool {
        self.astray.get()
    }
}
