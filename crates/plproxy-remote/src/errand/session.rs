//! The connections of errands, and where they were made to.

use std::fmt;
use std::rc::Rc;

use crate::cancel::CancelKey;
use crate::connection::Connection;
use crate::endpoint::Endpoint;

/// A connection that belongs to its holder alone. It is closed when dropped.
pub struct Session(pub(super) Option<Box<Connection>>);

impl Session {
    pub(crate) fn new(connection: Box<Connection>) -> Session {
        Session(Some(connection))
    }

    pub(crate) fn into_connection(self) -> Option<Box<Connection>> {
        self.0
    }

    /// Where it goes.
    pub fn endpoint(&self) -> Option<&Rc<Endpoint>> {
        self.0.as_ref().map(|connection| connection.endpoint())
    }

    /// Where it was made to.
    pub fn origin(&self) -> Option<Origin> {
        self.0.as_deref().map(Origin::of)
    }
}

/// The server that a session was made to: its address, and what the connection string led to then.
#[derive(Clone)]
pub struct Origin(pub(super) Rc<CancelKey>);

impl Origin {
    pub(crate) fn of(connection: &Connection) -> Origin {
        Origin(Rc::clone(connection.cancel_key()))
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
