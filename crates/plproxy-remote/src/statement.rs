//! Statements, and what a connection remembers of them.
//!
//! A connection counts how often it ran a statement. From the second time on it is worth preparing, if the connection
//! reaches one real server process; until then, and for ever where it does not, it is sent unnamed.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::call::Prepared;
use crate::rows::{ColumnDescription, Format};

/// Statements that a connection remembers at most.
const REMEMBERED: usize = 256;

thread_local! {
    static NEXT_ID: Cell<u64> = const { Cell::new(0) };
}

/// A statement to run on servers; make it once and keep it, as connections know it again by its identity.
#[derive(Debug)]
pub struct Statement {
    id: u64,
    sql: String,
    format: Format,
    needs: TextNeeds,
}

/// What results as text need of the server's settings to be exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextNeeds {
    /// All digits of floating-point numbers.
    pub digits: bool,
    /// Time zones as offsets.
    pub zones: bool,
}

impl Statement {
    /// A statement whose result columns all have built-in types, so that the server is asked for binary values.
    pub fn call(sql: String) -> Rc<Statement> {
        Statement::new(sql, Format::Binary, TextNeeds::default())
    }

    /// A statement with result columns of any type, whose values come as text.
    pub fn select(sql: String) -> Rc<Statement> {
        Statement::new(sql, Format::Text, TextNeeds::default())
    }

    /// A statement with results of either form, and what those of its columns need that come as text: with
    /// [`Format::Binary`] too, a column may have been cast to it.
    pub fn new(sql: String, format: Format, needs: TextNeeds) -> Rc<Statement> {
        let id = NEXT_ID.with(|next| next.replace(next.get() + 1));
        Rc::new(Statement {
            id,
            sql,
            format,
            needs,
        })
    }

    /// The text, with placeholders for parameters; the server is to learn their types from it, as by casts.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// What the results need of the session.
    pub(crate) fn needs(&self) -> TextNeeds {
        self.needs
    }

    /// The form of the results.
    pub(crate) fn format(&self) -> Format {
        self.format
    }
}

/// A statement that a connection has prepared.
#[derive(Clone)]
pub(crate) struct PreparedStatement {
    pub(crate) statement: tokio_postgres::Statement,
    /// `None` if it gives no rows.
    pub(crate) columns: Option<Rc<[ColumnDescription]>>,
}

/// Whether a connection reaches one real server process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direct {
    Unknown,
    Yes,
    No,
}

/// How to run a statement this time.
pub(crate) enum Plan {
    Prepared(PreparedStatement),
    Unnamed(Aside),
}

/// What to send along with an unnamed statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aside {
    Nothing,
    Prepare,
    AskProcess,
}

enum State {
    Counting,
    Prepared(PreparedStatement),
    Never,
}

struct Entry {
    uses: u32,
    state: State,
    /// The time of the last use, on the clock of uses.
    used: u64,
}

/// What a connection remembers.
#[derive(Default)]
pub(crate) struct Statements {
    entries: HashMap<u64, Entry>,
    clock: u64,
    prepared: usize,
    any_forgotten: bool,
}

impl Statements {
    /// How to run `statement` now. May forget the statement that was not used for the longest time.
    pub(crate) fn plan(
        &mut self,
        statement: &Statement,
        prepared: Prepared,
        direct: Direct,
    ) -> Plan {
        if prepared == Prepared::Off {
            return Plan::Unnamed(Aside::Nothing);
        }
        self.clock += 1;
        if self.entries.len() >= REMEMBERED && !self.entries.contains_key(&statement.id) {
            self.forget_oldest();
        }
        let entry = self.entries.entry(statement.id).or_insert(Entry {
            uses: 0,
            state: State::Counting,
            used: 0,
        });
        entry.used = self.clock;
        entry.uses = entry.uses.saturating_add(1);
        match &entry.state {
            State::Prepared(prepared) => Plan::Prepared(prepared.clone()),
            State::Never => Plan::Unnamed(Aside::Nothing),
            State::Counting if entry.uses < 2 => Plan::Unnamed(Aside::Nothing),
            State::Counting => Plan::Unnamed(match (prepared, direct) {
                (Prepared::On, _) | (_, Direct::Yes) => Aside::Prepare,
                (_, Direct::Unknown) => Aside::AskProcess,
                (_, Direct::No) => Aside::Nothing,
            }),
        }
    }

