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
    results: Results,
}

/// In what form a statement's results may come.
#[derive(Debug)]
enum Results {
    Binary,
    /// As text, until the server has described columns whose binary form says as much.
    Either,
    Text,
}

impl Statement {
    /// A statement whose result columns all have built-in types, so that the server can be asked for binary values at
    /// once.
    pub fn call(sql: String) -> Rc<Statement> {
        Statement::new(sql, Results::Binary)
    }

    /// A statement with result columns of any type.
    pub fn select(sql: String) -> Rc<Statement> {
        Statement::new(sql, Results::Either)
    }

    /// A statement with result columns of any type whose values always come as text.
    pub fn select_text(sql: String) -> Rc<Statement> {
        Statement::new(sql, Results::Text)
    }

    fn new(sql: String, results: Results) -> Rc<Statement> {
        let id = NEXT_ID.with(|next| next.replace(next.get() + 1));
        Rc::new(Statement { id, sql, results })
    }

    /// The text, with placeholders for parameters; the server is to learn their types from it, as by casts.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The form of the results as long as nothing is known of them.
    pub(crate) fn format(&self) -> Format {
        match self.results {
            Results::Binary => Format::Binary,
            Results::Either | Results::Text => Format::Text,
        }
    }

    /// The form of results with these columns.
    fn format_of(&self, columns: &[ColumnDescription]) -> Format {
        let exact = || {
            columns
                .iter()
                .all(|column| is_exact_in_binary(column.type_oid))
        };
        match self.results {
            Results::Either if exact() => Format::Binary,
            _ => self.format(),
        }
    }
}

/// A statement that a connection has prepared.
#[derive(Clone)]
pub(crate) struct PreparedStatement {
    pub(crate) statement: tokio_postgres::Statement,
    /// `None` if it gives no rows.
    pub(crate) columns: Option<Rc<[ColumnDescription]>>,
    pub(crate) format: Format,
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
                format: statement.format_of(columns.as_deref().unwrap_or_default()),
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

/// Built-in types whose binary form says as much as their text. Not among them: those that hold ids of the server's
/// catalogs (`regclass`, `oid` aliases, `aclitem`, `record`), that have no binary form, or one that depends on settings
/// (`money`).
fn is_exact_in_binary(oid: u32) -> bool {
    matches!(
        oid,
        // bool, bytea, char, name, int8, int2, int4, text, oid, json and their arrays
        16 | 17 | 18 | 19 | 20 | 21 | 23 | 25 | 26 | 114 | 199 | 1000..=1003 | 1005 | 1007 | 1009 | 1014..=1016 | 1028
        // point, lseg, path, box, polygon, line, circle and their arrays
        | 600..=604 | 628 | 629 | 718 | 719 | 1017..=1020 | 1027
        // float4, float8, macaddr, macaddr8, inet, cidr and their arrays
        | 700 | 701 | 1021 | 1022 | 774 | 775 | 829 | 869 | 650 | 651 | 1040 | 1041
        // bpchar, varchar, date, time, timestamp, timestamptz, interval, timetz, bit, varbit, numeric and arrays
        | 1042 | 1043 | 1082 | 1083 | 1114 | 1115 | 1182..=1187 | 1231 | 1266 | 1270 | 1560..=1563 | 1700
        // uuid, jsonb and their arrays
        | 2950 | 2951 | 3802 | 3807
    )
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

    #[test]
    fn binary_only_where_it_says_as_much() {
        let (int4, text, enumeration) = (23, 25, 16_384);
        let check = |statement: Rc<Statement>, types: &[u32], expected: [Format; 2]| {
            let columns: Vec<_> = types
                .iter()
                .map(|type_oid| ColumnDescription {
                    name: Box::default(),
                    type_oid: *type_oid,
                })
                .collect();
            let formats = [statement.format(), statement.format_of(&columns)];
            assert_eq!(formats, expected, "{statement:?} {types:?}");
        };
        let (binary, as_text) = (Format::Binary, Format::Text);
        check(Statement::call(String::new()), &[int4], [binary; 2]);
        check(
            Statement::select(String::new()),
            &[int4, text],
            [as_text, binary],
        );
        check(
            Statement::select(String::new()),
            &[int4, enumeration],
            [as_text; 2],
        );
        check(Statement::select_text(String::new()), &[int4], [as_text; 2]);
    }

    #[test]
    fn types_with_an_exact_binary_form() {
        for (oid, expected) in [
            (23, true),
            (25, true),
            (1007, true),
            (1184, true),
            (1231, true),
            (2205, false),
            (790, false),
            (2249, false),
            (16384, false),
        ] {
            assert_eq!(is_exact_in_binary(oid), expected, "{oid}");
        }
    }
}
