//! What a type's text needs of the settings of the server that writes it, to hold the whole value.
#![forbid(unsafe_code)]

use crate::error::Error;
use crate::pg::inval::Dependency;
use crate::pg::tuple::RowType;
use crate::pg::types::{TypeClass, TypeInfo};
use crate::type_cache;
use pgrx::pg_sys::Oid;
use plproxy_core::types::BuiltInType;
use plproxy_remote::TextRequirements;
use smallvec::SmallVec;
use std::rc::Rc;

/// The needs of some types, and what they come from.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    pub(crate) text: TextRequirements,
    /// That names of objects have their schemas.
    pub(crate) names: bool,
    pub(crate) types: Vec<Rc<TypeInfo>>,
    pub(crate) tables: SmallVec<[Dependency; 2]>,
    /// The composite types that were looked into.
    relations: Vec<Oid>,
}

impl Needs {
    /// Adds those of a type, whatever it is made of.
    pub(crate) fn add(&mut self, oid: Oid) -> Result<(), Error> {
        if let Some(built_in) = BuiltInType::of(oid.to_u32()) {
            self.text.digits |= built_in.text.digits;
            self.text.zones |= built_in.text.style;
            self.names |= built_in.text.names;
            return Ok(());
        }
        let info = type_cache::type_info(oid)?;
        self.types.push(Rc::clone(&info));
        let part = match info.class {
            TypeClass::Domain => info.domain_base,
            TypeClass::Range | TypeClass::Multirange => info.range_of()?,
            TypeClass::Composite => return self.add_composite(oid, info.relation),
            TypeClass::Base if info.element.is_some() => info.element,
            TypeClass::Base => {
                // An extension's, which may well hold numbers, as those for geometry do.
                self.text.digits |= !info.is_built_in();
                None
            }
            TypeClass::Enum | TypeClass::Pseudo => None,
        };
        part.map_or(Ok(()), |part| self.add(part))
    }

    fn add_composite(&mut self, oid: Oid, relation: Option<Oid>) -> Result<(), Error> {
        // A composite type may hold an array of itself.
        let Some(relation) = relation.filter(|relation| !self.relations.contains(relation)) else {
            return Ok(());
        };
        self.relations.push(relation);
        self.tables.push(Dependency::table(relation));
        let row = RowType::of_composite(oid)?;
        row.columns
            .iter()
            .try_for_each(|column| self.add(column.type_oid))
    }
}
