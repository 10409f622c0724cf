//! The columns of a result, and the formats of their values.

use std::rc::Rc;

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDescription {
    /// Its name, as the bytes that the server sent.
    pub name: Box<[u8]>,
    /// The id of its type on the server.
    pub type_oid: u32,
}

/// Reads the body of a RowDescription.
pub(crate) fn describe(body: &[u8]) -> Option<Rc<[ColumnDescription]>> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut columns = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let end = rest.iter().position(|byte| *byte == 0)?;
        let name = rest.get(..end)?.into();
        let (fixed, after) = rest.get(end + 1..)?.split_first_chunk::<18>()?;
        columns.push(ColumnDescription {
            name,
            type_oid: u32::from_be_bytes(fixed.get(6..10)?.try_into().ok()?),
        });
        rest = after;
    }
    rest.is_empty().then(|| columns.into())
}

/// The format of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The result of the type's send function.
    Binary,
    /// The result of the type's output function; not checked to be valid in the encoding of the session.
    Text,
}

/// The formats in which the columns of a result are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultFormats {
    /// All columns, however many there are.
    All(Format),
    /// One for each column, of which the statement has exactly so many.
    Each(Rc<[Format]>),
}

impl ResultFormats {
    /// The formats of columns, in their order.
    pub fn of_columns(columns: impl IntoIterator<Item = Format>) -> ResultFormats {
        let columns: Rc<[Format]> = columns.into_iter().collect();
        match columns.first() {
            Some(&first) if columns.iter().all(|format| *format == first) => {
                ResultFormats::All(first)
            }
            Some(_) => ResultFormats::Each(columns),
            None => ResultFormats::All(Format::Binary),
        }
    }

    /// The format of a column.
    pub fn of(&self, column: usize) -> Format {
        match self {
            ResultFormats::All(format) => *format,
            ResultFormats::Each(columns) => columns.get(column).copied().unwrap_or(Format::Text),
        }
    }

    /// The format codes of the protocol: one for all columns, or one for each.
    pub(crate) fn codes(&self) -> impl Iterator<Item = i16> {
        let formats = match self {
            ResultFormats::All(format) => std::slice::from_ref(format),
            ResultFormats::Each(columns) => columns,
        };
        formats.iter().map(|format| match format {
            Format::Text => 0,
            Format::Binary => 1,
        })
    }
}

impl From<Format> for ResultFormats {
    fn from(format: Format) -> ResultFormats {
        ResultFormats::All(format)
    }
}
