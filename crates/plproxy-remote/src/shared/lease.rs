//! A slot in this process's hands.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use plproxy_core::shared::{Held, Slot};

use crate::protocol::terminate::TerminateOnDrop;
use crate::shared::sharing::Sharing;

/// Until it is given back, nobody else has the slot. Dropped, its connection is closed: whoever drops it did not say that all
/// is well.
pub(crate) struct Lease {
    sharing: Sharing,
    held: Option<Held>,
    /// Tells whether a message went out in part.
    terminate: Option<Rc<TerminateOnDrop>>,
}

impl Lease {
    pub(crate) fn new(sharing: Sharing, held: Held) -> Lease {
        if let Some(slot) = sharing.table.slot(held.slot) {
            // Until it is known: a process may end at any time.
            slot.in_message.store(1, Relaxed);
        }
        Lease {
            sharing,
            held: Some(held),
            terminate: None,
        }
    }

    /// Who knows what went out.
    pub(crate) fn set_terminate(&mut self, terminate: &Rc<TerminateOnDrop>) {
        self.terminate = Some(Rc::clone(terminate));
    }

    pub(crate) fn sharing(&self) -> Sharing {
        self.sharing
    }

    pub(crate) fn slot(&self) -> Option<&'static Slot> {
        self.sharing.table.slot(self.held?.slot)
    }

    /// The connection is made, and the keeper has it.
    pub(crate) fn connected(&self) -> bool {
        self.held
            .is_some_and(|held| self.sharing.table.connected(held))
    }

    /// There is no connection, and no server process of it.
    pub(crate) fn abandon(mut self) {
        if let Some(held) = self.held.take() {
            self.sharing.table.abandon(held);
        }
    }

    /// Others may have it. Says whether the connection stays open.
    pub(crate) fn give_back(mut self, most: u32) -> bool {
        self.note();
        let held = self.held.take();
        held.is_some_and(|held| self.sharing.table.give_back(held, most))
    }

    fn note(&self) {
        if let (Some(slot), Some(terminate)) = (self.slot(), &self.terminate) {
            let in_message = u32::from(terminate.is_in_message());
            slot.in_message.store(in_message, Relaxed);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.note();
        if let Some(held) = self.held.take() {
            self.sharing.table.close(held);
        }
    }
}
