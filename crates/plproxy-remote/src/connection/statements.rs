//! The statements that a connection has run, and which of them are prepared.
//!
//! A connection counts how often it runs a statement. The second time the statement is prepared, if the connection reaches one
//! server process; before that, and always where it does not, the statement is sent unnamed. So is one with constants in
//! quotes. A prepared statement is prepared anew after a while: the server follows what becomes of the objects that it
//! uses, but not that others would be found in their place by now, nor what it took for constant.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::Duration;

use plproxy_core::int_map::IntMap;

use crate::connection::backend_identity::BackendIdentity;
use crate::connection::shared_statements::SharedStatements;
use crate::connection::statement_plan::{Age, Plan, PreparedStatement};
use crate::options::Prepared;
use crate::protocol::statement::Statement;

/// How many statements a connection remembers.
const REMEMBERED: usize = 256;

enum State {
    Counting,
    Prepared(PreparedStatement),
    Never,
}

struct Entry {
    uses: u32,
    state: State,
    /// When it was to be prepared.
    since: Duration,
    /// When it was last used, in uses of the connection.
    used: u64,
}

/// See the module.
#[derive(Default)]
pub(crate) struct StatementCache {
    entries: IntMap<u64, Entry>,
    clock: u64,
    prepared: usize,
    /// Names of prepared statements to be closed on the server.
    forgotten: Vec<Rc<str>>,
    /// On a connection that other sessions use, too.
    shared: Option<Box<SharedStatements>>,
}

impl StatementCache {
    /// How to run `statement` this time. May forget the least recently used statement.
    pub(crate) fn plan(
        &mut self,
        statement: &Statement,
        prepared: Prepared,
        backend: BackendIdentity,
        age: Age,
    ) -> Plan {
        if let Some(shared) = &mut self.shared {
            return shared.plan(statement, prepared, backend, age, &mut self.forgotten);
        }
        if prepared == Prepared::Off || statement.has_constants() {
            return Plan::Unnamed;
        }
        self.clock += 1;
        let clock = self.clock;
        let entry = match self.entries.get_mut(&statement.id()) {
            Some(entry) => entry,
            None => {
                if self.entries.len() >= REMEMBERED {
                    self.forget_oldest();
                }
                self.entries.entry(statement.id()).or_insert(Entry {
                    uses: 0,
                    state: State::Counting,
                    since: Duration::ZERO,
                    used: 0,
                })
            }
        };
        entry.used = clock;
        entry.uses = entry.uses.saturating_add(1);
        if age.is_over(entry.since)
            && let State::Prepared(_) = entry.state
            && let State::Prepared(form) = std::mem::replace(&mut entry.state, State::Counting)
        {
            self.prepared -= 1;
            self.forgotten.push(form.name);
        }
        match &entry.state {
            // Another server process has turned out to answer.
            State::Prepared(_)
                if prepared == Prepared::Auto && backend != BackendIdentity::Confirmed =>
            {
                Plan::Unnamed
            }
            State::Prepared(form) => Plan::Prepared(form.clone()),
            State::Never => Plan::Unnamed,
            State::Counting if entry.uses < 2 => Plan::Unnamed,
            State::Counting => match (prepared, backend) {
                (Prepared::On, _) | (_, BackendIdentity::Confirmed) => {
                    entry.since = age.now;
                    Plan::Prepare(new_name())
                }
                (_, BackendIdentity::Unknown) => Plan::UnnamedAndAsk,
                (_, BackendIdentity::Mismatched) => Plan::Unnamed,
            },
        }
    }

    /// Whether there is a prepared form.
    pub(crate) fn is_prepared(&self, statement: &Statement) -> bool {
        if let Some(shared) = &self.shared {
            return shared.is_prepared(statement);
        }
        let entry = self.entries.get(&statement.id());
        entry.is_some_and(|entry| matches!(entry.state, State::Prepared(_)))
    }

    /// Remembers the prepared form.
    pub(crate) fn keep(&mut self, statement: &Statement, prepared: PreparedStatement) {
        if let Some(shared) = &mut self.shared {
            return shared.keep(statement, prepared.columns);
        }
        if let Some(entry) = self.entries.get_mut(&statement.id()) {
            if !matches!(entry.state, State::Prepared(_)) {
                self.prepared += 1;
            }
            entry.state = State::Prepared(prepared);
        }
    }

    /// Never prepares the statement again.
    pub(crate) fn give_up(&mut self, statement: &Statement) {
        if let Some(shared) = &mut self.shared {
            self.forgotten.extend(shared.forget(statement, true));
            return;
        }
        if let Some(entry) = self.entries.get_mut(&statement.id()) {
            let state = std::mem::replace(&mut entry.state, State::Never);
            self.give_back(state);
        }
    }

    /// Forgets a statement whose prepared form is out of date.
    pub(crate) fn forget(&mut self, statement: &Statement) {
        if let Some(shared) = &mut self.shared {
            self.forgotten.extend(shared.forget(statement, false));
            return;
        }
        self.remove(statement.id());
    }

    /// Forgets all prepared forms, which the server has dropped; a statement is prepared again at its next use.
    pub(crate) fn forget_prepared(&mut self) {
        if let Some(shared) = &mut self.shared {
            return shared.forget_all();
        }
        self.prepared = 0;
        for entry in self.entries.values_mut() {
            if let State::Prepared(_) = entry.state {
                entry.state = State::Counting;
            }
        }
    }

    /// Names of prepared statements to be closed on the server.
    pub(crate) fn forgotten(&self) -> &[Rc<str>] {
        &self.forgotten
    }

    /// They are closed.
    pub(crate) fn forgotten_are_closed(&mut self) {
        self.forgotten.clear();
    }

    /// How many prepared statements there are.
    pub(crate) fn prepared(&self) -> usize {
        self.shared
            .as_ref()
            .map_or(self.prepared, |shared| shared.count())
    }

    /// The connection is one that other sessions use, too.
    pub(crate) fn are_shared(&mut self, shared: SharedStatements) {
        self.shared = Some(Box::new(shared));
    }

    fn forget_oldest(&mut self) {
        if let Some(id) = self
            .entries
            .iter()
            .min_by_key(|(_, entry)| entry.used)
            .map(|(id, _)| *id)
        {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: u64) {
        if let Some(entry) = self.entries.remove(&id) {
            self.give_back(entry.state);
        }
    }

    /// The prepared form, if there is one, is to be closed on the server.
    fn give_back(&mut self, state: State) {
        if let State::Prepared(prepared) = state {
            self.prepared -= 1;
            self.forgotten.push(prepared.name);
        }
    }
}

/// A name that no other statement has, in this process or another: a server process that other clients use refuses it.
fn new_name() -> Rc<str> {
    thread_local! {
        static NEXT_NAME: Cell<u64> = const { Cell::new(1) };
        static PROCESS: u64 = RandomState::new().hash_one(std::process::id());
    }
    let number = NEXT_NAME.with(|next| next.replace(next.get() + 1));
    format!("plproxy_{:x}_{number}", PROCESS.with(|process| *process)).into()
}

#[cfg(test)]
mod tests;
