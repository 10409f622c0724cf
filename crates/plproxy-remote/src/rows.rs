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

/// Some rows of one request.
pub struct Batch {
    columns: Rc<[ColumnDescription]>,
    rows: Vec<LibraryRow>,
    format: Format,
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
        size: usize,
    ) -> Batch {
        Batch {
            columns,
            rows,
            format,
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
