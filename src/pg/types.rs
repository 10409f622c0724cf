//! A row of `pg_type`, and which types cross the wire in binary.

use super::proc::CachedTuple;
use super::{encoding, guard, raw};
use crate::error::{Error, Report};
use pgrx::pg_sys::{self, Datum, FormData_pg_type, Oid};
use plproxy_core::function::{Transfer, TypeName};
use plproxy_core::ident::quote_ident;

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
}

impl TypeInfo {
    pub(crate) fn find(oid: Oid) -> Result<Self, Error> {
        let missing = || Report::internal(format!("cache lookup failed for type {}", oid.to_u32()));
        let tuple = CachedTuple::find(TYPE, oid)?.ok_or_else(missing)?;
        // SAFETY: a tuple of pg_type.
        let form: &FormData_pg_type = unsafe { tuple.form() };
        // SAFETY: NAMEDATALEN bytes with a NUL inside.
        let name = unsafe { encoding::cstr_to_string(form.typname.data.as_ptr()) }?;
        let sql = if form.typnamespace == Oid::from(pg_sys::PG_CATALOG_NAMESPACE) {
            quote_ident(&name).into_owned()
        } else {
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

    /// The type as the generated query needs it.
    pub(crate) fn to_name(&self, text_only: bool) -> TypeName {
        let binary = match binary_class(self.oid) {
            BinaryClass::No => false,
            BinaryClass::SameAsText => true,
            BinaryClass::Exact | BinaryClass::HoldsText => !text_only,
        };
        let transfer = if binary {
            Transfer::Binary
        } else {
            Transfer::Text
        };
        TypeName {
            sql: self.sql.clone(),
            is_array: self.element.is_some(),
            transfer,
        }
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

    /// The system cache's hash of this type, as invalidation messages name it.
    pub(crate) fn cache_hash(oid: Oid) -> Result<u32, Error> {
        super::inval::hash_of(TYPE, Datum::from(oid))
    }
}

/// How a built-in type behaves in PostgreSQL's binary format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryClass {
    /// Not to be sent in binary: not built in, or its binary form means something else elsewhere (an OID).
    No,
    /// The binary form is the text itself.
    SameAsText,
    /// The same value in every supported version, whatever the settings.
    Exact,
    /// Exact, but with text inside, which the send and receive functions convert to the session's client encoding.
    HoldsText,
}

/// The built-in types that cross the wire in binary.
///
/// Left out on purpose: types that hold OIDs of their server (`regclass` and the like), those without a send function
/// (`aclitem`), those whose receive function refuses what their send function sends (an empty `int2vector`), `xml` (its
/// binary form carries an encoding declaration) and the pseudo-types.
pub(crate) fn binary_class(oid: Oid) -> BinaryClass {
    use pg_sys as p;
    const fn n(oid: Oid) -> u32 {
        oid.to_u32()
    }
    const BOOL: u32 = n(p::BOOLOID);
    match oid.to_u32() {
        x if [
            n(p::TEXTOID),
            n(p::VARCHAROID),
            n(p::BPCHAROID),
            n(p::NAMEOID),
            n(p::JSONOID),
            n(p::UNKNOWNOID),
        ]
        .contains(&x) =>
        {
            BinaryClass::SameAsText
        }
        BOOL => BinaryClass::Exact,
        x if EXACT.iter().any(|oid| n(*oid) == x) => BinaryClass::Exact,
        x if HOLDS_TEXT.iter().any(|oid| n(*oid) == x) => BinaryClass::HoldsText,
        _ => BinaryClass::No,
    }
}

const EXACT: &[Oid] = &[
    pg_sys::INT2OID,
    pg_sys::INT4OID,
    pg_sys::INT8OID,
    pg_sys::OIDOID,
    pg_sys::XIDOID,
    pg_sys::XID8OID,
    pg_sys::CIDOID,
    pg_sys::TIDOID,
    pg_sys::FLOAT4OID,
    pg_sys::FLOAT8OID,
    pg_sys::NUMERICOID,
    pg_sys::MONEYOID,
    pg_sys::CHAROID,
    pg_sys::BYTEAOID,
    pg_sys::UUIDOID,
    pg_sys::DATEOID,
    pg_sys::TIMEOID,
    pg_sys::TIMETZOID,
    pg_sys::TIMESTAMPOID,
    pg_sys::TIMESTAMPTZOID,
    pg_sys::INTERVALOID,
    pg_sys::INETOID,
    pg_sys::CIDROID,
    pg_sys::MACADDROID,
    pg_sys::MACADDR8OID,
    pg_sys::BITOID,
    pg_sys::VARBITOID,
    pg_sys::POINTOID,
    pg_sys::LSEGOID,
    pg_sys::PATHOID,
    pg_sys::BOXOID,
    pg_sys::POLYGONOID,
    pg_sys::LINEOID,
    pg_sys::CIRCLEOID,
    pg_sys::PG_LSNOID,
    pg_sys::INT4RANGEOID,
    pg_sys::INT8RANGEOID,
    pg_sys::NUMRANGEOID,
    pg_sys::DATERANGEOID,
    pg_sys::TSRANGEOID,
    pg_sys::TSTZRANGEOID,
    pg_sys::VOIDOID,
    pg_sys::BOOLARRAYOID,
    pg_sys::INT2ARRAYOID,
    pg_sys::INT4ARRAYOID,
    pg_sys::INT8ARRAYOID,
    pg_sys::OIDARRAYOID,
    pg_sys::FLOAT4ARRAYOID,
    pg_sys::FLOAT8ARRAYOID,
    pg_sys::NUMERICARRAYOID,
    pg_sys::BYTEAARRAYOID,
    pg_sys::UUIDARRAYOID,
    pg_sys::DATEARRAYOID,
    pg_sys::TIMEARRAYOID,
    pg_sys::TIMETZARRAYOID,
    pg_sys::TIMESTAMPARRAYOID,
    pg_sys::TIMESTAMPTZARRAYOID,
    pg_sys::INTERVALARRAYOID,
    pg_sys::INETARRAYOID,
    pg_sys::CIDRARRAYOID,
    pg_sys::MACADDRARRAYOID,
    pg_sys::MONEYARRAYOID,
    pg_sys::POINTARRAYOID,
    pg_sys::LSEGARRAYOID,
    pg_sys::PATHARRAYOID,
    pg_sys::BOXARRAYOID,
    pg_sys::POLYGONARRAYOID,
    pg_sys::LINEARRAYOID,
    pg_sys::CIRCLEARRAYOID,
    pg_sys::TSTZRANGEARRAYOID,
    pg_sys::TSTZMULTIRANGEOID,
];

const HOLDS_TEXT: &[Oid] = &[
    pg_sys::JSONBOID,
    pg_sys::TSVECTOROID,
    pg_sys::TSQUERYOID,
    pg_sys::TEXTARRAYOID,
    pg_sys::VARCHARARRAYOID,
    pg_sys::BPCHARARRAYOID,
    pg_sys::NAMEARRAYOID,
    pg_sys::JSONARRAYOID,
    pg_sys::JSONBARRAYOID,
];
