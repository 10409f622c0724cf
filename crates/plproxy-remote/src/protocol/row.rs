//! Rows as they came: columns as borrowed bytes, nothing decoded.

use std::ops::Range;
use std::rc::Rc;

use plproxy_core::types::{BinaryForm, BuiltInType};
use smallvec::SmallVec;

use crate::encoding::{Encoding, is_same_everywhere};
use crate::protocol::columns::{ColumnDescription, Format, ResultFormats};
use crate::protocol::text_style::TextStyle;

/// The type `bytea`.
const BYTEA: u32 = 17;

/// From that many bytes on a value is large.
const LARGE: usize = 4 << 20;
/// So many bytes of a large value are handed out at a time.
const PIECE: usize = 4 << 20;

/// The length that stands for NULL.
const NULL: [u8; 4] = (-1i32).to_be_bytes();

/// Where rows are.
pub(crate) type Places = SmallVec<[Range<usize>; 1]>;

/// Some rows of one request.
pub struct Batch {
    columns: Rc<[ColumnDescription]>,
    /// The bodies of the messages, and what else came between them.
    bytes: Vec<u8>,
    /// Where in `bytes` the values of each row are.
    rows: Places,
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

/// One row of a batch: for each value its length and its bytes.
#[derive(Clone, Copy)]
pub struct Row<'a>(&'a [u8]);

impl Batch {
    /// `size`: about the bytes that the rows take; `dbname`: whose rows they are, for messages.
    pub(crate) fn new(
        bytes: Vec<u8>,
        rows: Places,
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
        let bytes = NULL.to_vec();
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
        Row(self.bytes.get(at.clone()).unwrap_or_default())
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

impl<'a> Row<'a> {
    /// The row in the body of a message, if it is well-formed and has so many values.
    pub(crate) fn of_message(body: &'a [u8], columns: usize) -> Option<Row<'a>> {
        let (count, values) = body.split_first_chunk::<2>()?;
        if usize::from(u16::from_be_bytes(*count)) != columns {
            return None;
        }
        let mut rest = values;
        for _ in 0..columns {
            (_, rest) = split(rest)?;
        }
        rest.is_empty().then_some(Row(values))
    }

    /// The first value of the row in the body of a message, if that has one: its bytes, `None` for NULL. What follows is not
    /// looked at.
    pub(crate) fn first_of_message(body: &'a [u8]) -> Option<Option<&'a [u8]>> {
        let (count, values) = body.split_first_chunk::<2>()?;
        if u16::from_be_bytes(*count) == 0 {
            return Some(None);
        }
        split(values).map(|(value, _)| value)
    }

    /// The values, in the order of the columns: their bytes, `None` for NULL.
    pub fn values(self) -> impl Iterator<Item = Option<&'a [u8]>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (value, after) = split(rest)?;
            rest = after;
            Some(value)
        })
    }

    /// The bytes of a value; `None` for NULL, and for a column that does not exist. Walks the row up to it: for several values
    /// there are [`values`](Self::values) and [`pick`](Self::pick).
    pub fn get(self, column: usize) -> Option<&'a [u8]> {
        self.values().nth(column).flatten()
    }

    /// The values of some columns, in the order of `columns`, as by [`get`](Self::get). Walks the row once.
    pub fn pick<'c>(
        self,
        columns: &'c [usize],
    ) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a, 'c> {
        let values: SmallVec<[Option<&[u8]>; 16]> = self.values().collect();
        columns
            .iter()
            .map(move |column| values.get(*column).copied().flatten())
    }

    /// A value that is the text of a number.
    pub(crate) fn number(self, column: usize) -> Option<i32> {
        std::str::from_utf8(self.get(column)?).ok()?.parse().ok()
    }
}

/// The first value, and what follows it.
fn split(values: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    #[cfg(test)]
    tests::SPLITS.set(tests::SPLITS.get() + 1);
    let (length, rest) = values.split_first_chunk::<4>()?;
    match i32::from_be_bytes(*length) {
        -1 => Some((None, rest)),
        length => rest
            .split_at_checked(usize::try_from(length).ok()?)
            .map(|(value, rest)| (Some(value), rest)),
    }
}

#[cfg(test)]
mod tests;
