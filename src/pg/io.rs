//! Datum → parameter bytes, and wire bytes → Datum.
//!
//! The commonest built-in types are read and written here directly; every other one goes through its own send, receive,
//! input or output function. Text on the wire is in the encoding of the connection.

use super::allocator;
use super::encoding::{self, ClientEncoding, ServerText};
use super::error::PgError;
use super::error::{Error, Report, sqlstate};
use super::guard;
use super::memory::Context;
use super::settings::{self, TextSettings};
use super::tuple::check_domain;
use super::types::{TypeClass, TypeInfo, binary_form};
use super::{objects, raw};
use core::cell::{Cell, UnsafeCell};
use core::ffi::{CStr, c_void};
use core::ops::Range;
use core::ptr;
use pgrx::pg_sys::{self, Datum, FmgrInfo, Oid};
use plproxy_core::object_names::ObjectType;
use plproxy_core::types::BinaryForm;
use plproxy_remote::{Encoding, Format, LargeValue, Param};

/// A function of a type, looked up once and kept with its own memory.
struct TypeFunction {
    info: UnsafeCell<FmgrInfo>,
    function: Oid,
    io_param: Oid,
    busy: Cell<bool>,
    /// What the function keeps between calls; dropped last.
    _memory: Context,
}

impl TypeFunction {
    fn find(function: Oid, io_param: Oid) -> Result<Box<Self>, Error> {
        let memory = Context::for_cache()?;
        let (info, context) = (UnsafeCell::new(FmgrInfo::default()), memory.as_ptr());
        let this = Box::new(Self {
            info,
            function,
            io_param,
            busy: Cell::new(false),
            _memory: memory,
        });
        let info = this.info.get();
        // SAFETY: `info` is boxed, so that the pointers PostgreSQL keeps to it stay good; its memory lives as long.
        unsafe { guard::catch(|| raw::fmgr_info_cxt(function, info, context)) }?;
        Ok(this)
    }

    fn input(type_oid: Oid) -> Result<Box<Self>, Error> {
        let (mut function, mut io_param) = (Oid::INVALID, Oid::INVALID);
        // SAFETY: out-parameters outlive the call.
        unsafe {
            guard::catch(|| raw::getTypeInputInfo(type_oid, &raw mut function, &raw mut io_param))
        }?;
        Self::find(function, io_param)
    }

    fn receive(type_oid: Oid) -> Result<Box<Self>, Error> {
        let (mut function, mut io_param) = (Oid::INVALID, Oid::INVALID);
        // SAFETY: out-parameters outlive the call.
        unsafe {
            guard::catch(|| {
                raw::getTypeBinaryInputInfo(type_oid, &raw mut function, &raw mut io_param)
            })
        }?;
        Self::find(function, io_param)
    }

    fn output(type_oid: Oid) -> Result<Box<Self>, Error> {
        let (mut function, mut is_varlena) = (Oid::INVALID, false);
        // SAFETY: out-parameters outlive the call.
        unsafe {
            guard::catch(|| {
                raw::getTypeOutputInfo(type_oid, &raw mut function, &raw mut is_varlena)
            })
        }?;
        Self::find(function, Oid::INVALID)
    }

    fn send(type_oid: Oid) -> Result<Box<Self>, Error> {
        let (mut function, mut is_varlena) = (Oid::INVALID, false);
        // SAFETY: out-parameters outlive the call.
        unsafe {
            guard::catch(|| {
                raw::getTypeBinaryOutputInfo(type_oid, &raw mut function, &raw mut is_varlena)
            })
        }?;
        Self::find(function, Oid::INVALID)
    }

    /// Runs the function. A call from inside it, as from a domain's check, gets a function info of its own: what the
    /// outer call keeps there is in use.
    fn call<T>(&self, run: impl FnOnce(*mut FmgrInfo) -> Result<T, PgError>) -> Result<T, Error> {
        if self.busy.get() {
            let own = Self::find(self.function, self.io_param)?;
            return Ok(run(own.info.get())?);
        }
        self.busy.set(true);
        let result = run(self.info.get());
        self.busy.set(false);
        Ok(result?)
    }

