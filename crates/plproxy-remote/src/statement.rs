//! Statements, and what a connection remembers of them.
//!
//! A connection counts how often it ran a statement. From the second time on it is worth preparing, if the connection
//! reaches one real server process; until then, and for ever where it does not, it is sent unnamed.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use plproxy_core::numbered::NumberMap;

use crate::call::Prepared;
use crate::encoding::Encoding;
use crate::rows::{ColumnDescription, Format, ResultFormats};
use crate::sql_text::SqlText;
use crate::typed::TypedColumns;

/// Statements that a connection remembers at most.
const REMEMBERED: usize = 256;

thread_local! {
    static NEXT_ID: Cell<u64> = const { Cell::new(0) };
    static NEXT_NAME: Cell<u64> = const { Cell::new(1) };
}

/// A statement to run on servers; make it once and keep it, as connections know it again by its identity.
#[derive(Debug)]
pub struct Statement {
    id: u64,
    sql: SqlText,
    formats: ResultFormats,
    needs: TextNeeds,
    /// Boxed, as sessions keep thousands of statements.
    more: Option<Box<More>>,
}

/// What few statements have.
#[derive(Debug, Default)]
struct More {
    /// The types of the first parameters.
    types: Box<[u32]>,
    /// What runs where the server finds no such procedure.
    otherwise: Option<Rc<Statement>>,
    /// The columns that are to come in binary if they can.
    typed: Option<Rc<TypedColumns>>,
}

/// What results as text need of the server's settings to be exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextNeeds {
    /// All digits of floating-point numbers.
    pub digits: bool,
    /// Dates as in ISO 8601 and time zones as offsets, from the first row to the last.
    pub zones: bool,
}

impl TextNeeds {
    /// Whatever the results are.
    pub(crate) const ALL: TextNeeds = TextNeeds {
        digits: true,
        zones: true,
    };
}

impl Statement {
    /// A statement whose result columns all have built-in types, so that the server is asked for binary values.
    pub fn call(sql: String) -> Rc<Statement> {
        Statement::new(sql.into(), Format::Binary, TextNeeds::default())
    }

    /// A statement with result columns of any type, whose values come as text.
    pub fn select(sql: String) -> Rc<Statement> {
        Statement::new(sql.into(), Format::Text, TextNeeds::default())
    }

    /// A statement with results of either form, and what those of its columns need that come as text.
    pub fn new(sql: SqlText, formats: impl Into<ResultFormats>, needs: TextNeeds) -> Rc<Statement> {
        let id = NEXT_ID.with(|next| next.replace(next.get() + 1));
        Rc::new(Statement {
            id,
            sql,
            formats: formats.into(),
            needs,
            more: None,
        })
    }

    /// A CALL, and what runs in its place where the server finds no such procedure: parameters and columns are the same.
    pub fn procedure(
        sql: SqlText,
        needs: TextNeeds,
        typed: Option<Rc<TypedColumns>>,
        function: SqlText,
    ) -> Rc<Statement> {
        let otherwise = Statement::typed(function, needs, typed.clone());
        Statement::with_more(
            sql,
            Format::Text.into(),
            needs,
            More {
                otherwise: Some(otherwise),
                typed,
                ..More::default()
            },
        )
    }

    /// Another text with the same kind of results, whose parameters have these types: the ids on the server, 0 for what it is
    /// to find out by itself.
    pub fn with_text(&self, sql: SqlText, types: Box<[u32]>) -> Rc<Statement> {
        let more = More {
            types,
            typed: self.typed_columns().cloned(),
            ..More::default()
        };
        Statement::with_more(sql, self.formats.clone(), self.needs, more)
    }

    fn with_more(
        sql: SqlText,
        formats: ResultFormats,
        needs: TextNeeds,
        more: More,
    ) -> Rc<Statement> {
        let id = NEXT_ID.with(|next| next.replace(next.get() + 1));
        Rc::new(Statement {
            id,
            sql,
            formats,
            needs,
            more: Some(Box::new(more)),
        })
    }

    /// A statement with result columns of any type that come as text, but for some.
    pub fn typed(sql: SqlText, needs: TextNeeds, typed: Option<Rc<TypedColumns>>) -> Rc<Statement> {
        if typed.is_none() {
            return Statement::new(sql, Format::Text, needs);
        }
        let more = More {
            typed,
            ..More::default()
        };
        Statement::with_more(sql, Format::Text.into(), needs, more)
    }

    fn typed_columns(&self) -> Option<&Rc<TypedColumns>> {
        self.more.as_ref()?.typed.as_ref()
    }

    /// Whether a server has to be asked for the types of the columns first.
    pub(crate) fn is_typed(&self) -> bool {
        self.typed_columns().is_some()
    }

    /// The forms in which to ask for these columns, and what they need then.
    pub(crate) fn asks_for(
        &self,
        columns: &[ColumnDescription],
        encoding: Encoding,
    ) -> (ResultFormats, TextNeeds) {
        match self.typed_columns() {
            Some(typed) if typed.all_come(columns, encoding) => {
                (typed.formats(columns, encoding), typed.rest)
            }
            Some(typed) => (typed.formats(columns, encoding), self.needs),
            None => (self.formats.clone(), self.needs),
        }
    }

    /// Its number, which no other statement of the process has or will have.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The text, with placeholders for parameters; the server is to learn from it, as by casts, those of their types that it is
    /// not told.
    pub fn sql(&self) -> &SqlText {
        &self.sql
    }

