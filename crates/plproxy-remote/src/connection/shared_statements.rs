//! Prepared statements of connections that sessions share.
//!
//! Their names are made from their texts, so that all sessions give a statement one name, and the slot says which of them the
//! server has.

use std::rc::Rc;
use std::time::Duration;

use plproxy_core::int_map::IntMap;
use plproxy_core::shared::{Secret, Statements as Known};

use crate::connection::backend_identity::BackendIdentity;
use crate::connection::statement_plan::{Age, Columns, Plan, PreparedStatement};
use crate::encoding::Encoding;
use crate::options::Prepared;
use crate::protocol::statement::Statement;

/// So many a session remembers of one connection.
const REMEMBERED: usize = 256;

/// What this session knows of a statement on one connection.
struct Entry {
    hash: u128,
    name: Rc<str>,
    uses: u32,
    /// When it was to be prepared.
    since: Duration,
    /// Where it was found last.
    at: usize,
    columns: Columns,
    never: bool,
}

/// See the module.
pub(crate) struct SharedStatements {
    known: &'static Known,
    secret: Secret,
    encoding: Encoding,
    entries: IntMap<u64, Entry>,
    /// What is known of columns is of that epoch.
    epoch: u64,
}

fn name_of(hash: u128) -> Rc<str> {
    format!("plproxy_{hash:032x}").into()
}

impl SharedStatements {
    pub(crate) fn new(
        known: &'static Known,
        secret: Secret,
        encoding: Encoding,
    ) -> SharedStatements {
        SharedStatements {
            known,
            secret,
            encoding,
            entries: IntMap::default(),
            epoch: known.epoch(),
        }
    }

    /// How to run a statement now. What gives way for it is to be closed.
    pub(crate) fn plan(
        &mut self,
        statement: &Statement,
        prepared: Prepared,
        backend: BackendIdentity,
        age: Age,
        closed: &mut Vec<Rc<str>>,
    ) -> Plan {
        if prepared == Prepared::Off || statement.has_constants() {
            return Plan::Unnamed;
        }
        self.keep_up();
        if !self.entries.contains_key(&statement.id()) {
            let Ok(sql) = statement.sql().bytes(self.encoding) else {
                return Plan::Unnamed;
            };
            let hash = self.secret.statement(sql, statement.types());
            if self.entries.len() >= REMEMBERED {
                self.entries.clear();
            }
            let entry = Entry {
                hash,
                name: name_of(hash),
                uses: 0,
                since: age.now,
                at: 0,
                columns: Columns::Unknown,
                never: false,
            };
            self.entries.insert(statement.id(), entry);
        }
        let Some(entry) = self.entries.get_mut(&statement.id()) else {
            return Plan::Unnamed;
        };
        entry.uses = entry.uses.saturating_add(1);
        let is_direct = prepared == Prepared::On || backend == BackendIdentity::Confirmed;
        if entry.never {
            return Plan::Unnamed;
        }
        if self.known.contains(entry.hash, &mut entry.at) {
            if !is_direct {
                return Plan::Unnamed;
            }
            if self.known.age(entry.at, age.now) >= age.lifetime && self.known.remove(entry.hash) {
                entry.columns = Columns::Unknown;
                entry.since = age.now;
                closed.push(entry.name.clone());
                return Plan::Prepare(entry.name.clone());
            }
            return Plan::Prepared(PreparedStatement {
                name: entry.name.clone(),
                columns: entry.columns.clone(),
            });
        }
        entry.columns = Columns::Unknown;
        if entry.uses < 2 || backend == BackendIdentity::Mismatched && !is_direct {
            return Plan::Unnamed;
        }
        if !is_direct {
            return Plan::UnnamedAndAsk;
        }
        entry.since = age.now;
        let name = entry.name.clone();
        closed.extend(self.known.make_room().map(name_of));
        Plan::Prepare(name)
    }

    /// Whether there is a prepared form.
    pub(crate) fn is_prepared(&self, statement: &Statement) -> bool {
        let entry = self.entries.get(&statement.id());
        entry.is_some_and(|entry| self.known.contains(entry.hash, &mut entry.at.clone()))
    }

    /// One is prepared, or was looked at.
    pub(crate) fn keep(&mut self, statement: &Statement, columns: Columns) {
        self.keep_up();
        if let Some(entry) = self.entries.get_mut(&statement.id())
            && self.known.insert(entry.hash, entry.since)
        {
            entry.columns = columns;
        }
    }

    /// It is of no use as it was prepared. Its name, if it is to be closed; `never`: it is not to be tried again.
    pub(crate) fn forget(&mut self, statement: &Statement, never: bool) -> Option<Rc<str>> {
        let entry = self.entries.get_mut(&statement.id())?;
        entry.never |= never;
        entry.columns = Columns::Unknown;
        self.known.remove(entry.hash).then(|| entry.name.clone())
    }

    /// The server has none any more.
    pub(crate) fn forget_all(&mut self) {
        self.known.clear();
        self.keep_up();
    }

    pub(crate) fn count(&self) -> usize {
        self.known.count()
    }

    /// Others may have closed some and prepared them anew.
    fn keep_up(&mut self) {
        let epoch = self.known.epoch();
        if epoch != self.epoch {
            self.epoch = epoch;
            for entry in self.entries.values_mut() {
                entry.columns = Columns::Unknown;
            }
        }
    }
}