    /// The value's text, in the current memory context.
    fn call_output(&self, value: Datum) -> Result<&CStr, Error> {
        // SAFETY: an output function of the value's type.
        let text =
            self.call(|info| unsafe { guard::catch(|| raw::OutputFunctionCall(info, value)) })?;
        // SAFETY: it returned a palloc'd C string.
        Ok(unsafe { CStr::from_ptr(text) })
    }

    /// The value's binary form, in the current memory context.
    fn call_send(&self, value: Datum, encoding: Encoding) -> Result<&[u8], Error> {
        let _client = ClientEncoding::pin(encoding)?;
        // SAFETY: a send function of the value's type.
        let bytes =
            self.call(|info| unsafe { guard::catch(|| raw::SendFunctionCall(info, value)) })?;
        // SAFETY: it returned a palloc'd, untoasted bytea.
        Ok(unsafe { varlena_bytes(bytes) })
    }

    fn call_input(&self, text: *mut core::ffi::c_char, typmod: i32) -> Result<Datum, Error> {
        let io_param = self.io_param;
        // SAFETY: an input function; `text` is null (a NULL for a domain's check) or a C string.
        self.call(|info| unsafe {
            guard::catch(|| raw::InputFunctionCall(info, text, io_param, typmod))
        })
    }

    fn call_receive(&self, bytes: &[u8], encoding: Encoding) -> Result<Datum, Error> {
        let io_param = self.io_param;
        // Receive functions may write a NUL behind each element, so the buffer is a copy with one byte more.
        let data = encoding::palloc_cstring(bytes)?;
        let len = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        let mut buffer = pg_sys::StringInfoData {
            data,
            len,
            maxlen: len.saturating_add(1),
            cursor: 0,
        };
        let pointer = &raw mut buffer;
        let _client = ClientEncoding::pin(encoding)?;
        // SAFETY: a receive function and a well-formed StringInfo.
        let value = self.call(|info| unsafe {
            guard::catch(|| raw::ReceiveFunctionCall(info, pointer, io_param, -1))
        })?;
        if buffer.cursor == len {
            Ok(value)
        } else {
            Err(malformed())
        }
    }
}

/// The payload of an untoasted or short varlena.
///
/// # Safety
/// `value` must point to a live varlena that is neither compressed nor out of line.
unsafe fn varlena_bytes<'a>(value: *const pg_sys::varlena) -> &'a [u8] {
    // SAFETY: as promised.
    unsafe {
        let len = pgrx::varsize_any_exhdr(value);
        core::slice::from_raw_parts(pgrx::vardata_any(value).cast(), len)
    }
}

/// The payload of any varlena; detoasted into the current memory context if need be.
pub(super) fn detoasted(value: Datum) -> Result<&'static [u8], Error> {
    let pointer: *mut pg_sys::varlena = value.cast_mut_ptr();
    // SAFETY: the value is of a varlena type; the bytes live as long as the call's memory.
    unsafe {
        if pgrx::varatt_is_4b_u(pointer)
            || (pgrx::varatt_is_1b(pointer) && !pgrx::varatt_is_1b_e(pointer))
        {
            return Ok(varlena_bytes(pointer));
        }
        let flat = guard::catch(|| raw::pg_detoast_datum_packed(pointer))?;
        Ok(varlena_bytes(flat))
    }
}

enum Encode {
    Bool,
    Int2,
    Int4,
    Int8,
    /// Text types: the bytes themselves, in the encoding of the wire.
    Text,
    Bytea,
    Uuid,
    Send(Box<TypeFunction>),
    Output(Box<TypeFunction>),
    /// An object of the catalogs by its full name; the output function for what is none.
    Object(ObjectType, Box<TypeFunction>),
}

/// Turns a value of one type into a parameter.
pub(crate) struct Encoder(Encode);

