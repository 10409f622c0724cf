//! A row of `pg_type`.

use super::error::{Error, Report};
use super::inval::Dependency;
use super::proc::CachedTuple;
use super::{compat, encoding, guard, raw};
use pgrx::pg_sys::{self, FormData_pg_type, Oid};
use plproxy_core::function::TypeName;
use plproxy_core::ident::quote_ident;
use plproxy_core::object_names::{ObjectNames, ObjectType};
use plproxy_core::types::{BinaryForm, BuiltInType};
use std::rc::Rc;

const TYPE: i32 = pg_sys::SysCacheIdentifier::TYPEOID as i32;

/// `typtype`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeClass {
    Base,
    Composite,
    Domain,
    Enum,
    Pseudo,
    Range,
    Multirange,
}

/// A type as declared.
#[derive(Debug, Clone)]
pub(crate) struct TypeInfo {
    pub(crate) oid: Oid,
    /// The name as the remote query spells it: types of `pg_catalog` unqualified, all others with their schema.
    pub(crate) sql: String,
    pub(crate) name: String,
    pub(crate) class: TypeClass,
    /// The element of an array type, `int2vector` among them: not of one that is only like an array, as `point`.
    pub(crate) element: Option<Oid>,
    pub(crate) domain_base: Option<Oid>,
    /// The table or composite type behind a row type.
    pub(crate) relation: Option<Oid>,
    pub(crate) len: i16,
    pub(crate) by_value: bool,
    pub(crate) align: u8,
    /// What all this comes from.
    pub(crate) depends_on: Rc<[Dependency]>,
}

impl TypeInfo {
    pub(crate) fn find(oid: Oid) -> Result<Self, Error> {
        let mut depends_on = vec![Dependency::type_(oid)?];
        let missing = || Report::internal(format!("cache lookup failed for type {}", oid.to_u32()));
        let tuple = CachedTuple::find(TYPE, oid)?.ok_or_else(missing)?;
        // SAFETY: a tuple of pg_type.
        let form: &FormData_pg_type = unsafe { tuple.form() };
        // SAFETY: NAMEDATALEN bytes with a NUL inside.
        let name = unsafe { encoding::cstr_to_string(form.typname.data.as_ptr()) }?;
        let sql = if form.typnamespace == Oid::from(pg_sys::PG_CATALOG_NAMESPACE) {
            if name == "json" && !compat::JSON_IS_QUOTED {
                // This is the type in all versions.
                name.clone()
            } else {
                quote_ident(&name).into_owned()
            }
        } else {
            depends_on.push(Dependency::namespace(form.typnamespace)?);
            // SAFETY: reads the catalog; the result is palloc'd or null.
            let schema = unsafe { guard::catch(|| raw::get_namespace_name(form.typnamespace)) }?;
            if schema.is_null() {
                return Err(missing().into());
            }
            // SAFETY: a live C string.
            let schema = unsafe { encoding::cstr_to_string(schema) }?;
            format!("{}.{}", quote_ident(&schema), quote_ident(&name))
        };
        let some = |oid: Oid| (oid != Oid::INVALID).then_some(oid);
        Ok(Self {
            oid,
            sql,
            name,
            class: match form.typtype as u8 {
                b'c' => TypeClass::Composite,
                b'd' => TypeClass::Domain,
                b'e' => TypeClass::Enum,
                b'p' => TypeClass::Pseudo,
                b'r' => TypeClass::Range,
                b'm' => TypeClass::Multirange,
                _ => TypeClass::Base,
            },
            element: some(form.typelem)
                .filter(|_| form.typsubscript == Oid::from(pg_sys::F_ARRAY_SUBSCRIPT_HANDLER)),
            domain_base: some(form.typbasetype),
            relation: some(form.typrelid),
            len: form.typlen,
            by_value: form.typbyval,
            align: form.typalign as u8,
            depends_on: depends_on.into(),
        })
    }

    /// The type below all domains.
    pub(crate) fn base(self) -> Result<Self, Error> {
        let mut info = self;
        while let Some(base) = info.domain_base.filter(|_| info.class == TypeClass::Domain) {
            info = Self::find(base)?;
        }
        Ok(info)
    }

    /// Whether every server has it under that id.
    pub(crate) fn is_built_in(&self) -> bool {
        self.oid.to_u32() < pg_sys::FirstNormalObjectId
    }

    /// What a range type is a range of, and a multirange type a set of.
    pub(crate) fn range_of(&self) -> Result<Option<Oid>, Error> {
        let oid = self.oid;
        // SAFETY: reads the catalog.
        let part = unsafe {
            match self.class {
                TypeClass::Range => guard::catch(|| raw::get_range_subtype(oid))?,
                TypeClass::Multirange => guard::catch(|| raw::get_multirange_range(oid))?,
                _ => Oid::INVALID,
            }
        };
        Ok((part != Oid::INVALID).then_some(part))
    }

    /// If its values stand for objects of the catalogs, or an array's elements do, for which.
    fn object_names(&self) -> Result<Option<ObjectNames>, Error> {
        let base = self.clone().base()?;
        if let Some(object) = ObjectType::of(base.oid.to_u32()) {
            let is_array = false;
            return Ok(Some(ObjectNames { object, is_array }));
        }
        let Some(element) = base.element else {
            return Ok(None);
        };
        let object = ObjectType::of(Self::find(element)?.base()?.oid.to_u32());
        let is_array = true;
        Ok(object.map(|object| ObjectNames { object, is_array }))
    }

    /// The type as the generated query needs it.
    pub(crate) fn to_name(&self) -> Result<TypeName, Error> {
        Ok(TypeName {
            sql: self.sql.clone(),
            is_array: self.element.is_some(),
            names: self.object_names()?,
        })
    }

    /// The name as messages show it.
    pub(crate) fn display(&self) -> Result<String, Error> {
        let oid = self.oid;
        // SAFETY: reads the catalog; the result is palloc'd.
        unsafe {
            let name = guard::catch(|| raw::format_type_be(oid))?;
            encoding::cstr_to_string(name)
        }
    }
}

/// How a type behaves in PostgreSQL's binary format: only built-in types have one that means the same on every server.
pub(crate) fn binary_form(oid: Oid) -> BinaryForm {
    BuiltInType::of(oid.to_u32()).map_or(BinaryForm::No, |built_in| built_in.binary)
}
