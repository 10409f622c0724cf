//! What there is to be seen of the connections that sessions share.

use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::fence;

use plproxy_core::shared::{State, Table};

use crate::shared::place::Place;

/// A connection, or somebody who waits for one.
#[derive(Debug, Clone)]
pub struct SharedConnection {
    /// The local user's number.
    pub role: u32,
    /// What becomes of it.
    pub state: &'static str,
    /// Where it leads, as far as that is known and may be told.
    pub place: Option<SharedPlace>,
    /// The process that has it, or that waits; zero for none.
    pub holder: u32,
    /// Since when, in microseconds since 1970.
    pub since: u64,
    /// When it was made; the same.
    pub connected_at: u64,
    /// How often it was taken.
    pub uses: u64,
    /// How many statements are prepared on it.
    pub prepared_statements: usize,
}

/// Where a connection leads.
#[derive(Debug, Clone)]
pub struct SharedPlace {
    /// The host.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
    /// The database.
    pub dbname: String,
    /// The role.
    pub user: String,
    /// The server's process.
    pub process_id: i32,
    /// The version of TLS, if it is encrypted.
    pub tls: Option<String>,
}

impl SharedPlace {
    fn of(place: Place) -> SharedPlace {
        SharedPlace {
            host: place.host.shown(),
            port: place.host.shown_port(),
            dbname: place.dbname,
            user: place.user,
            process_id: place.process_id,
            tls: place.tls,
        }
    }
}

/// All of them. One that changes while it is looked at is left out.
pub fn shared_connections(table: &Table) -> Vec<SharedConnection> {
    let mut all = Vec::new();
    let mut places = Vec::new();
    for found in table.found() {
        let facts = found.facts;
        // Whose it is before where it leads: who takes a slot forgets both in that order, before he says whose it is now.
        let role = facts.role.load(Acquire);
        let place = Place::read(&facts.place.read()).map(SharedPlace::of);
        let (state, is_held) = match found.word.state {
            State::Free => continue,
            State::Connecting => ("connecting", true),
            State::Idle => ("idle", false),
            State::InUse => ("in use", true),
            State::Closing => ("closing", false),
        };
        let moments = facts.moments();
        let connection = SharedConnection {
            role,
            state,
            place: place.clone(),
            holder: if is_held {
                facts.holder.load(Relaxed)
            } else {
                0
            },
            since: moments.since,
            connected_at: moments.connected_at,
            uses: facts.uses.load(Relaxed),
            prepared_statements: facts.statements.count(),
        };
        fence(Acquire);
        if table.word(found.slot).generation != found.word.generation {
            continue;
        }
        if let Some(place) = place {
            places.push((found.limit, place));
        }
        all.push(connection);
    }
    for (limit, holder, since, role) in table.waiting() {
        let place = places.iter().find(|(of, _)| *of == limit);
        all.push(SharedConnection {
            role,
            state: "waiting",
            place: place.map(|(_, place)| SharedPlace {
                process_id: 0,
                tls: None,
                ..place.clone()
            }),
            holder,
            since,
            connected_at: 0,
            uses: 0,
            prepared_statements: 0,
        });
    }
    all
}
