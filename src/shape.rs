//! How a call's values cross the wire: the remote statement, an encoder per parameter, a decoder per column.
#![forbid(unsafe_code)]

use crate::codecs;
use crate::error::{Error, FunctionLabel};
use crate::function::{ProxyArg, ResultType};
use crate::needs::Needs;
use crate::pg::inval::Changes;
use crate::pg::io::{Decoder, Encoder};
use crate::pg::tuple::RowType;
use pgrx::pg_sys::Oid;
use plproxy_core::function::{Column, Query};
use plproxy_remote::{Format, ResultFormats, Statement};
use std::rc::Rc;

/// See the module.
pub(crate) struct Shape {
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
    /// Composite types inside columns: what they are made of has a say in how the statement runs.
    relations: Vec<Oid>,
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
        let remote = match query {
            Query::Call(template) => template.remote_query(columns),
            Query::Select(template) => template.remote_query(),
        };
        let params = remote
            .args
            .iter()
            .filter_map(|&argument| args.get(argument).map(|arg| (argument, arg)))
            .map(|(argument, arg)| {
                let encoder = codecs::encoder(&arg.type_info, text_only)?;
                Ok(ShapeParam { argument, encoder })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let (result, row_type) = Self::result(result, text_only)?;
        let formats = match query {
            Query::Call(_) => result.formats(),
            // Of what types its columns are only the partition knows.
            Query::Select(_) => Format::Text.into(),
        };
        let mut needs = result.needs(row_type.as_deref(), &formats)?;
        let mut written = Needs::default();
        for param in params.iter().filter(|param| param.encoder.writes_text()) {
            if let Some(arg) = args.get(param.argument) {
                written.add(arg.type_info.oid)?;
            }
        }
        needs.relations.append(&mut written.relations);
        Ok(Self {
            writes_text: params.iter().any(|param| param.encoder.writes_text()),
            writes_names: written.names,
            statement: Statement::new(remote.sql, formats, needs.text),
            params,
            result,
            row_type,
            relations: needs.relations,
        })
    }

    /// Whether a change of the catalogs has made it stale.
    pub(crate) fn touched_by(&self, changes: &Changes) -> bool {
        self.relations
            .iter()
            .any(|relation| changes.relations.contains(relation))
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
                Some(codecs::scalar_row(pgrx::pg_sys::VOIDOID)?),
            ),
            ResultType::Scalar(info) => (
                ShapeResult::Scalar(codecs::decoder(info, text_only)?),
                Some(codecs::scalar_row(info.oid)?),
            ),
            ResultType::Row(row_type, domain) => {
                let decoders = row_type
                    .columns
                    .iter()
                    .map(|column| codecs::decoder(&*codecs::type_info(column.type_oid)?, text_only))
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
