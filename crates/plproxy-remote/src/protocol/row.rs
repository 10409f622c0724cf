//! A row as it was received: its values as borrowed bytes, not decoded.

use smallvec::SmallVec;

/// One row: for each value its length and its bytes.
#[derive(Clone, Copy)]
pub struct Row<'a>(&'a [u8]);

impl<'a> Row<'a> {
    /// The bytes of a row with one value, NULL.
    pub(super) const NULL: [u8; 4] = (-1i32).to_be_bytes();

    /// A row whose bytes are known to be well-formed.
    pub(super) fn of_values(values: &'a [u8]) -> Row<'a> {
        Row(values)
    }

    /// The row in the body of a DataRow, if it is well-formed and has so many values.
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

    /// The first value of the row in the body of a DataRow, if that has one: its bytes, `None` for NULL. The rest is not
    /// checked.
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

    /// A value that is a number as text.
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
