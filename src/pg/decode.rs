//! Values from their bytes off the wire.

use super::encoding::{self, ServerText};
use super::error::Error;
use super::io::{TypeFunction, malformed};
use super::settings::{self, TextSettings};
use super::tuple::check_domain;
use super::types::{TypeClass, TypeInfo, binary_form};
use super::{guard, raw};
use core::ffi::c_void;
use core::ops::Range;
use core::ptr;
use pgrx::pg_sys::{self, Datum, Oid};
use plproxy_core::types::BinaryForm;
use plproxy_remote::{Encoding, Format, LargeValue};

enum Receive {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    /// `text` and `varchar`: the bytes are the value.
    Text,
    Bytea,
    Uuid,
    /// `timestamp` and `timestamptz`; the function for what it would refuse.
    Timestamp(Box<TypeFunction>),
    Function(Box<TypeFunction>),
}

/// The finite timestamps, in microseconds from 2000 on: `MIN_TIMESTAMP` up to `END_TIMESTAMP` of PostgreSQL.
const TIMESTAMPS: Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

/// Turns wire bytes into a value of one type.
pub(crate) struct Decoder {
    domain: Option<Domain>,
    receive: Option<Receive>,
    input: Box<TypeFunction>,
}

/// A domain's functions read and check at once. Where a partition's settings are in force the two are done apart, as they are
/// for the reading alone.
struct Domain {
    oid: Oid,
    base_oid: Oid,
    base: Box<TypeFunction>,
    typmod: i32,
}

impl Domain {
    fn find(oid: Oid) -> Result<Self, Error> {
        let mut typmod = -1;
        // SAFETY: reads the catalog; the out-parameter outlives the call.
        let base = unsafe { guard::catch(|| raw::getBaseTypeAndTypmod(oid, &raw mut typmod)) }?;
        Ok(Self {
            oid,
            base_oid: base,
            base: TypeFunction::input(base)?,
            typmod,
        })
    }
}

impl Decoder {
    /// `text_only`: values come as text, but for those whose binary form is their text.
    pub(crate) fn new(info: &TypeInfo, text_only: bool) -> Result<Self, Error> {
        let oid = info.oid;
        let class = binary_form(oid);
        let receive = match oid {
            _ if class == BinaryForm::No => None,
            pg_sys::TEXTOID | pg_sys::VARCHAROID => Some(Receive::Text),
            _ if text_only || class == BinaryForm::SameAsText => None,
            pg_sys::BOOLOID => Some(Receive::Bool),
            pg_sys::INT2OID => Some(Receive::Int2),
            pg_sys::INT4OID => Some(Receive::Int4),
            pg_sys::INT8OID => Some(Receive::Int8),
            pg_sys::FLOAT4OID => Some(Receive::Float4),
            pg_sys::FLOAT8OID => Some(Receive::Float8),
            pg_sys::BYTEAOID => Some(Receive::Bytea),
            pg_sys::UUIDOID => Some(Receive::Uuid),
            pg_sys::TIMESTAMPOID | pg_sys::TIMESTAMPTZOID => {
                Some(Receive::Timestamp(TypeFunction::receive(oid)?))
            }
            _ => Some(Receive::Function(TypeFunction::receive(oid)?)),
        };
        let is_domain = info.class == TypeClass::Domain;
        let domain = is_domain.then(|| Domain::find(oid)).transpose()?;
        let receive = match &domain {
            Some(domain) if !text_only && binary_form(domain.base_oid) == BinaryForm::Exact => {
                Some(Receive::Function(TypeFunction::receive(domain.base_oid)?))
            }
            _ => receive,
        };
        Ok(Self {
            domain,
            receive,
            input: TypeFunction::input(oid)?,
        })
    }

    /// In which form values are to be asked for. What the partition calls by the name of a domain may be made of anything.
    pub(crate) fn format(&self) -> Format {
        match self.receive {
            Some(_) if self.domain.is_none() => Format::Binary,
            _ => Format::Text,
        }
    }

    /// Whether values can be read in the binary form of the type, or of what the domain is made of.
    pub(crate) fn reads_binary(&self) -> bool {
        self.receive.is_some()
    }

    /// A value from its text off the wire, in the encoding of the connection; allocated in the current context.
    pub(crate) fn read_text(
        &self,
        text: Option<&[u8]>,
        encoding: Encoding,
    ) -> Result<Option<Datum>, Error> {
        let text = match text {
            Some(text) => ServerText::new(text, encoding)?.to_cstring()?,
            // It may refuse a NULL.
            None if self.domain.is_some() => {
                let _own = TextSettings::own()?;
                return self.input.call_input(ptr::null_mut(), -1).map(|_| None);
            }
            None => return Ok(None),
        };
        match &self.domain {
            Some(domain) if settings::is_partitions_style() => {
                let value = domain.base.call_input(text, domain.typmod)?;
                check_domain(value, domain.oid)?;
                Ok(Some(value))
            }
            _ => self.input.call_input(text, -1).map(Some),
        }
    }

