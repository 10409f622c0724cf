//! What a function takes and returns, and what that was read from.
#![forbid(unsafe_code)]

use crate::error::{Error, FunctionLabel};
use crate::pg::inval::{Changes, Dependency};
use crate::pg::tuple::RowType;
use crate::pg::types::TypeInfo;
use crate::type_cache;
use pgrx::pg_sys::Oid;
use plproxy_core::function::{Column, Returns};
use smallvec::SmallVec;
use std::rc::Rc;

/// An input argument.
#[derive(Debug)]
pub(crate) struct ProxyArg {
    pub(crate) type_info: Rc<TypeInfo>,
    /// The element's type, if this is an array that SPLIT cuts.
    pub(crate) split_element: Option<Rc<TypeInfo>>,
}

/// The input arguments of a function that messages name.
#[derive(Clone, Copy)]
pub(crate) struct Arguments<'a> {
    pub(crate) label: &'a FunctionLabel,
    pub(crate) args: &'a [ProxyArg],
}

impl Arguments<'_> {
    /// The type of an argument.
    pub(crate) fn type_of(&self, argument: usize) -> Oid {
        self.args
            .get(argument)
            .map_or(Oid::INVALID, |arg| arg.type_info.oid)
    }

    /// The type that an argument has in RUN ON: a split array stands for its element.
    pub(crate) fn element_type_of(&self, argument: usize) -> Oid {
        let element = self
            .args
            .get(argument)
            .and_then(|arg| arg.split_element.as_ref());
        element.map_or_else(|| self.type_of(argument), |element| element.oid)
    }
}

/// What the function returns.
pub(crate) enum ResultType {
    Void,
    Scalar(Rc<TypeInfo>),
    /// A row type, and the domain over it if there is one.
    Row(Rc<RowType>, Option<Oid>),
    /// `record`: the columns come with each call.
    Record,
}

impl ResultType {
    /// The result as the language crate sees it.
    pub(crate) fn returns(&self) -> Result<Returns, Error> {
        Ok(match self {
            Self::Void => Returns::Void,
            Self::Scalar(info) => Returns::Scalar(info.to_name()?),
            Self::Row(..) => Returns::Row(self.columns()?),
            Self::Record => Returns::Record,
        })
    }

    /// The columns of a row type; none for the others.
    pub(crate) fn columns(&self) -> Result<Vec<Column>, Error> {
        let Self::Row(row_type, _) = self else {
            return Ok(Vec::new());
        };
        row_type
            .columns
            .iter()
            .map(|column| {
                Ok(Column {
                    name: column.name.clone(),
                    ty: type_cache::type_info(column.type_oid)?.to_name()?,
                })
            })
            .collect()
    }
}

/// What a compiled function, or its form on the wire, was made from.
#[derive(Debug, Default)]
pub(crate) struct Dependencies {
    pub(crate) rows: SmallVec<[Dependency; 2]>,
    pub(super) types: Vec<Rc<TypeInfo>>,
}

impl Dependencies {
    pub(crate) fn add_type(&mut self, info: &Rc<TypeInfo>) {
        if !self.types.iter().any(|known| Rc::ptr_eq(known, info)) {
            self.types.push(Rc::clone(info));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.types.is_empty()
    }

    /// Nothing will be added any more.
    pub(crate) fn shrink(&mut self) {
        self.rows.shrink_to_fit();
        self.types.shrink_to_fit();
    }

    pub(crate) fn touched_by(&self, changes: &Changes) -> bool {
        let types = self.types.iter().flat_map(|info| &*info.depends_on);
        changes.touch(self.rows.iter().chain(types))
    }
}
