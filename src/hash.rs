//! The hash that picks a partition, for values that are not integers too, and its SQL function.
#![forbid(unsafe_code)]

use crate::error::{Error, FunctionLabel, Report};
use crate::pg::fcinfo::CallInfo;
use crate::pg::io::Encoder;
use crate::pg::types::TypeClass;
use crate::type_cache;
use core::cell::RefCell;
use pgrx::pg_sys::{self, Datum, Oid};
use plproxy_core::hash::{siphash, trim_bpchar};
use plproxy_core::int_map::IntMap;
use plproxy_core::types::BuiltInType;
use plproxy_remote::{Encoding, Param};
use std::rc::Rc;

/// How values of one type hash.
pub(crate) enum HashKind {
    /// The integers are the hash themselves.
    Int2,
    Int4,
    Int8,
    /// SipHash-2-4 of the value's bytes: text in UTF-8, else its binary send form.
    Bytes {
        encoder: Rc<Encoder>,
        /// `char(n)`: trailing blanks are not part of the value.
        trim: bool,
    },
}

thread_local! {
    /// Of the types that were asked for, until one of them changes.
    static KINDS: RefCell<IntMap<Oid, Rc<HashKind>>> = RefCell::default();
}

/// A type has changed.
pub(crate) fn forget() {
    // Taken out first: dropping goes through PostgreSQL.
    let kinds = KINDS.take();
    drop(kinds);
}

/// How values of a type hash, found once; the type's name where they cannot.
fn find(oid: Oid) -> Result<Result<Rc<HashKind>, String>, Error> {
    if let Some(kind) = KINDS.with_borrow(|kinds| kinds.get(&oid).cloned()) {
        return Ok(Ok(kind));
    }
    match HashKind::of(oid)? {
        Some(kind) => {
            let kind = Rc::new(kind);
            KINDS.with_borrow_mut(|kinds| kinds.insert(oid, Rc::clone(&kind)));
            Ok(Ok(kind))
        }
        None => type_cache::type_info(oid)?.display().map(Err),
    }
}

/// How values of a type hash, or the error that they cannot.
pub(crate) fn kind(type_oid: Oid, label: &FunctionLabel) -> Result<Rc<HashKind>, Error> {
    find(type_oid)?.map_err(|name| label.error(cannot_hash(&name)))
}

impl HashKind {
    /// How values of a type hash, if they can.
    pub(crate) fn of(type_oid: Oid) -> Result<Option<Self>, Error> {
        let info = type_cache::base_type(type_oid)?;
        Ok(Some(match info.oid {
            pg_sys::INT2OID => Self::Int2,
            pg_sys::INT4OID => Self::Int4,
            pg_sys::INT8OID => Self::Int8,
            oid if info.class == TypeClass::Enum || is_hashable(oid) => Self::Bytes {
                encoder: type_cache::encoder(&info, false)?,
                trim: oid == pg_sys::BPCHAROID,
            },
            _ => return Ok(None),
        }))
    }

    /// A value's hash; scratch memory comes from the current context.
    pub(crate) fn hash(&self, value: Datum) -> Result<i64, Error> {
        let number = value.value();
        Ok(match self {
            Self::Int2 => i64::from(number as i16),
            Self::Int4 => i64::from(number as i32),
            Self::Int8 => number as i64,
            Self::Bytes { encoder, trim } => match encoder.encode(Some(value), Encoding::UTF8)? {
                Param::Null => 0,
                Param::Text(text) if *trim => siphash(trim_bpchar(&text)),
                Param::Text(bytes) | Param::Binary(bytes) => siphash(&bytes),
            },
        })
    }
}

fn is_hashable(oid: Oid) -> bool {
    BuiltInType::of(oid.to_u32()).is_some_and(|built_in| built_in.hashable)
}

fn cannot_hash(name: &str) -> String {
    format!("cannot hash type {name} to a partition")
}

/// `plproxy_hash(anyelement) → int8`.
pub(crate) fn sql_hash(info: &mut CallInfo) -> Result<Datum, Error> {
    let type_oid = info.arg_type(0)?;
    let kind = find(type_oid)?.map_err(|name| Error::from(Report::internal(cannot_hash(&name))))?;
    match info.arg(0) {
        Some(value) => Ok(Datum::from(kind.hash(value)?)),
        None => Ok(info.return_null()),
    }
}
