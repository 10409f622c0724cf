//! Rows on their way to the caller, with the bytes in which they were received.

use std::ops::Range;
use std::rc::Rc;

use plproxy_core::types::{BinaryForm, BuiltInType};
use smallvec::SmallVec;

use crate::encoding::{Encoding, is_same_everywhere};
use crate::protocol::columns::{ColumnDescription, Format, ResultFormats};
use crate::protocol::row::Row;
use crate::protocol::text_style::TextStyle;

/// The type `bytea`.
const BYTEA: u32 = 17;

/// From this size on a value is large.
const LARGE: usize = 4 << 20;
/// How many bytes of a large value are handed out at a time.
const PIECE: usize = 4 << 20;

/// The positions of rows in a buffer.
pub(crate) type RowRanges = SmallVec<[Range<usize>; 1]>;

/// Some rows of one request.
pub struct Batch {
    columns: Rc<[ColumnDescription]>,
    /// The bodies of the messages, and whatever was received between them.
    bytes: Vec<u8>,
    /// Where in `bytes` the values of each row are.
    rows: RowRanges,
    reading: Reading,
    size: usize,
    dbname: Rc<str>,
}

/// How values are to be read.
pub(crate) struct Reading {
    pub(crate) formats: ResultFormats,
    pub(crate) style: Option<Rc<TextStyle>>,
    pub(crate) encoding: Encoding,
}

impl Batch {
    /// `size`: about how many bytes the rows take; `dbname`: the database that they come from, for messages.
    pub(crate) fn new(
        bytes: Vec<u8>,
        rows: RowRanges,
        columns: Rc<[ColumnDescription]>,
        reading: Reading,
        size: usize,
        dbname: Rc<str>,
    ) -> Batch {
        Batch {
            columns,
            bytes,
            rows,
            reading,
            size,
            dbname,
        }
    }

    /// A row with one NULL, for a statement without rows whose caller expects one value of no interest.
    pub fn of_nothing(dbname: Rc<str>) -> Batch {
        let column = ColumnDescription {
            name: Box::default(),
            type_oid: 0,
        };
        let bytes = Row::NULL.to_vec();
        Batch {
            rows: std::iter::once(0..bytes.len()).collect(),
            size: bytes.len(),
            bytes,
            columns: Rc::new([column]),
            reading: Reading {
                formats: Format::Text.into(),
                style: None,
                encoding: Encoding::UTF8,
            },
            dbname,
        }
    }

    /// The name of the database that they come from, as messages show it.
    pub fn dbname(&self) -> &Rc<str> {
        &self.dbname
    }

    /// The columns; every row has exactly as many values.
    pub fn columns(&self) -> &Rc<[ColumnDescription]> {
        &self.columns
    }

    /// The formats of the values.
    pub fn formats(&self) -> &ResultFormats {
        &self.reading.formats
    }

    /// The settings under which values as text are to be read, if that matters.
    pub fn style(&self) -> Option<&TextStyle> {
        self.reading.style.as_deref()
    }

    /// The encoding of all text.
    pub fn encoding(&self) -> Encoding {
        self.reading.encoding
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether it may hold text that means something else in another encoding. The text of `bytea` is digits and backslashes.
    pub(crate) fn depends_on_encoding(&self) -> bool {
        let columns = self.columns.iter().enumerate();
        let texts: SmallVec<[bool; 16]> = columns
            .map(|(at, column)| match self.formats().of(at) {
                Format::Text => column.type_oid != BYTEA,
                Format::Binary => may_hold_text(column.type_oid),
            })
            .collect();
        let depends = |row: Row<'_>| {
            let mut values = row.values().zip(&texts);
            values
                .any(|(value, text)| *text && value.is_some_and(|value| !is_same_everywhere(value)))
        };
        texts.contains(&true) && self.iter().any(depends)
    }

    /// The row at a position.
    pub fn row(&self, index: usize) -> Option<Row<'_>> {
        self.rows.get(index).map(|at| self.row_at(at))
    }

    /// The rows in the order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|at| self.row_at(at))
    }

    fn row_at(&self, at: &Range<usize>) -> Row<'_> {
        Row::of_values(self.bytes.get(at.clone()).unwrap_or_default())
    }

    /// The last value of the only row by itself, if it is large: its memory can be freed while it is copied.
    // The batch is given back.
    #[allow(clippy::result_large_err)]
    pub fn into_large_value(mut self) -> Result<LargeValue, Batch> {
        let value = match self.rows.as_slice() {
            [row] => self.row_at(row).values().last().flatten(),
            _ => None,
        };
        let (Some(value), Some(row)) = (value, self.rows.first()) else {
            return Err(self);
        };
        if value.len() < LARGE {
            return Err(self);
        }
        let begin = row.end - value.len();
        self.bytes.truncate(row.end);
        Ok(LargeValue {
            bytes: self.bytes,
            begin,
        })
    }

    /// About how many bytes the rows take.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// Whether the binary form of a type may hold text.
fn may_hold_text(type_oid: u32) -> bool {
    BuiltInType::of(type_oid).is_none_or(|built_in| {
        matches!(
            built_in.binary,
            BinaryForm::SameAsText | BinaryForm::HoldsText
        )
    })
}

/// A value and its memory.
pub struct LargeValue {
    bytes: Vec<u8>,
    begin: usize,
}

impl LargeValue {
    /// The value.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(self.begin..).unwrap_or_default()
    }

    /// Hands out the value in pieces, the last one first, each with its position, and frees their memory.
    pub fn drain(mut self, mut take: impl FnMut(usize, &[u8])) {
        while self.bytes.len() > self.begin {
            let at = self.bytes.len().saturating_sub(PIECE).max(self.begin);
            take(at - self.begin, self.bytes.get(at..).unwrap_or_default());
            self.bytes.truncate(at);
            self.bytes.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests;
