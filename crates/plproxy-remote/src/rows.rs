//! Rows as they came: columns as borrowed bytes, nothing decoded.

use std::error::Error;
use std::rc::Rc;

use postgres_types::{FromSql, Type};
use tokio_postgres::{Row as ExtendedRow, SimpleQueryRow};

use crate::error::ErrorKind;

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDescription {
    /// Its name, in UTF-8.
    pub name: String,
    /// The id of its type on the server.
    pub type_oid: u32,
}

/// The form of the values of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// What the types' send functions give.
    Binary,
    /// What the types' output functions give, in UTF-8.
    Text,
}

/// Some rows of one request.
pub struct Batch {
    columns: Rc<[ColumnDescription]>,
    rows: Rows,
    size: usize,
}

enum Rows {
    Binary(Vec<ExtendedRow>),
    Text(Vec<SimpleQueryRow>),
}

/// One row of a batch.
#[derive(Clone, Copy)]
pub struct Row<'a>(Form<'a>);

#[derive(Clone, Copy)]
enum Form<'a> {
    Binary(&'a ExtendedRow),
    Text(&'a SimpleQueryRow),
}

impl Batch {
    /// The columns; every row has exactly as many values.
    pub fn columns(&self) -> &Rc<[ColumnDescription]> {
        &self.columns
    }

    /// The form of all values.
    pub fn format(&self) -> Format {
        match self.rows {
            Rows::Binary(_) => Format::Binary,
            Rows::Text(_) => Format::Text,
        }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::Binary(rows) => rows.len(),
            Rows::Text(rows) => rows.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row at a place.
    pub fn row(&self, index: usize) -> Option<Row<'_>> {
        match &self.rows {
            Rows::Binary(rows) => rows.get(index).map(|row| Row(Form::Binary(row))),
            Rows::Text(rows) => rows.get(index).map(|row| Row(Form::Text(row))),
        }
    }

    /// The rows in the order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.len()).filter_map(|index| self.row(index))
    }

    /// About the bytes that the rows take.
    pub(crate) fn size(&self) -> usize {
        self.size
    }
}

impl<'a> Row<'a> {
    /// The bytes of a value; `None` for NULL, and for a column that does not exist.
    pub fn get(&self, column: usize) -> Option<&'a [u8]> {
        match self.0 {
            Form::Binary(row) => row
                .try_get::<_, Option<Bytes<'a>>>(column)
                .ok()
                .flatten()
                .map(|bytes| bytes.0),
            Form::Text(row) => row.try_get(column).ok().flatten().map(str::as_bytes),
        }
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

/// A row of one of the client library's two kinds, on its way into a batch.
pub(crate) trait Arrived: Sized {
    /// Its size, if its values can be read.
    fn size(&self) -> Result<usize, ErrorKind>;
    fn batch(rows: Vec<Self>, columns: Rc<[ColumnDescription]>, size: usize) -> Batch;
}

impl Arrived for ExtendedRow {
    fn size(&self) -> Result<usize, ErrorKind> {
        Ok(self.raw_size_bytes())
    }

    fn batch(rows: Vec<Self>, columns: Rc<[ColumnDescription]>, size: usize) -> Batch {
        Batch {
            columns,
            rows: Rows::Binary(rows),
            size,
        }
    }
}

impl Arrived for SimpleQueryRow {
    fn size(&self) -> Result<usize, ErrorKind> {
        let mut size = 0;
        for column in 0..self.len() {
            match self.try_get(column) {
                Ok(value) => size += 4 + value.map_or(0, str::len),
                // Values are text here, and text is UTF-8 on every connection.
                Err(_) => return Err(ErrorKind::protocol("server sent text that is not UTF-8")),
            }
        }
        Ok(size)
    }

    fn batch(rows: Vec<Self>, columns: Rc<[ColumnDescription]>, size: usize) -> Batch {
        Batch {
            columns,
            rows: Rows::Text(rows),
            size,
        }
    }
}
