//! The hash that picks a partition, for values that are not integers too, and its SQL function.
#![forbid(unsafe_code)]

use crate::error::{Error, FunctionLabel, Report};
use crate::pg::fcinfo::CallInfo;
use crate::pg::io::Encoder;
use crate::pg::memory::Context;
use crate::pg::types::{TypeClass, TypeInfo};
use core::cell::RefCell;
use pgrx::pg_sys::{self, Datum, Oid};
use plproxy_core::hash::{siphash, trim_bpchar};
use plproxy_remote::Param;
use std::collections::HashMap;
use std::rc::Rc;

/// How values of one type hash.
pub(crate) enum HashKind {
    /// The integers are the hash themselves.
    Int2,
    Int4,
    Int8,
    /// SipHash-2-4 of the value's bytes: text in UTF-8, else its binary send form.
    Bytes(Box<Bytes>),
}

/// See [`HashKind::Bytes`].
pub(crate) struct Bytes {
    encoder: Encoder,
    /// `char(n)`: trailing blanks are not part of the value.
    trim: bool,
    /// Memory of the encoder; dropped last.
    _memory: Context,
}

thread_local! {
    static KINDS: RefCell<HashMap<Oid, Rc<HashKind>>> = RefCell::new(HashMap::new());
}

/// Drops what is known of types.
pub(crate) fn forget() {
    drop(KINDS.take());
}

impl HashKind {
    /// The way of a type, or the error that there is none.
    pub(crate) fn of(type_oid: Oid, label: &FunctionLabel) -> Result<Rc<Self>, Error> {
        Self::find(type_oid)?.map_err(|name| label.error(cannot_hash(&name)))
    }

    /// The way of a type, or the type's name where there is none.
    fn find(type_oid: Oid) -> Result<Result<Rc<Self>, String>, Error> {
        if let Some(kind) = KINDS.with_borrow(|kinds| kinds.get(&type_oid).cloned()) {
            return Ok(Ok(kind));
        }
        let info = TypeInfo::find(type_oid)?.base()?;
        let kind = match info.oid {
            pg_sys::INT2OID => Self::Int2,
            pg_sys::INT4OID => Self::Int4,
            pg_sys::INT8OID => Self::Int8,
            oid if HASHABLE.contains(&oid) || info.class == TypeClass::Enum => {
                let memory = Context::for_cache()?;
                let encoder = Encoder::new(&info, false, &memory)?;
                Self::Bytes(Box::new(Bytes { encoder, trim: oid == pg_sys::BPCHAROID, _memory: memory }))
            }
            _ => return Ok(Err(TypeInfo::find(type_oid)?.display()?)),
        };
        let kind = Rc::new(kind);
        KINDS.with_borrow_mut(|kinds| kinds.insert(type_oid, Rc::clone(&kind)));
        Ok(Ok(kind))
    }

    /// A value's hash; scratch memory comes from the current context.
    pub(crate) fn hash(&self, value: Datum) -> Result<i64, Error> {
        let number = value.value();
        Ok(match self {
            Self::Int2 => i64::from(number as i16),
            Self::Int4 => i64::from(number as i32),
            Self::Int8 => number as i64,
            Self::Bytes(bytes) => match bytes.encoder.encode(Some(value))? {
                Param::Null => 0,
                Param::Text(text) if bytes.trim => siphash(trim_bpchar(&text)),
                Param::Text(bytes) | Param::Binary(bytes) => siphash(&bytes),
            },
        })
    }
}

fn cannot_hash(name: &str) -> String {
    format!("cannot hash type {name} to a partition")
}

/// The types whose bytes are hashed, besides enums: those whose bytes are the same on every server.
const HASHABLE: [Oid; 15] = [
    pg_sys::TEXTOID,
    pg_sys::VARCHAROID,
    pg_sys::BPCHAROID,
    pg_sys::NAMEOID,
    pg_sys::BYTEAOID,
    pg_sys::UUIDOID,
    pg_sys::BOOLOID,
    pg_sys::DATEOID,
    pg_sys::TIMEOID,
    pg_sys::TIMESTAMPOID,
    pg_sys::TIMESTAMPTZOID,
    pg_sys::INETOID,
    pg_sys::CIDROID,
    pg_sys::MACADDROID,
    pg_sys::UNKNOWNOID,
];

/// `plproxy_hash(anyelement) → int8`.
pub(crate) fn sql_hash(info: &mut CallInfo) -> Result<Datum, Error> {
    let type_oid = info.arg_type(0)?;
    let kind = HashKind::find(type_oid)?.map_err(|name| Error::from(Report::internal(cannot_hash(&name))))?;
    match info.arg(0) {
        Some(value) => Ok(Datum::from(kind.hash(value)?)),
        None => Ok(info.return_null()),
    }
}
