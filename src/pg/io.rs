//! Datum → parameter bytes, and the functions of types; for wire bytes → Datum see `decode`.
//!
//! The commonest built-in types are read and written here directly; every other one goes through its own send, receive,
//! input or output function. Text on the wire is in the encoding of the connection.

use super::allocator;
use super::encoding::{self, ClientEncoding};
use super::error::{Error, PgError, Report, sqlstate};
use super::guard;
use super::memory::Context;
use super::types::{TypeInfo, binary_form};
use super::{objects, raw};
use core::cell::{Cell, UnsafeCell};
use core::ffi::CStr;
use pgrx::pg_sys::{self, Datum, FmgrInfo, Oid};
use plproxy_core::object_names::ObjectType;
use plproxy_core::types::BinaryForm;
use plproxy_remote::{Encoding, Param};

/// A function of a type, looked up once and kept with its own memory.
pub(super) struct TypeFunction {
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

    pub(super) fn input(type_oid: Oid) -> Result<Box<Self>, Error> {
        let (mut function, mut io_param) = (Oid::INVALID, Oid::INVALID);
        // SAFETY: out-parameters outlive the call.
        unsafe {
            guard::catch(|| raw::getTypeInputInfo(type_oid, &raw mut function, &raw mut io_param))
        }?;
        Self::find(function, io_param)
    }

    pub(super) fn receive(type_oid: Oid) -> Result<Box<Self>, Error> {
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

    pub(super) fn call_input(
        &self,
        text: *mut core::ffi::c_char,
        typmod: i32,
    ) -> Result<Datum, Error> {
        let io_param = self.io_param;
        // SAFETY: an input function; `text` is null (a NULL for a domain's check) or a C string.
        self.call(|info| unsafe {
            guard::catch(|| raw::InputFunctionCall(info, text, io_param, typmod))
        })
    }

    pub(super) fn call_receive(
        &self,
        bytes: &[u8],
        encoding: Encoding,
        typmod: i32,
    ) -> Result<Datum, Error> {
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
            guard::catch(|| raw::ReceiveFunctionCall(info, pointer, io_param, typmod))
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

/// What a server sent is no value of the type.
pub(super) fn malformed() -> Error {
    Report::new(
        sqlstate::PROTOCOL_VIOLATION,
        "incorrect binary data format in remote result",
    )
    .into()
}
