//! Statements: what is to be run, and in which forms its results are to come.

use std::cell::Cell;
use std::rc::Rc;

use crate::encoding::Encoding;
use crate::protocol::columns::{ColumnDescription, Format, ResultFormats};
use crate::protocol::text_style::TextNeeds;
use crate::protocol::typed_columns::TypedColumns;
use crate::sql_text::SqlText;

thread_local! {
    static NEXT_ID: Cell<u64> = const { Cell::new(0) };
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
