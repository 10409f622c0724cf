//! Cancelling: a second connection to the same server, which tells it to stop what the first one asked for.

use std::cell::Cell;
use std::rc::Rc;

use tokio::io::AsyncReadExt;
use tokio_postgres::{CancelToken, NoTls};

use crate::address::Address;
use crate::connect::open_socket;
use crate::endpoint::Endpoint;

/// All that is needed to cancel the statement of a connection.
pub(crate) struct CancelKey {
    token: CancelToken,
    address: Address,
    endpoint: Rc<Endpoint>,
    /// A request is on its way. Should nobody wait for its end, it may arrive at any time and hit what runs then.
    astray: Cell<bool>,
}

impl CancelKey {
    pub(crate) fn new(token: CancelToken, address: Address, endpoint: Rc<Endpoint>) -> CancelKey {
        CancelKey {
            token,
            address,
            endpoint,
            astray: Cell::new(false),
        }
    }

    /// Sends the request and waits until the server has taken it, which it shows by hanging up. There is nobody to tell
    /// of a failure: the caller's time is bounded in any case.
    pub(crate) async fn send(self: Rc<Self>) {
        self.astray.set(true);
        let Ok(mut socket) = open_socket(&self.address, self.endpoint.info()).await else {
            return self.astray.set(false);
        };
        if self
            .token
            .cancel_query_raw(&mut socket, NoTls)
            .await
            .is_ok()
        {
            let mut nothing = [0];
            if matches!(socket.read(&mut nothing).await, Ok(0)) {
                self.astray.set(false);
            }
        }
    }

    /// Whether a request may still be under way, so that the connection cannot be used again.
    pub(crate) fn is_astray(&self) -> bool {
        self.astray.get()
    }
}
