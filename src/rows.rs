//! Wire rows → local values.
#![forbid(unsafe_code)]

use crate::error::{Error, FunctionLabel};
use crate::pg::io::{Decoder, Transcoder};
use crate::pg::tuple::{Row, check_domain};
use crate::pg::types::{BinaryClass, binary_class};
use crate::shape::{Shape, ShapeResult};
use pgrx::pg_sys::{Datum, Oid};
use plproxy_core::result_map;
use plproxy_remote::{self as remote, ColumnDescription, Format};
use std::rc::Rc;

/// How the columns of one request's rows become local values; worked out at its first row.
pub(crate) struct RowReader {
    columns: Vec<ColumnReader>,
}

struct ColumnReader {
    /// The remote column's place.
    remote: usize,
    form: Form,
}

/// In what form a column arrives.
enum Form {
    Text,
    /// The local type's own binary form, or what stands for it (see [`Decoder::read_binary`]).
    Own,
    /// The binary form of another built-in type.
    Foreign(Transcoder),
}

impl RowReader {
    /// Looks at the columns of a request's first rows.
    pub(crate) fn new(
        shape: &Shape,
        columns: &[ColumnDescription],
        format: Format,
        label: &FunctionLabel,
    ) -> Result<Self, Error> {
        let map = Self::map(shape, columns).map_err(|what| label.error(what))?;
        let columns = map
            .into_iter()
            .zip(shape.decoders())
            .map(|(remote, decoder)| {
                let remote_type = columns.get(remote).map_or(Oid::INVALID, |column| Oid::from(column.type_oid));
                let form = match format {
                    Format::Text => Form::Text,
                    Format::Binary if !shape.by_name => Form::Own,
                    Format::Binary => Self::form(decoder, remote_type)?,
                };
                Ok(ColumnReader { remote, form })
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self { columns })
    }

    /// For each local column the place of the remote one.
    fn map(shape: &Shape, columns: &[ColumnDescription]) -> Result<Vec<usize>, String> {
        let remote: Vec<&[u8]> = columns.iter().map(|column| &*column.name).collect();
        match (&shape.result, &shape.row_type) {
            (ShapeResult::Void | ShapeResult::Scalar(_), _) => {
                result_map::single(remote.len()).map_err(|error| error.to_string())?;
                Ok(vec![0])
            }
            (ShapeResult::Row(..), Some(row_type)) => {
                let local: Vec<&str> = row_type.columns.iter().map(|column| column.name.as_str()).collect();
                result_map::map(&local, &remote).map_err(|error| error.to_string())
            }
            (ShapeResult::Row(..), None) => Ok(Vec::new()),
        }
    }

    /// The form of a column of the user's own statement, in binary.
    fn form(decoder: &Decoder, remote_type: Oid) -> Result<Form, Error> {
        if binary_class(remote_type) == BinaryClass::SameAsText {
            return Ok(Form::Text);
        }
        if decoder.reads_binary_of(remote_type) {
            return Ok(Form::Own);
        }
        Ok(Form::Foreign(Transcoder::new(remote_type)?))
    }

    fn value(column: &ColumnReader, decoder: &Decoder, row: &remote::Row<'_>) -> Result<Option<Datum>, Error> {
        let bytes = row.get(column.remote);
        match (&column.form, bytes) {
            (Form::Own, bytes) => decoder.read_binary(bytes),
            (Form::Text, bytes) | (Form::Foreign(_), bytes @ None) => decoder.read_text(bytes),
            (Form::Foreign(transcoder), Some(bytes)) => decoder.read_text(Some(&transcoder.to_text(bytes)?)),
        }
    }

    /// Reads a row into `into`; values are allocated in the current memory context.
    pub(crate) fn read(&self, shape: &Shape, row: &remote::Row<'_>, into: &mut Row) -> Result<(), Error> {
        match &shape.result {
            ShapeResult::Void => into.set(0, Some(Datum::from(0))),
            ShapeResult::Scalar(decoder) => {
                if let Some(column) = self.columns.first() {
                    into.set(0, Self::value(column, decoder, row)?);
                }
            }
            ShapeResult::Row(decoders, domain) => {
                let Some(row_type) = &shape.row_type else { return Ok(()) };
                for ((column, decoder), local) in self.columns.iter().zip(decoders).zip(&row_type.columns) {
                    into.set(local.index, Self::value(column, decoder, row)?);
                }
                if let Some(domain) = domain {
                    check_domain(row_type.form(into)?, *domain)?;
                }
            }
        }
        Ok(())
    }

    /// The value of a call that returns one row; allocated in the current memory context.
    pub(crate) fn read_single(&self, shape: &Shape, row: &remote::Row<'_>) -> Result<Option<Datum>, Error> {
        let Some(row_type) = shape.row_type.as_ref().map(Rc::clone) else { return Ok(None) };
        match (&shape.result, self.columns.first()) {
            (ShapeResult::Scalar(decoder), Some(column)) => Self::value(column, decoder, row),
            (ShapeResult::Row(..), _) => {
                let mut values = row_type.row();
                self.read(shape, row, &mut values)?;
                row_type.form(&values).map(Some)
            }
            (ShapeResult::Void | ShapeResult::Scalar(_), _) => Ok(Some(Datum::from(0))),
        }
    }
}
