//! Wire rows → local values.
#![forbid(unsafe_code)]

use crate::error::{Error, FunctionLabel};
use crate::pg::io::Decoder;
use crate::pg::tuple::{Row, check_domain};
use crate::shape::{Shape, ShapeResult};
use core::cell::RefCell;
use pgrx::pg_sys::Datum;
use plproxy_core::result_map;
use plproxy_remote::{self as remote, Batch, ColumnDescription, Format};
use std::rc::Rc;

/// How the columns of a request's rows become local values.
pub(crate) struct RowReader {
    /// For each local column the place of the remote one.
    columns: Vec<usize>,
    /// Whether those are all, in their order.
    in_order: bool,
    format: Format,
}

/// The reader that was worked out last, and the columns that it is for: all partitions have the same as a rule, in one call
/// as in the next.
#[derive(Default)]
pub(crate) struct LastReader(RefCell<Option<(Rc<[ColumnDescription]>, Rc<RowReader>)>>);

impl RowReader {
    /// How the rows of a request are read, by its first ones.
    pub(crate) fn find(
        shape: &Shape,
        batch: &Batch,
        label: &FunctionLabel,
    ) -> Result<Rc<Self>, Error> {
        let columns = batch.columns();
        if let Some((known, reader)) = &*shape.last_reader.0.borrow()
            && (Rc::ptr_eq(known, columns) || known == columns)
            && reader.format == batch.format()
        {
            return Ok(Rc::clone(reader));
        }
        let reader = Rc::new(Self::new(shape, batch, label)?);
        let last = (Rc::clone(columns), Rc::clone(&reader));
        shape.last_reader.0.replace(Some(last));
        Ok(reader)
    }

    fn new(shape: &Shape, batch: &Batch, label: &FunctionLabel) -> Result<Self, Error> {
        let columns = Self::map(shape, batch.columns()).map_err(|what| label.error(what))?;
        let in_order = columns.len() == batch.columns().len()
            && columns.iter().enumerate().all(|(at, column)| at == *column);
        Ok(Self {
            columns,
            in_order,
            format: batch.format(),
        })
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
                let local: Vec<&str> = row_type
                    .columns
                    .iter()
                    .map(|column| column.name.as_str())
                    .collect();
                result_map::map(&local, &remote).map_err(|error| error.to_string())
            }
            (ShapeResult::Row(..), None) => Ok(Vec::new()),
        }
    }

    fn value(&self, decoder: &Decoder, bytes: Option<&[u8]>) -> Result<Option<Datum>, Error> {
        match self.format {
            Format::Binary => decoder.read_binary(bytes),
            Format::Text => decoder.read_text(bytes),
        }
    }

    /// Reads a row into `into`; values are allocated in the current memory context.
    pub(crate) fn read(
        &self,
        shape: &Shape,
        row: remote::Row<'_>,
        into: &mut Row,
    ) -> Result<(), Error> {
        match &shape.result {
            ShapeResult::Void => into.set(0, Some(Datum::from(0))),
            ShapeResult::Scalar(decoder) => {
                if let Some(column) = self.columns.first() {
                    into.set(0, self.value(decoder, row.get(*column))?);
                }
            }
            ShapeResult::Row(decoders, domain) => {
                let Some(row_type) = &shape.row_type else {
                    return Ok(());
                };
                let locals = decoders.iter().zip(&row_type.columns);
                if self.in_order {
                    for ((decoder, local), bytes) in locals.zip(row.values()) {
                        into.set(local.index, self.value(decoder, bytes)?);
                    }
                } else {
                    for ((decoder, local), column) in locals.zip(&self.columns) {
                        into.set(local.index, self.value(decoder, row.get(*column))?);
                    }
                }
                if let Some(domain) = domain {
                    check_domain(row_type.form(into)?, *domain)?;
                }
            }
        }
        Ok(())
    }

    /// The value of a call that returns one row; allocated in the current memory context.
    pub(crate) fn read_single(
        &self,
        shape: &Shape,
        row: remote::Row<'_>,
    ) -> Result<Option<Datum>, Error> {
        let Some(row_type) = shape.row_type.as_ref().map(Rc::clone) else {
            return Ok(None);
        };
        match (&shape.result, self.columns.first()) {
            (ShapeResult::Scalar(decoder), Some(column)) => self.value(decoder, row.get(*column)),
            (ShapeResult::Row(..), _) => {
                let mut values = row_type.row();
                self.read(shape, row, &mut values)?;
                row_type.form(&values).map(Some)
            }
            (ShapeResult::Void | ShapeResult::Scalar(_), _) => Ok(Some(Datum::from(0))),
        }
    }

    /// The same, with the batch that the row is the only one of. Of a large value no more than a piece is in memory twice.
    pub(crate) fn take_single(&self, shape: &Shape, batch: Batch) -> Result<Option<Datum>, Error> {
        let batch = match (&shape.result, self.format) {
            (ShapeResult::Scalar(decoder), Format::Binary) => match batch.into_large_value() {
                Ok(value) => return decoder.take_binary(value).map(Some),
                Err(batch) => batch,
            },
            _ => batch,
        };
        match batch.row(0) {
            Some(row) => self.read_single(shape, row),
            None => Ok(None),
        }
    }
}
