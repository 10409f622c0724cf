//! All connections of a process, those in use as well, for the views.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use crate::connection::Connection;
use crate::connection::info::{ConnectionInfo, LiveInfo};

/// So few are not checked for connections that are gone.
const FEW: usize = 16;

/// See the module.
pub(super) struct ConnectionRegistry {
    known: RefCell<Vec<Weak<LiveInfo>>>,
    /// At this number connections that are gone are removed.
    due: Cell<usize>,
}

impl ConnectionRegistry {
    pub(super) fn new() -> ConnectionRegistry {
        ConnectionRegistry {
            known: RefCell::default(),
            due: Cell::new(FEW),
        }
    }

    /// Adds a connection, unless it is known.
    pub(super) fn add(&self, connection: &Connection) {
        let mut known = self.known.borrow_mut();
        let new = Rc::downgrade(connection.live_info());
        if known.iter().any(|one| one.ptr_eq(&new)) {
            return;
        }
        // Connections that are gone are removed when they may be as many as the others.
        if known.len() >= self.due.get() {
            known.retain(|one| one.strong_count() > 0);
            self.due.set(2 * known.len() + FEW);
        }
        known.push(new);
    }

    /// All connections that are open.
    pub(super) fn snapshot(&self) -> Vec<ConnectionInfo> {
        let known = self.known.borrow();
        let open = known.iter().filter_map(Weak::upgrade);
        open.map(|info| info.snapshot()).collect()
    }
}
