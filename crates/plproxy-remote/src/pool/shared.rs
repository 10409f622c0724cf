//! This process's duplicates of the connections that sessions share.

use std::cell::RefCell;

use plproxy_core::int_map::IntMap;
use plproxy_core::shared::State;

use crate::connection::Connection;
use crate::shared::sharing::Sharing;

/// By the endpoint's number. While one is used it is not here.
#[derive(Default)]
pub(crate) struct SharedCache {
    #[allow(clippy::vec_box)]
    connections: RefCell<IntMap<u64, Vec<Box<Connection>>>>,
}

impl SharedCache {
    /// The slots and generations that the endpoint has some of.
    pub(crate) fn known(&self, endpoint: u64) -> smallvec::SmallVec<[(u32, u32); 8]> {
        let connections = self.connections.borrow();
        let of_endpoint = connections.get(&endpoint).into_iter().flatten();
        of_endpoint
            .filter_map(|connection| place(connection))
            .collect()
    }

    /// That of a slot and a generation.
    pub(crate) fn take(&self, endpoint: u64, wanted: (u32, u32)) -> Option<Box<Connection>> {
        let mut connections = self.connections.borrow_mut();
        let of_endpoint = connections.get_mut(&endpoint)?;
        let at = of_endpoint
            .iter()
            .position(|connection| place(connection) == Some(wanted))?;
        Some(of_endpoint.swap_remove(at))
    }

    pub(crate) fn put(&self, connection: Box<Connection>) {
        let endpoint = connection.endpoint().id();
        let mut connections = self.connections.borrow_mut();
        connections.entry(endpoint).or_default().push(connection);
    }

    /// Lets go of those that are closed by now.
    pub(crate) fn sweep(&self, sharing: Sharing) {
        let is_there = |connection: &Connection| {
            place(connection).is_some_and(|(slot, generation)| {
                let word = sharing.table.word(slot);
                word.generation == generation && !matches!(word.state, State::Free | State::Closing)
            })
        };
        let mut connections = self.connections.borrow_mut();
        connections.retain(|_, of_endpoint| {
            of_endpoint.retain(|connection| is_there(connection));
            !of_endpoint.is_empty()
        });
    }

    /// Lets go of those of an endpoint.
    pub(crate) fn forget(&self, endpoint: u64) {
        let gone = self.connections.borrow_mut().remove(&endpoint);
        drop(gone);
    }

    /// Lets go of one, for its descriptor; false if there is none.
    pub(crate) fn forget_one(&self) -> bool {
        let mut connections = self.connections.borrow_mut();
        let one = connections.values_mut().find_map(Vec::pop);
        drop(connections);
        one.is_some()
    }
}

fn place(connection: &Connection) -> Option<(u32, u32)> {
    let part = connection.shared.as_ref()?;
    Some((part.slot, part.generation))
}