    /// Whether it is the one of that text, with results of those forms and those needs.
    pub fn is(
        &self,
        sql: &SqlText,
        formats: &ResultFormats,
        needs: TextNeeds,
        typed: Option<&Rc<TypedColumns>>,
    ) -> bool {
        let is_plain = |more: &More| more.types.is_empty() && more.otherwise.is_none();
        self.more.as_deref().is_none_or(is_plain)
            && self.formats == *formats
            && self.needs == needs
            && self.typed_columns() == typed
            && self.sql == *sql
    }

    /// The types of the parameters, as far as the server is told: those behind the last one are for it to find out, too.
    pub(crate) fn types(&self) -> &[u32] {
        self.more.as_ref().map_or(&[], |more| &more.types)
    }

    /// What runs where the server finds no such procedure.
    pub(crate) fn otherwise(&self) -> Option<&Rc<Statement>> {
        self.more.as_ref()?.otherwise.as_ref()
    }

    /// What the results need of the session.
    pub(crate) fn needs(&self) -> TextNeeds {
        self.needs
    }

    /// The forms of the results.
    pub(crate) fn formats(&self) -> &ResultFormats {
        &self.formats
    }
}

/// A statement that a connection has prepared.
#[derive(Clone)]
pub(crate) struct PreparedStatement {
    pub(crate) name: Rc<str>,
    pub(crate) columns: Columns,
}

/// What is known of the columns of a statement's result.
#[derive(Debug, Clone, Default)]
pub(crate) enum Columns {
    #[default]
    Unknown,
    /// It gives no rows.
    None,
    Some(Rc<[ColumnDescription]>),
}

impl Columns {
    pub(crate) fn described(self) -> Option<Rc<[ColumnDescription]>> {
        match self {
            Columns::Some(columns) => Some(columns),
            Columns::None | Columns::Unknown => None,
        }
    }
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
    /// As it was prepared.
    Prepared(PreparedStatement),
    /// It is to be prepared, and run then.
    Prepare,
    /// Without a name.
    Unnamed,
    /// Without a name, and the server is to be asked which process it is.
    UnnamedAndAsk,
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
    entries: NumberMap<u64, Entry>,
    clock: u64,
    prepared: usize,
    /// Names of prepared statements that the server still has and nobody uses.
    forgotten: Vec<Rc<str>>,
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
            return Plan::Unnamed;
        }
        self.clock += 1;
        let clock = self.clock;
        let entry = match self.entries.get_mut(&statement.id) {
            Some(entry) => entry,
            None => {
                if self.entries.len() >= REMEMBERED {
                    self.forget_oldest();
                }
                self.entries.entry(statement.id).or_insert(Entry {
                    uses: 0,
                    state: State::Counting,
                    used: 0,
                })
            }
        };
        entry.used = clock;
        entry.uses = entry.uses.saturating_add(1);
        match &entry.state {
            // It has turned out that others answer here, too.
            State::Prepared(_) if prepared == Prepared::Auto && direct != Direct::Yes => {
                Plan::Unnamed
            }
            State::Prepared(form) => Plan::Prepared(form.clone()),
            State::Never => Plan::Unnamed,
            State::Counting if entry.uses < 2 => Plan::Unnamed,
            State::Counting => match (prepared, direct) {
                (Prepared::On, _) | (_, Direct::Yes) => Plan::Prepare,
                (_, Direct::Unknown) => Plan::UnnamedAndAsk,
                (_, Direct::No) => Plan::Unnamed,
            },
        }
    }

    /// Whether there is a prepared form.
    pub(crate) fn is_prepared(&self, statement: &Statement) -> bool {
        let entry = self.entries.get(&statement.id);
        entry.is_some_and(|entry| matches!(entry.state, State::Prepared(_)))
    }

    /// Remembers the prepared form.
    pub(crate) fn keep(&mut self, statement: &Statement, prepared: PreparedStatement) {
        if let Some(entry) = self.entries.get_mut(&statement.id) {
            if !matches!(entry.state, State::Prepared(_)) {
                self.prepared += 1;
            }
            entry.state = State::Prepared(prepared);
        }
    }

    /// Never tries again to prepare it.
    pub(crate) fn give_up(&mut self, statement: &Statement) {
        if let Some(entry) = self.entries.get_mut(&statement.id) {
            let state = std::mem::replace(&mut entry.state, State::Never);
            self.give_back(state);
        }
    }

    /// Forgets a prepared form that has become useless.
    pub(crate) fn forget(&mut self, statement: &Statement) {
        self.remove(statement.id);
    }

    /// Forgets all prepared forms, which the server drops; what is used again is prepared at once.
    pub(crate) fn forget_prepared(&mut self) {
        self.prepared = 0;
        for entry in self.entries.values_mut() {
            if let State::Prepared(_) = entry.state {
                entry.state = State::Counting;
            }
        }
    }

    /// Names of prepared statements that the server is to drop.
    pub(crate) fn forgotten(&self) -> &[Rc<str>] {
        &self.forgotten
    }

    /// The server is told of them.
    pub(crate) fn forgotten_are_closed(&mut self) {
        self.forgotten.clear();
    }

    /// How many prepared statements there are.
    pub(crate) fn prepared(&self) -> usize {
        self.prepared
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

    /// The server is to drop what it has prepared, if anything.
    fn give_back(&mut self, state: State) {
        if let State::Prepared(prepared) = state {
            self.prepared -= 1;
            self.forgotten.push(prepared.name);
        }
    }
}

/// A name that no other statement has, of this process or another: should one stray to a server process that others use,
/// that one does not know it.
pub(crate) fn new_name() -> Rc<str> {
    thread_local! {
        static PROCESS: u64 = RandomState::new().hash_one(std::process::id());
    }
    let number = NEXT_NAME.with(|next| next.replace(next.get() + 1));
    format!("plproxy_{:x}_{number}", PROCESS.with(|process| *process)).into()
}

#[cfg(test)]
mod tests;