impl Encoder {
    /// `text_only`: never the binary form (`disable_binary`).
    pub(crate) fn new(info: &TypeInfo, text_only: bool) -> Result<Self, Error> {
        let class = binary_form(info.oid);
        let object = ObjectType::of(info.clone().base()?.oid.to_u32());
        if let Some(object) = object.filter(|object| objects::are_written_here(*object)) {
            let output = TypeFunction::output(info.oid)?;
            return Ok(Self(Encode::Object(object, output)));
        }
        Ok(Self(match info.oid {
            pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID | pg_sys::JSONOID => {
                Encode::Text
            }
            _ if text_only || class == BinaryForm::No || class == BinaryForm::SameAsText => {
                Encode::Output(TypeFunction::output(info.oid)?)
            }
            pg_sys::BOOLOID => Encode::Bool,
            pg_sys::INT2OID => Encode::Int2,
            pg_sys::INT4OID => Encode::Int4,
            pg_sys::INT8OID | pg_sys::TIMESTAMPOID | pg_sys::TIMESTAMPTZOID | pg_sys::TIMEOID => {
                Encode::Int8
            }
            pg_sys::BYTEAOID => Encode::Bytea,
            pg_sys::UUIDOID => Encode::Uuid,
            oid => Encode::Send(TypeFunction::send(oid)?),
        }))
    }

    /// Whether it uses the type's output function, whose text may depend on the session's settings, and is not known not to.
    pub(crate) fn writes_text(&self) -> bool {
        matches!(self.0, Encode::Output(_))
    }

    /// Whether it uses the type's send function, and so writes the binary form.
    pub(crate) fn sends(&self) -> bool {
        matches!(self.0, Encode::Send(_))
    }

    /// The value as a parameter in the encoding of a connection; scratch memory comes from the current context.
    pub(crate) fn encode(&self, value: Option<Datum>, encoding: Encoding) -> Result<Param, Error> {
        let Some(value) = value else {
            return Ok(Param::Null);
        };
        allocator::check()?;
        let number = value.value() as u64;
        Ok(match &self.0 {
            Encode::Bool => Param::Binary(vec![number as u8]),
            Encode::Int2 => Param::Binary((number as i16).to_be_bytes().to_vec()),
            Encode::Int4 => Param::Binary((number as i32).to_be_bytes().to_vec()),
            Encode::Int8 => Param::Binary((number as i64).to_be_bytes().to_vec()),
            Encode::Text => Param::Text(wire(detoasted(value)?, encoding)?),
            Encode::Bytea => Param::Binary(copy(detoasted(value)?)?),
            // SAFETY: a uuid is 16 bytes by reference.
            Encode::Uuid => Param::Binary(
                unsafe { core::slice::from_raw_parts(value.cast_mut_ptr::<u8>(), 16) }.to_vec(),
            ),
            Encode::Send(function) => Param::Binary(copy(function.call_send(value, encoding)?)?),
            Encode::Output(function) => {
                Param::Text(wire(function.call_output(value)?.to_bytes(), encoding)?)
            }
            Encode::Object(object, function) => {
                let (object, oid) = (*object, Oid::from(value.value() as u32));
                // SAFETY: the closure owns nothing.
                let name = unsafe { guard::catch(|| objects::full_name(object, oid)) }?;
                let text = if name.is_null() {
                    function.call_output(value)?
                } else {
                    // SAFETY: a C string in the current memory context.
                    unsafe { CStr::from_ptr(name) }
                };
                Param::Text(wire(text.to_bytes(), encoding)?)
            }
        })
    }
}

/// Text of the database in the encoding of a connection.
fn wire(text: &[u8], encoding: Encoding) -> Result<Vec<u8>, Error> {
    let mut wire = Vec::new();
    encoding::append_wire(text, encoding, &mut wire)?;
    Ok(wire)
}

/// A copy of a value's bytes.
fn copy(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut copy = Vec::new();
    encoding::append(bytes, &mut copy)?;
    Ok(copy)
}

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

/// A domain's input function reads and checks at once. Where a partition's settings are in force the two are done apart, as
/// they are for the reading alone.
struct Domain {
    oid: Oid,
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
        Ok(Self {
            domain: is_domain.then(|| Domain::find(oid)).transpose()?,
            receive,
            input: TypeFunction::input(oid)?,
        })
    }

    /// In which form values are to be asked for.
    pub(crate) fn format(&self) -> Format {
        match self.receive {
            Some(_) => Format::Binary,
            None => Format::Text,
        }
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
                function.call_receive(bytes, encoding).map(Some)
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

/// What a server sent is no value of the type.
fn malformed() -> Error {
    Report::new(
        sqlstate::PROTOCOL_VIOLATION,
        "incorrect binary data format in remote result",
    )
    .into()
}
