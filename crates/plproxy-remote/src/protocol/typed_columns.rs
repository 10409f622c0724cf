//! Results whose column types only the server knows, and which of their columns are asked for in binary.

use crate::encoding::Encoding;
use crate::protocol::columns::{ColumnDescription, Format, ResultFormats};
use crate::protocol::text_style::TextRequirements;
use crate::sql_text::SqlText;

/// The columns that the host expects of a result whose column types only the server knows. A column is asked for in binary if it
/// has the expected type, and as text otherwise: binary values depend on no setting, and settings may change between two rows.
#[derive(Debug, PartialEq, Eq)]
pub struct TypedColumns {
    /// The expected columns, in their order.
    pub columns: Box<[TypedColumn]>,
    /// If a name is missing in the result, columns are matched by position.
    pub by_place: bool,
    /// What columns require that always come as text.
    pub rest: TextRequirements,
}

/// An expected column.
#[derive(Debug, PartialEq, Eq)]
pub struct TypedColumn {
    /// `None`: the only column, whatever its name.
    pub name: Option<SqlText>,
    /// The built-in type that is asked for in binary.
    pub type_oid: Option<u32>,
}

impl TypedColumns {
    /// For each column of the result the expected column that it is.
    fn wanted<'a>(
        &'a self,
        columns: &'a [ColumnDescription],
        encoding: Encoding,
    ) -> impl Iterator<Item = Option<usize>> + 'a {
        let is = move |wanted: &TypedColumn, column: &ColumnDescription| match &wanted.name {
            Some(name) => name.bytes(encoding).is_ok_and(|name| *name == *column.name),
            None => true,
        };
        let is_there = |wanted| columns.iter().any(|column| is(wanted, column));
        let by_place = self.by_place && !self.columns.iter().all(is_there);
        columns.iter().enumerate().map(move |(place, column)| {
            if by_place {
                return Some(place);
            }
            self.columns.iter().position(|wanted| is(wanted, column))
        })
    }

    /// The formats in which to ask for these columns.
    pub(crate) fn formats(
        &self,
        columns: &[ColumnDescription],
        encoding: Encoding,
    ) -> ResultFormats {
        let wanted = self.wanted(columns, encoding).zip(columns);
        let formats: Vec<Format> = wanted
            .map(|(wanted, column)| {
                let wanted = wanted.and_then(|place| self.columns.get(place));
                match wanted.and_then(|wanted| wanted.type_oid) {
                    Some(type_oid) if type_oid == column.type_oid => Format::Binary,
                    _ => Format::Text,
                }
            })
            .collect();
        if formats.contains(&Format::Binary) {
            ResultFormats::of_columns(formats)
        } else {
            Format::Text.into()
        }
    }

    /// Whether all columns that are to be asked for in binary can be.
    pub(crate) fn all_come(&self, columns: &[ColumnDescription], encoding: Encoding) -> bool {
        let formats = self.formats(columns, encoding);
        let wanted: Vec<Option<usize>> = self.wanted(columns, encoding).collect();
        let mut typed = self.columns.iter().enumerate();
        typed.all(|(place, column)| {
            let is_it = |at: &usize| wanted.get(*at) == Some(&Some(place));
            column.type_oid.is_none()
                || (0..columns.len())
                    .find(is_it)
                    .is_some_and(|at| formats.of(at) == Format::Binary)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Format::{Binary, Text};

    const DATE: u32 = 1082;
    const TEXT: u32 = 25;

    fn wanted(by_place: bool, columns: &[(&str, Option<u32>)]) -> TypedColumns {
        let columns = columns.iter().map(|(name, type_oid)| TypedColumn {
            name: Some((*name).into()),
            type_oid: *type_oid,
        });
        TypedColumns {
            columns: columns.collect(),
            by_place,
            rest: TextRequirements::default(),
        }
    }

    fn check(wanted: &TypedColumns, there: &[(&str, u32)], formats: &[Format], all: bool) {
        let columns: Vec<ColumnDescription> = there
            .iter()
            .map(|(name, type_oid)| ColumnDescription {
                name: name.as_bytes().into(),
                type_oid: *type_oid,
            })
            .collect();
        let asked = wanted.formats(&columns, Encoding::UTF8);
        let each: Vec<Format> = (0..columns.len()).map(|at| asked.of(at)).collect();
        assert_eq!(each, formats, "{there:?}");
        assert_eq!(wanted.all_come(&columns, Encoding::UTF8), all, "{there:?}");
    }

    #[test]
    fn columns_of_the_wanted_type_come_in_binary() {
        let typed = wanted(false, &[("a", Some(DATE)), ("b", None)]);
        check(&typed, &[("a", DATE), ("b", DATE)], &[Binary, Text], true);
        check(&typed, &[("b", DATE), ("a", DATE)], &[Text, Binary], true);
        check(&typed, &[("a", TEXT), ("b", DATE)], &[Text, Text], false);
        check(&typed, &[("x", DATE), ("b", TEXT)], &[Text, Text], false);
        check(&typed, &[], &[], false);
    }

    #[test]
    fn the_place_counts_where_a_name_is_missing() {
        let typed = wanted(true, &[("a", Some(DATE)), ("b", None)]);
        check(&typed, &[("b", TEXT), ("a", DATE)], &[Text, Binary], true);
        check(&typed, &[("x", DATE), ("b", TEXT)], &[Binary, Text], true);
        check(&typed, &[("b", DATE), ("x", DATE)], &[Binary, Text], true);
        check(&typed, &[("b", TEXT), ("x", DATE)], &[Text, Text], false);
    }

    #[test]
    fn the_only_column_may_have_any_name() {
        let typed = TypedColumns {
            columns: [TypedColumn {
                name: None,
                type_oid: Some(DATE),
            }]
            .into(),
            by_place: false,
            rest: TextRequirements::default(),
        };
        check(&typed, &[("x", DATE)], &[Binary], true);
        check(&typed, &[("x", TEXT)], &[Text], false);
    }
}
