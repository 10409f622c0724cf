//! All connections of a process, also those in use, for whoever wants to see them.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use crate::connection::Connection;
use crate::connection::info::{ConnectionInfo, LiveInfo};

/// So few are not worth a look at which are gone.
const FEW: usize = 16;

/// See the module.
pub(super) struct ConnectionRegistry {
    known: RefCell<Vec<Weak<LiveInfo>>>,
    /// With so many of them those that are gone are left out.
    due: Cell<usize>,
}

impl ConnectionRegistry {
    pub(super) fn new() -> ConnectionRegistry {
        ConnectionRegistry {
            known: RefCell::default(),
            due: Cell::new(FEW),
        }
    }

    /// Makes a connection known, unless it is.
    pub(super) fn add(&self, connection: &Connection) {
        let mut known = self.known.borrow_mut();
        let new = Rc::downgrade(connection.live_info());
        if known.iter().any(|one| one.ptr_eq(&new)) {
            return;
        }
        // Those that are gone are left out when they may be as many as the others.
        if known.len() >= self.due.get() {
            known.retain(|one| one.strong_count() > 0);
            self.due.set(2 * known.len() + FEW);
        }
        known.push(new);
    }

    /// All that are still open.
    pub(super) fn snapshot(&self) -> Vec<ConnectionInfo> {
        let known = self.known.borrow();
        let open = known.iter().filter_map(Weak::upgrade);
        open.map(|info| info.snapshot()).collect()
    }
}
