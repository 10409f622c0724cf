//! What all endpoints of a process share.

use std::cell::Cell;
use std::rc::Rc;

use crate::encoding::Encoding;
use crate::net::descriptors::Descriptors;
use crate::net::linger;
use crate::net::tls::context::Contexts;
use crate::protocol::terminate::OpenConnections;

/// See the module.
pub(crate) struct Resources {
    /// The host's encoding.
    pub(crate) encoding: Encoding,
    pub(crate) contexts: Contexts,
    pub(crate) open_connections: OpenConnections,
    pub(crate) descriptors: Rc<Descriptors>,
    /// There may be endpoints without references.
    pub(crate) let_go: Cell<bool>,
}

impl Resources {
    pub(crate) fn new(encoding: Encoding) -> Resources {
        Resources {
            encoding,
            contexts: Contexts::default(),
            open_connections: OpenConnections::new(),
            descriptors: Rc::new(Descriptors::new(linger::close_oldest)),
            let_go: Cell::new(false),
        }
    }
}
