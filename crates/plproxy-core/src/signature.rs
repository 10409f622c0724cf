//! A function as the catalog describes it.

use crate::ident::quote_ident;
use crate::object_names::ObjectNames;

/// A type as the queries name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeName {
    /// As it goes into the remote query: quoted, qualified outside `pg_catalog`, no typmod.
    pub sql: String,
    /// Whether `SPLIT` can take it apart.
    pub is_array: bool,
    /// If values stand for objects of the catalogs, how to have their full names.
    pub names: Option<ObjectNames>,
}

/// An input argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its type.
    pub ty: TypeName,
}

/// A result column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: TypeName,
}

/// What a function returns, one row of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returns {
    /// `void`, and what a procedure without OUT parameters gives.
    Void,
    /// One value.
    Scalar(TypeName),
    /// Named columns: a composite type, a table, or OUT parameters. Dropped columns are not among them.
    Row(Vec<Column>),
    /// `record` without OUT parameters: the columns come with each call.
    Record,
}

/// A function as the catalog describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The schema's name, unquoted.
    pub schema: String,
    /// The function's name, unquoted.
    pub name: String,
    /// The input arguments in order.
    pub args: Vec<Argument>,
    /// What one row of the result is.
    pub returns: Returns,
    /// Whether it returns a set.
    pub is_set: bool,
    /// If it is a procedure. Boxed, as sessions keep thousands of functions.
    pub procedure: Option<Box<Procedure>>,
}

/// What a procedure has that a function has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Procedure {
    /// Which of its arguments are OUT only, by their places among all of them.
    pub outputs: Vec<usize>,
}

impl Signature {
    /// The name as messages and queries say it: `schema.name`, each quoted where that is needed.
    pub fn qualified_name(&self) -> String {
        format!("{}.{}", quote_ident(&self.schema), quote_ident(&self.name))
    }

    /// The argument that a body means by `reference`: `$n`, or a name without regard to case. The first of
    /// several.
    pub fn argument(&self, reference: &str) -> Option<usize> {
        if let Some(digits) = reference.strip_prefix('$') {
            let index = digits.parse::<usize>().ok()?.checked_sub(1)?;
            return (index < self.args.len()).then_some(index);
        }
        self.args.iter().position(|argument| {
            argument
                .name
                .as_deref()
                .is_some_and(|name| name.eq_ignore_ascii_case(reference))
        })
    }

    /// The argument of exactly this name.
    pub(crate) fn exact_argument(&self, name: &str) -> Option<usize> {
        self.args
            .iter()
            .position(|argument| argument.name.as_deref() == Some(name))
    }
}
