//! Rows on their way to the caller: the bytes of several, as they came.

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

/// From that many bytes on a value is large.
const LARGE: usize = 4 << 20;
/// So many bytes of a large value are handed out at a time.
const PIECE: usize = 4 << 20;

/// Where rows are.
pub(crate) type RowRanges = SmallVec<[Range<usize>; 1]>;

/// Some rows of one request.
pub struct Batch {
    columns: Rc<[ColumnDescription]>,
    /// The bodies of the messages, and what else came between them.
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
    /// `size`: about the bytes that the rows take; `dbname`: whose rows they are, for messages.
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

    /// A row with one NULL, for a statement that gives no rows to someone who wants one value of no interest.
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

    /// The forms of the values.
    pub fn formats(&self) -> &ResultFormats {
        &self.reading.formats
    }

    /// The settings under which values as text are to be read, if it matters.
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

    /// Whether some text in it may mean something else in another encoding. The text of bytes is digits and backslashes.
    pub(crate) fn depends_on_encoding(&self) -> bool {
        let columns = self.columns.iter().enumerate();
        let texts: SmallVec<[bool; 16]> = columns
            .map(|(at, column)| match self.formats().of(at) {
                Format::Text => column.type_oid != BYTEA,
                Format::Binary => may_hold_text(column.type_oid),
            })
            .collect();
        let exceeds = |row: Row<'_>| {
            let mut values = row.values().zip(&texts);
            values
                .any(|(value, text)| *text && value.is_some_and(|value| !is_same_everywhere(value)))
        };
        texts.contains(&true) && self.iter().any(exceeds)
    }

    /// The row at a place.
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

    /// The last value of the only row by itself, if it is large: its bytes can be given back while they are copied.
    // The batch goes back to who had it.
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

    /// About the bytes that the rows take.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// Whether there may be text in a value's binary form.
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

    /// Hands out the value in pieces, the last one first, each with its place, and gives back their memory.
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
