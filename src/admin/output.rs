//! Rows that are put together here, on their way to the caller.
#![forbid(unsafe_code)]

use crate::error::outdated;
use crate::error::{Error, Report};
use crate::pg::fcinfo::{CallInfo, CallResult, ResultStore};
use crate::pg::tuple::RowType;
use crate::pg::{array, spi};
use pgrx::pg_sys::{Datum, Oid};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// From 1970 to 2000, where PostgreSQL's time begins.
const EPOCH: Duration = Duration::from_secs(946_684_800);

/// The result of a set-returning function.
pub(super) struct Output {
    row_type: RowType,
    store: ResultStore,
}

impl Output {
    pub(super) fn new(info: &CallInfo) -> Result<Self, Error> {
        let CallResult::Row(row_type, _) = info.result_type()? else {
            return Err(Report::internal("function returning rows called in wrong context").into());
        };
        if !info.takes_store() {
            return Err(Report::internal("function returning rows called in wrong context").into());
        }
        let store = info.result_store(&row_type)?;
        Ok(Self { row_type, store })
    }

    /// Adds a row; its values must be of the declared types.
    pub(super) fn row(&mut self, values: impl Into<Vec<Value>>) -> Result<(), Error> {
        let values = values.into();
        if values.len() != self.row_type.width() {
            return Err(outdated());
        }
        let mut row = self.row_type.row();
        for (index, value) in values.into_iter().enumerate() {
            row.set(index, value.datum()?);
        }
        self.store.store.put(&self.row_type, &row)
    }

    pub(super) fn give(self, info: &mut CallInfo) -> Datum {
        self.store.give();
        info.return_null()
    }
}

/// A column's value.
pub(super) enum Value {
    Null,
    Bool(bool),
    Int4(i32),
    Int8(i64),
    Int8s(Vec<i64>),
    Float8(f64),
    Text(String),
    Time(SystemTime),
    Oid(Oid),
}

impl Value {
    /// A number of ours, which all fit.
    pub(super) fn int4(number: impl TryInto<i32>) -> Self {
        Self::Int4(number.try_into().unwrap_or(i32::MAX))
    }

    pub(super) fn text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.into()))
    }

    fn datum(self) -> Result<Option<Datum>, Error> {
        Ok(Some(match self {
            Self::Null => return Ok(None),
            Self::Bool(value) => Datum::from(value),
            Self::Int4(value) => Datum::from(value),
            Self::Int8(value) => Datum::from(value),
            Self::Int8s(values) => array::of_int8(&values)?,
            Self::Float8(value) => Datum::from(value.to_bits() as i64),
            Self::Text(text) => spi::text_datum(&text)?,
            Self::Time(time) => {
                let since = time.duration_since(UNIX_EPOCH + EPOCH).unwrap_or_default();
                Datum::from(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Self::Oid(oid) => Datum::from(oid),
        }))
    }
}
