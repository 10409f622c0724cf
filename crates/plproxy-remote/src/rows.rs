//! Rows as they came: columns as borrowed bytes, nothing decoded.

use std::error::Error;
use std::rc::Rc;

use postgres_types::{FromSql, Type};
use tokio_postgres::Row as LibraryRow;

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDescription {
    /// Its name, as the bytes that the server sent.
    pub name: Box<[u8]>,
    /// The id of its type on the server.
    pub type_oid: u32,
}

/// The form of the values of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// What the types' send functions give.
    Binary,
    /// What the types' output functions give; nobody has looked whether it is in the agreed encoding.
    Text,
}

/// The server's settings for values as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextStyle {
    /// Its `DateStyle`.
    pub dates: String,
    /// Its `IntervalStyle`.
    pub intervals: String,
}

impl TextStyle {
    /// Looks at a setting that the server reports: name and value, each with a zero byte at its end.
    pub(crate) fn learn(&mut self, report: &[u8]) {
        let mut parts = report.split(|byte| *byte == 0);
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            return;
        };
        let slot = match name {
            b"DateStyle" => &mut self.dates,
            b"IntervalStyle" => &mut self.intervals,
            _ => return,
        };
        *slot = String::from_utf8_lossy(value).into_owned();
    }

    /// Whether the text means something else under other settings.
    pub(crate) fn is_peculiar(&self) -> bool {
        !self.has_iso_dates() || self.intervals == "sql_standard"
    }

    /// Whether dates are written as in ISO 8601, time zones as offsets.
    pub(crate) fn has_iso_dates(&self) -> bool {
        self.dates.is_empty() || self.dates.starts_with("ISO")
    }
}

/// Some rows of one request.
pub struct Batch {
    columns: Rc<[ColumnDescription]>,
    rows: Vec<LibraryRow>,
    format: Format,
    style: Option<TextStyle>,
    size: usize,
}

/// One row of a batch.
#[derive(Clone, Copy)]
pub struct Row<'a>(&'a LibraryRow);

impl Batch {
    /// `size`: about the bytes that the rows take.
    pub(crate) fn new(
        rows: Vec<LibraryRow>,
        columns: Rc<[ColumnDescription]>,
        format: Format,
        style: Option<TextStyle>,
        size: usize,
    ) -> Batch {
        Batch {
            columns,
            rows,
            format,
            style,
            size,
        }
    }

    /// The columns; every row has exactly as many values.
    pub fn columns(&self) -> &Rc<[ColumnDescription]> {
        &self.columns
    }

    /// The form of all values.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The settings under which values as text are to be read, if it matters.
    pub fn style(&self) -> Option<&TextStyle> {
        self.style.as_ref()
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row at a place.
    pub fn row(&self, index: usize) -> Option<Row<'_>> {
        self.rows.get(index).map(Row)
    }

    /// The rows in the order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(Row)
    }

    /// About the bytes that the rows take.
    pub(crate) fn size(&self) -> usize {
        self.size
    }
}

impl<'a> Row<'a> {
    /// The bytes of a value; `None` for NULL, and for a column that does not exist.
    pub fn get(&self, column: usize) -> Option<&'a [u8]> {
        let bytes = self.0.try_get::<_, Option<Bytes<'a>>>(column);
        bytes.ok().flatten().map(|bytes| bytes.0)
    }
}

/// A value of any type as its bytes.
struct Bytes<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Bytes<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Bytes(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