    /// Remembers the prepared form.
    pub(crate) fn keep(
        &mut self,
        statement: &Statement,
        prepared: tokio_postgres::Statement,
        columns: Option<Rc<[ColumnDescription]>>,
    ) {
        if let Some(entry) = self.entries.get_mut(&statement.id) {
            entry.state = State::Prepared(PreparedStatement {
                statement: prepared,
                columns,
            });
            self.prepared += 1;
        }
    }

    /// Never tries again to prepare it.
    pub(crate) fn give_up(&mut self, statement: &Statement) {
        if let Some(entry) = self.entries.get_mut(&statement.id) {
            entry.state = State::Never;
        }
    }

    /// Forgets a prepared form that has become useless.
    pub(crate) fn forget(&mut self, statement: &Statement) {
        self.remove(statement.id);
    }

    /// Forgets all prepared forms; what is used again is prepared at once.
    pub(crate) fn forget_prepared(&mut self) {
        self.any_forgotten |= self.prepared > 0;
        self.prepared = 0;
        for entry in self.entries.values_mut() {
            if let State::Prepared(_) = entry.state {
                entry.state = State::Counting;
            }
        }
    }

    /// How many prepared statements there are.
    pub(crate) fn prepared(&self) -> usize {
        self.prepared
    }

    /// Whether a prepared form was ever dropped on this connection.
    pub(crate) fn any_forgotten(&self) -> bool {
        self.any_forgotten
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
        if let Some(Entry {
            state: State::Prepared(_),
            ..
        }) = self.entries.remove(&id)
        {
            self.prepared -= 1;
            self.any_forgotten = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs one statement several times and notes what goes with it.
    fn check(prepared: Prepared, direct: Direct, expected: &[Aside]) {
        let statement = Statement::call("select 1".into());
        let mut statements = Statements::default();
        for (turn, expected) in expected.iter().enumerate() {
            match statements.plan(&statement, prepared, direct) {
                Plan::Unnamed(aside) => {
                    assert_eq!(aside, *expected, "{prepared:?} {direct:?} turn {turn}")
                }
                Plan::Prepared(_) => panic!("nothing was prepared"),
            }
        }
    }

    #[test]
    fn the_second_use_is_worth_preparing() {
        check(
            Prepared::Off,
            Direct::Yes,
            &[Aside::Nothing, Aside::Nothing],
        );
        check(
            Prepared::Auto,
            Direct::No,
            &[Aside::Nothing, Aside::Nothing],
        );
        check(
            Prepared::Auto,
            Direct::Unknown,
            &[Aside::Nothing, Aside::AskProcess],
        );
        check(
            Prepared::Auto,
            Direct::Yes,
            &[Aside::Nothing, Aside::Prepare],
        );
        check(Prepared::On, Direct::No, &[Aside::Nothing, Aside::Prepare]);
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let mut statements = Statements::default();
        let first = Statement::call("first".into());
        let second = Statement::call("second".into());
        statements.plan(&first, Prepared::On, Direct::Yes);
        statements.plan(&second, Prepared::On, Direct::Yes);
        statements.plan(&first, Prepared::On, Direct::Yes);
        for _ in 0..REMEMBERED - 1 {
            statements.plan(&Statement::call("other".into()), Prepared::On, Direct::Yes);
        }
        assert_eq!(statements.entries.len(), REMEMBERED);
        assert!(statements.entries.contains_key(&first.id));
        assert!(!statements.entries.contains_key(&second.id));
    }
}
