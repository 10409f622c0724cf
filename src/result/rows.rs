//! Wire rows → local values.
#![forbid(unsafe_code)]

use crate::error::{Error, FunctionLabel};
use crate::function::codec::{Shape, ShapeResult};
use crate::pg::decode::Decoder;
use crate::pg::encoding;
use crate::pg::tuple::{Row, check_domain};
use core::cell::RefCell;
use pgrx::pg_sys::Datum;
use plproxy_core::result_map::{self, MapError};
use plproxy_remote::{self as remote, Batch, ColumnDescription, Encoding, Format, ResultFormats};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::rc::Rc;

/// How the columns of a request's rows become local values.
pub(crate) struct RowReader {
    /// For each local column the place of the remote one.
    columns: SmallVec<[usize; 2]>,
    /// Whether those are all, in their order.
    in_order: bool,
    /// For each local column the form in which its values come.
    formats: SmallVec<[Format; 8]>,
    /// The same as they came, for each remote column.
    asked: ResultFormats,
    /// That of all text.
    encoding: Encoding,
}

/// How the rows of a shape were read last: all partitions have the same columns as a rule, in one call as in the next.
struct Known {
    shape: u64,
    columns: Rc<[ColumnDescription]>,
    reader: Rc<RowReader>,
}

/// Of so many shapes it is remembered.
const REMEMBERED: usize = 64;

thread_local! {
    /// By the shape's number; two with the same remainder have one place.
    static KNOWN: RefCell<[Option<Known>; REMEMBERED]> =
        const { RefCell::new([const { None }; REMEMBERED]) };
}

impl RowReader {
    /// How the rows of a request are read, by its first ones.
    pub(crate) fn find(
        shape: &Shape,
        batch: &Batch,
        label: &FunctionLabel,
    ) -> Result<Rc<Self>, Error> {
        let (columns, number) = (batch.columns(), shape.number);
        KNOWN.with_borrow_mut(|known| {
            let Some(known) = known.get_mut(number as usize % REMEMBERED) else {
                return Self::new(shape, batch, label).map(Rc::new);
            };
            if let Some(last) = known
                && last.shape == number
                && last.reader.encoding == batch.encoding()
                && last.reader.asked == *batch.formats()
                && (Rc::ptr_eq(&last.columns, columns) || last.columns == *columns)
            {
                return Ok(Rc::clone(&last.reader));
            }
            let reader = Rc::new(Self::new(shape, batch, label)?);
            *known = Some(Known {
                shape: number,
                columns: Rc::clone(columns),
                reader: Rc::clone(&reader),
            });
            Ok(reader)
        })
    }

    fn new(shape: &Shape, batch: &Batch, label: &FunctionLabel) -> Result<Self, Error> {
        let names = batch.columns().iter();
        let names = names
            .map(|column| encoding::name(&column.name, batch.encoding()))
            .collect::<Result<Vec<_>, Error>>()?;
        let columns = Self::map(shape, &names)
            .map_err(|(what, detail)| label.error(what).with_detail(detail))?;
        let in_order = columns.len() == batch.columns().len()
            && columns.iter().enumerate().all(|(at, column)| at == *column);
        let formats = columns.iter().map(|at| batch.formats().of(*at)).collect();
        Ok(Self {
            columns,
            in_order,
            formats,
            asked: batch.formats().clone(),
            encoding: batch.encoding(),
        })
    }

    /// For each local column the place of the remote one; or what is wrong, and the detail of it.
    fn map(
        shape: &Shape,
        remote: &[Cow<'_, [u8]>],
    ) -> Result<SmallVec<[usize; 2]>, (MapError, String)> {
        match (&shape.result, &shape.row_type) {
            (ShapeResult::Void | ShapeResult::Scalar(_), _) => {
                result_map::single(remote.len())
                    .map_err(|error| (error, result_map::describe::<&str, _>(None, remote)))?;
                Ok(SmallVec::from_slice(&[0]))
            }
            (ShapeResult::Row(..), Some(row_type)) => {
                let local: Vec<&str> = row_type
                    .columns
                    .iter()
                    .map(|column| column.name.as_str())
                    .collect();
                match result_map::map(&local, remote) {
                    Ok(map) => Ok(map.into()),
                    Err(MapError::Missing(_)) if shape.by_place => Ok((0..local.len()).collect()),
                    Err(error) => Err((error, result_map::describe(Some(&local), remote))),
                }
            }
            (ShapeResult::Row(..), None) => Ok(SmallVec::new()),
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
                if let Some((column, format)) = self.only() {
                    into.set(0, self.value(decoder, format, row.get(column))?);
                }
            }
            ShapeResult::Row(decoders, domain) => {
                let Some(row_type) = &shape.row_type else {
                    return Ok(());
                };
                let locals = decoders.iter().zip(&row_type.columns).zip(&self.formats);
                if self.in_order {
                    for (((decoder, local), format), bytes) in locals.zip(row.values()) {
                        into.set(local.index, self.value(decoder, *format, bytes)?);
                    }
                } else {
                    for (((decoder, local), format), bytes) in locals.zip(row.pick(&self.columns)) {
                        into.set(local.index, self.value(decoder, *format, bytes)?);
                    }
                }
                if let Some(domain) = domain {
                    check_domain(row_type.form(into)?, *domain)?;
                }
            }
        }
        Ok(())
    }

    /// The column of a result that has one.
    fn only(&self) -> Option<(usize, Format)> {
        Some((*self.columns.first()?, *self.formats.first()?))
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
        match (&shape.result, self.only()) {
            (ShapeResult::Scalar(decoder), Some((column, format))) => {
                self.value(decoder, format, row.get(column))
            }
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
        let batch = match (&shape.result, self.only()) {
            (ShapeResult::Scalar(decoder), Some((_, Format::Binary))) => {
                match batch.into_large_value() {
                    Ok(value) => return decoder.take_binary(value, self.encoding).map(Some),
                    Err(batch) => batch,
                }
            }
            _ => batch,
        };
        match batch.row(0) {
            Some(row) => self.read_single(shape, row),
            None => Ok(None),
        }
    }

    /// A value off the wire.
    fn value(
        &self,
        decoder: &Decoder,
        format: Format,
        bytes: Option<&[u8]>,
    ) -> Result<Option<Datum>, Error> {
        match format {
            Format::Binary => decoder.read_binary(bytes, self.encoding),
            Format::Text => decoder.read_text(bytes, self.encoding),
        }
    }
}
