//! Statements, and the formats of their results.

use std::cell::Cell;
use std::rc::Rc;

use crate::encoding::Encoding;
use crate::protocol::columns::{ColumnDescription, Format, ResultFormats};
use crate::protocol::text_style::TextRequirements;
use crate::protocol::typed_columns::TypedColumns;
use crate::sql_text::SqlText;

thread_local! {
    static NEXT_ID: Cell<u64> = const { Cell::new(0) };
}

/// A statement to run on servers. Make it once and keep it: connections remember it by its number.
#[derive(Debug)]
pub struct Statement {
    id: u64,
    sql: SqlText,
    formats: ResultFormats,
    needs: TextRequirements,
    has_constants: bool,
    /// Boxed, as sessions keep thousands of statements.
    more: Option<Box<More>>,
}

/// Properties that few statements have.
#[derive(Debug, Default)]
struct More {
    /// The types of the first parameters.
    types: Box<[u32]>,
    /// The statement to run where the server has no such procedure.
    otherwise: Option<Rc<Statement>>,
    /// The columns that are asked for in binary if they have the right types.
    typed: Option<Rc<TypedColumns>>,
}

impl Statement {
    /// A statement whose result columns all have built-in types, so that the server is asked for binary values.
    pub fn call(sql: String) -> Rc<Statement> {
        Statement::new(sql.into(), Format::Binary, TextRequirements::default())
    }

    /// A statement with result columns of any type, which are asked for as text.
    pub fn select(sql: String) -> Rc<Statement> {
        Statement::new(sql.into(), Format::Text, TextRequirements::default())
    }

    /// A statement with results in these formats, and what columns that come as text require of the session.
    pub fn new(
        sql: SqlText,
        formats: impl Into<ResultFormats>,
        needs: TextRequirements,
    ) -> Rc<Statement> {
        let id = NEXT_ID.with(|next| next.replace(next.get() + 1));
        Rc::new(Statement {
            id,
            has_constants: sql.may_have_constants(),
            sql,
            formats: formats.into(),
            needs,
            more: None,
        })
    }

    /// A CALL, and the statement to run where the server has no such procedure, with the same parameters and columns.
    pub fn procedure(
        sql: SqlText,
        needs: TextRequirements,
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

    /// Another text with the same kind of results, whose parameters have these types, by their OIDs on the server; 0: the server
    /// infers the type.
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
        needs: TextRequirements,
        more: More,
    ) -> Rc<Statement> {
        let id = NEXT_ID.with(|next| next.replace(next.get() + 1));
        Rc::new(Statement {
            id,
            has_constants: sql.may_have_constants(),
            sql,
            formats,
            needs,
            more: Some(Box::new(more)),
        })
    }

    /// A statement with result columns of any type, some of which are asked for in binary.
    pub fn typed(
        sql: SqlText,
        needs: TextRequirements,
        typed: Option<Rc<TypedColumns>>,
    ) -> Rc<Statement> {
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

    /// Whether the server has to describe the columns first.
    pub(crate) fn is_typed(&self) -> bool {
        self.typed_columns().is_some()
    }

    /// The formats in which to ask for these columns, and what they require of the session then.
    pub(crate) fn asks_for(
        &self,
        columns: &[ColumnDescription],
        encoding: Encoding,
    ) -> (ResultFormats, TextRequirements) {
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

    /// Whether it is to be parsed whenever it is run.
    pub(crate) fn has_constants(&self) -> bool {
        self.has_constants
    }

    /// The text, with placeholders for parameters. The server infers from it, as by casts, the types of parameters that were not
    /// given.
    pub fn sql(&self) -> &SqlText {
        &self.sql
    }

    /// Whether it is the statement of that text, formats and requirements.
    pub fn is(
        &self,
        sql: &SqlText,
        formats: &ResultFormats,
        needs: TextRequirements,
        typed: Option<&Rc<TypedColumns>>,
    ) -> bool {
        let is_plain = |more: &More| more.types.is_empty() && more.otherwise.is_none();
        self.more.as_deref().is_none_or(is_plain)
            && self.formats == *formats
            && self.needs == needs
            && self.typed_columns() == typed
            && self.sql == *sql
    }

    /// The types of the first parameters; the server infers the others.
    pub(crate) fn types(&self) -> &[u32] {
        self.more.as_ref().map_or(&[], |more| &more.types)
    }

    /// The statement to run where the server has no such procedure.
    pub(crate) fn otherwise(&self) -> Option<&Rc<Statement>> {
        self.more.as_ref()?.otherwise.as_ref()
    }

    /// What the results require of the session.
    pub(crate) fn needs(&self) -> TextRequirements {
        self.needs
    }

    /// The formats of the results.
    pub(crate) fn formats(&self) -> &ResultFormats {
        &self.formats
    }
}