    /// The same as `read_binary` for a large value, whose memory is given back while it is copied.
    pub(crate) fn take_binary(
        &self,
        value: LargeValue,
        encoding: Encoding,
    ) -> Result<Datum, Error> {
        let bytes = value.bytes();
        let whole = match &self.receive {
            Some(Receive::Bytea) => true,
            Some(Receive::Text) => ptr::eq(ServerText::new(bytes, encoding)?.as_bytes(), bytes),
            _ => false,
        };
        if whole {
            return varlena_of(bytes.len(), |fill| value.drain(fill));
        }
        let read = self.read_binary(Some(bytes), encoding)?;
        // A value that is there is none of NULL.
        read.ok_or_else(malformed)
    }

    /// A value from its type's binary form; allocated in the current context.
    pub(crate) fn read_binary(
        &self,
        bytes: Option<&[u8]>,
        encoding: Encoding,
    ) -> Result<Option<Datum>, Error> {
        let (Some(bytes), Some(receive)) = (bytes, &self.receive) else {
            return self.read_text(bytes, encoding);
        };
        let fixed = match (receive, bytes) {
            (Receive::Bool, [byte]) => Some(Datum::from(*byte != 0)),
            (Receive::Int2, [a, b]) => Some(Datum::from(i16::from_be_bytes([*a, *b]))),
            (Receive::Int4, [a, b, c, d]) => {
                Some(Datum::from(i32::from_be_bytes([*a, *b, *c, *d])))
            }
            (Receive::Int8 | Receive::Float8, [a, b, c, d, e, f, g, h]) => {
                Some(Datum::from(i64::from_be_bytes([
                    *a, *b, *c, *d, *e, *f, *g, *h,
                ])))
            }
            (Receive::Timestamp(_), [a, b, c, d, e, f, g, h]) => {
                let time = i64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                TIMESTAMPS.contains(&time).then(|| Datum::from(time))
            }
            (Receive::Float4, [a, b, c, d]) => {
                Some(Datum::from(i32::from_be_bytes([*a, *b, *c, *d])))
            }
            (Receive::Uuid, bytes) if bytes.len() == 16 => {
                Some(Datum::from(encoding::palloc_cstring(bytes)?))
            }
            (Receive::Text, bytes) => Some(varlena(ServerText::new(bytes, encoding)?.as_bytes())?),
            (Receive::Bytea, bytes) => Some(varlena(bytes)?),
            _ => None,
        };
        match (fixed, receive) {
            (Some(value), _) => Ok(Some(value)),
            (None, Receive::Function(function) | Receive::Timestamp(function)) => {
                let typmod = self.domain.as_ref().map_or(-1, |domain| domain.typmod);
                let value = function.call_receive(bytes, encoding, typmod)?;
                if let Some(domain) = &self.domain {
                    check_domain(value, domain.oid)?;
                }
                Ok(Some(value))
            }
            // A length that the type cannot have.
            (None, _) => Err(malformed()),
        }
    }
}

/// A varlena with a four-byte header, in the current memory context.
pub(super) fn varlena(bytes: &[u8]) -> Result<Datum, Error> {
    varlena_of(bytes.len(), |fill| fill(0, bytes))
}

/// The same, of so many bytes that `give` hands over in pieces, each with its place. They must be all of them.
fn varlena_of(len: usize, give: impl FnOnce(&mut dyn FnMut(usize, &[u8]))) -> Result<Datum, Error> {
    let size = len + pg_sys::VARHDRSZ;
    // SAFETY: MemoryContextAlloc raises for more than a varlena can hold; what it gives is `size` bytes, aligned. No piece is
    // written beyond them, and together the pieces are all of them, as both callers see to.
    unsafe {
        let value: *mut c_void =
            guard::catch(|| raw::MemoryContextAlloc(pg_sys::CurrentMemoryContext, size))?;
        pgrx::set_varsize_4b(value.cast(), size as i32);
        let start = value.cast::<u8>().add(pg_sys::VARHDRSZ);
        give(&mut |at, bytes| {
            if at.checked_add(bytes.len()).is_some_and(|end| end <= len) {
                ptr::copy_nonoverlapping(bytes.as_ptr(), start.add(at), bytes.len());
            }
        });
        Ok(Datum::from(value))
    }
}
