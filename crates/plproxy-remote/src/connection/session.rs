//! A connection with an owner outside of the pool, and the server that it was made to.

use std::fmt;
use std::rc::Rc;

use crate::connection::Connection;
use crate::connection::cancel::CancelKey;
use crate::connection::connect::{Destination, Limits};
use crate::endpoint::Endpoint;
use crate::error::ErrorKind;

/// A connection that belongs to its owner alone. It is closed when dropped.
pub struct Session(Option<Box<Connection>>);

impl Session {
    pub(crate) fn new(connection: Box<Connection>) -> Session {
        Session(Some(connection))
    }

    pub(crate) fn into_connection(self) -> Option<Box<Connection>> {
        self.0
    }

    /// Its endpoint.
    pub fn endpoint(&self) -> Option<&Rc<Endpoint>> {
        self.0.as_ref().map(|connection| connection.endpoint())
    }

    /// The server that it was made to.
    pub fn origin(&self) -> Option<Origin> {
        self.0.as_deref().map(Origin::of)
    }
}

/// The server that a session was made to: its address, and the settings of the connection.
#[derive(Clone)]
pub struct Origin(Rc<CancelKey>);

impl Origin {
    pub(crate) fn of(connection: &Connection) -> Origin {
        Origin(Rc::clone(connection.cancel_key()))
    }

    /// Makes a new connection to that very server.
    pub(crate) async fn connect_again(&self, limits: Limits) -> Result<Box<Connection>, ErrorKind> {
        let Origin(key) = self;
        let destination = Destination::of(key.endpoint(), key.info());
        destination
            .connect_again(key.host(), key.address(), key.ssl(), limits)
            .await
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Origin").field(self.0.endpoint()).finish()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.endpoint()).finish()
    }
}
