//! How a call's values cross the wire: the remote statement, an encoder per parameter, a decoder per column.
#![forbid(unsafe_code)]

use super::signature::{Dependencies, ProxyArg, ResultType};
use super::text_requirements::Needs;
use crate::error::{Error, FunctionLabel};
use crate::pg::decode::Decoder;
use crate::pg::encoding;
use crate::pg::inval::Changes;
use crate::pg::io::Encoder;
use crate::pg::tuple::RowType;
use crate::type_cache;
use core::cell::{Cell, RefCell};
use pgrx::pg_sys::Oid;
use plproxy_core::function::{Column, Query, RemoteQuery};
use plproxy_core::types::{BinaryForm, BuiltInType};
use plproxy_remote::{
    Format, ResultFormats, SqlText, Statement, TextRequirements, TypedColumn, TypedColumns,
};
use std::collections::VecDeque;
use std::rc::Rc;

/// Statements of shapes that are gone are remembered, as many as a connection remembers at the most.
const MOST_STATEMENTS: usize = 256;

thread_local! {
    static NEXT_NUMBER: Cell<u64> = const { Cell::new(0) };
    static STATEMENTS: RefCell<VecDeque<Rc<Statement>>> = const { RefCell::new(VecDeque::new()) };
}

/// The statement of that text: the one of a shape that is gone, if there was one. Connections that have prepared it go on
/// with that, where something has changed that the statement does not show.
fn known_statement(
    sql: SqlText,
    formats: ResultFormats,
    needs: TextRequirements,
    typed: Option<Rc<TypedColumns>>,
) -> Rc<Statement> {
    STATEMENTS.with_borrow_mut(|statements| {
        let known = statements
            .iter()
            .position(|known| known.is(&sql, &formats, needs, typed.as_ref()))
            .and_then(|place| statements.remove(place));
        known.unwrap_or_else(|| match typed {
            None => Statement::new(sql, formats, needs),
            typed => Statement::typed(sql, needs, typed),
        })
    })
}

/// See the module.
pub(crate) struct Shape {
    /// Which no other shape of the process has or will have. Of the same statement there may be several, one after the other.
    pub(crate) number: u64,
    /// Of an EXECUTE without its text.
    pub(crate) statement: Rc<Statement>,
    /// One for each parameter of the statement.
    pub(crate) params: Vec<ShapeParam>,
    /// Some parameter goes through its type's output function.
    pub(crate) writes_text: bool,
    /// Names of objects are in such a text.
    pub(crate) writes_names: bool,
    pub(crate) result: ShapeResult,
    /// The row type of the result; of a set of scalars too, for the tuplestore.
    pub(crate) row_type: Option<Rc<RowType>>,
    /// Columns whose names do not agree may be found by their places: PostgreSQL itself reads a caller's column list so.
    pub(crate) by_place: bool,
    /// The types of the call's own columns. Where columns come as text, what these are made of has a say in how the statement
    /// runs.
    depends_on: Option<Box<Dependencies>>,
}

/// A parameter of the remote statement.
pub(crate) struct ShapeParam {
    /// The argument behind it.
    pub(crate) argument: usize,
    pub(crate) encoder: Rc<Encoder>,
}

/// How columns become the result.
pub(crate) enum ShapeResult {
    /// Whatever came, one empty value.
    Void,
    Scalar(Rc<Decoder>),
    /// Decoders in the order of the row's columns, and the domain over the row type.
    Row(Vec<Rc<Decoder>>, Option<Oid>),
}

impl Shape {
    /// `columns`: the call's own column list, for a function returning `record`.
    pub(crate) fn new(
        query: &Query,
        columns: Option<&[Column]>,
        args: &[ProxyArg],
        result: &ResultType,
        text_only: bool,
    ) -> Result<Self, Error> {
        let (sql, arguments) = match query {
            Query::Call(template) => parts(template.remote_query(columns)),
            Query::Select(template) => parts(template.remote_query()),
            // The text comes with each call.
            Query::Execute(template) => (String::new(), template.args.clone()),
        };
        let params = arguments
            .iter()
            .filter_map(|&argument| args.get(argument).map(|arg| (argument, arg)))
            .map(|(argument, arg)| {
                let encoder = type_cache::encoder(&arg.type_info, text_only)?;
                Ok(ShapeParam { argument, encoder })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let (result, row_type) = Self::result(result, text_only)?;
        let formats = if query.casts_results() {
            result.formats()
        } else {
            Format::Text.into()
        };
        let needs = result.needs(row_type.as_deref(), &formats)?;
        let by_place = columns.is_some() && matches!(query, Query::Execute(_));
        let typed = if query.casts_results() {
            None
        } else {
            result.typed(row_type.as_deref(), by_place)?
        };
        let sql = encoding::sql(&sql)?;
        let mut written = Needs::default();
        for param in params.iter().filter(|param| param.encoder.writes_text()) {
            if let Some(arg) = args.get(param.argument) {
                written.add(arg.type_info.oid)?;
            }
        }
        let mut depends_on = Dependencies::default();
        // Those that are the function's own are its dependencies.
        let own = |oid| {
            let mut columns = row_type.iter().flat_map(|row_type| &row_type.columns);
            columns.any(|column| column.type_oid == oid)
                || args.iter().any(|arg| arg.type_info.oid == oid)
        };
        let inner = needs.types.iter().chain(&written.types);
        let inner = inner.filter(|info| !own(info.oid));
        inner.for_each(|info| depends_on.add_type(info));
        if columns.is_some() {
            for column in row_type.iter().flat_map(|row_type| &row_type.columns) {
                depends_on.add_type(&type_cache::type_info(column.type_oid)?);
            }
        }
        depends_on.rows = needs.tables;
        depends_on.rows.append(&mut written.tables);
        depends_on.shrink();
        let depends_on = (!depends_on.is_empty()).then(|| Box::new(depends_on));
        Ok(Self {
            number: NEXT_NUMBER.replace(NEXT_NUMBER.get() + 1),
            writes_text: params.iter().any(|param| param.encoder.writes_text()),
            writes_names: written.names,
            statement: match query {
                Query::Call(call) if call.is_procedure() => {
                    let of_function = encoding::sql(&call.of_function(None).sql)?;
                    Statement::procedure(sql, needs.text, typed, of_function)
                }
                _ => known_statement(sql, formats, needs.text, typed),
            },
            params,
            result,
            row_type,
            by_place,
            depends_on,
        })
    }

    /// Whether a change of the catalogs has made it stale.
    pub(crate) fn touched_by(&self, changes: &Changes) -> bool {
        let depends_on = self.depends_on.as_ref();
        depends_on.is_some_and(|depends_on| depends_on.touched_by(changes))
    }

    /// The row type of a set.
    pub(crate) fn set_row_type(&self, label: &FunctionLabel) -> Result<&Rc<RowType>, Error> {
        let row_type = self.row_type.as_ref();
        row_type.ok_or_else(|| label.error("unsupported type"))
    }

    fn result(
        result: &ResultType,
        text_only: bool,
    ) -> Result<(ShapeResult, Option<Rc<RowType>>), Error> {
        Ok(match result {
            ResultType::Void => (
                ShapeResult::Void,
                Some(type_cache::scalar_row(pgrx::pg_sys::VOIDOID)?),
            ),
            ResultType::Scalar(info) => (
                ShapeResult::Scalar(type_cache::decoder(info, text_only)?),
                Some(type_cache::scalar_row(info.oid)?),
            ),
            ResultType::Row(row_type, domain) => {
                let decoders = row_type
                    .columns
                    .iter()
                    .map(|column| {
                        type_cache::decoder(&*type_cache::type_info(column.type_oid)?, text_only)
                    })
                    .collect::<Result<Vec<_>, Error>>()?;
                (
                    ShapeResult::Row(decoders, *domain),
                    Some(Rc::clone(row_type)),
                )
            }
            ResultType::Record => (ShapeResult::Row(Vec::new(), None), None),
        })
    }
}

impl Drop for Shape {
    fn drop(&mut self) {
        // At the process's end they may be gone first.
        let _gone = STATEMENTS.try_with(|statements| {
            let mut statements = statements.borrow_mut();
            if statements.len() >= MOST_STATEMENTS {
                statements.pop_front();
            }
            statements.push_back(Rc::clone(&self.statement));
        });
    }
}

/// A query's text, and the arguments behind its parameters.
fn parts(query: RemoteQuery) -> (String, Vec<usize>) {
    (query.sql, query.args)
}

impl ShapeResult {
    fn decoders(&self) -> &[Rc<Decoder>] {
        match self {
            Self::Void => &[],
            Self::Scalar(decoder) => core::slice::from_ref(decoder),
            Self::Row(decoders, _) => decoders,
        }
    }

    /// In which form each column of a generated call is asked for: its type is the local one.
    fn formats(&self) -> ResultFormats {
        ResultFormats::of_columns(self.decoders().iter().map(|decoder| decoder.format()))
    }

    /// The columns of a result whose types only the partition knows; none if no text of theirs depends on the style of the
    /// server that writes it. Those that can are to come in binary.
    fn typed(
        &self,
        row_type: Option<&RowType>,
        by_place: bool,
    ) -> Result<Option<Rc<TypedColumns>>, Error> {
        let columns = row_type.map_or(&[][..], |row_type| &row_type.columns);
        let mut typed = Vec::with_capacity(columns.len());
        let mut rest = Needs::default();
        for (decoder, column) in self.decoders().iter().zip(columns) {
            // Servers give the type that a domain is made of.
            let number = type_cache::base_type(column.type_oid)?.oid.to_u32();
            let depends_on_settings = decoder.reads_binary()
                && BuiltInType::of(number).is_some_and(|built_in| {
                    let text = built_in.text;
                    (text.style || text.digits) && built_in.binary == BinaryForm::Exact
                });
            if !depends_on_settings {
                rest.add(column.type_oid)?;
            }
            typed.push(TypedColumn {
                name: match self {
                    Self::Row(..) => Some(encoding::sql(&column.name)?),
                    Self::Void | Self::Scalar(_) => None,
                },
                type_oid: depends_on_settings.then_some(number),
            });
        }
        let is_typed = typed.iter().any(|column| column.type_oid.is_some());
        Ok(is_typed.then(|| {
            Rc::new(TypedColumns {
                columns: typed.into(),
                by_place,
                rest: rest.text,
            })
        }))
    }

    /// What the columns that come as text need.
    fn needs(&self, row_type: Option<&RowType>, formats: &ResultFormats) -> Result<Needs, Error> {
        let columns = row_type.map_or(&[][..], |row_type| &row_type.columns);
        let mut needs = Needs::default();
        for (at, (_, column)) in self.decoders().iter().zip(columns).enumerate() {
            if formats.of(at) == Format::Text {
                needs.add(column.type_oid)?;
            }
        }
        Ok(needs)
    }
}
