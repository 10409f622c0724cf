//! The two edges of law 9: UTF-8 inside, the database's encoding in PostgreSQL. In a database of encoding SQL_ASCII, whose
//! text may be anything, values are bytes that pass as they are; names and statements must be UTF-8 there too.

use super::guard::{self, Raised};
use super::{exit, raw};
use crate::error::{Error, Report, sqlstate};
use core::ffi::{CStr, c_char, c_int};
use pgrx::pg_sys;
use plproxy_core::room;
use plproxy_remote::Encoding;

const UTF8: i32 = pg_sys::pg_enc::PG_UTF8 as i32;
const SQL_ASCII: i32 = pg_sys::pg_enc::PG_SQL_ASCII as i32;

/// Whether the database's encoding is UTF-8.
pub(crate) fn database_is_utf8() -> bool {
    // SAFETY: reads a static of the backend.
    unsafe { raw::GetDatabaseEncoding() == UTF8 }
}

/// Whether the database's encoding is SQL_ASCII: none in particular.
pub(crate) fn database_is_sql_ascii() -> bool {
    // SAFETY: reads a static of the backend.
    unsafe { raw::GetDatabaseEncoding() == SQL_ASCII }
}

/// The encoding of values on the connections to partitions; it never changes within a backend.
pub(crate) fn wire() -> Encoding {
    if database_is_sql_ascii() {
        Encoding::Raw
    } else {
        Encoding::Utf8
    }
}

/// The same by PostgreSQL's number, for its own conversions.
fn wire_number() -> i32 {
    if database_is_sql_ascii() {
        SQL_ASCII
    } else {
        UTF8
    }
}

/// Whether the session's client encoding is UTF-8: PostgreSQL's binary send and receive functions convert text to and
/// from the client's encoding.
pub(crate) fn client_is_utf8() -> bool {
    // SAFETY: reads a static of the backend.
    unsafe { raw::pg_get_client_encoding() == UTF8 }
}

/// While it lives the client's encoding is UTF-8.
pub(super) struct ClientUtf8 {
    before: Option<c_int>,
}

impl ClientUtf8 {
    /// Has PostgreSQL's binary send and receive functions write and read UTF-8, whatever the session has set since the
    /// statement's form was chosen. Costs nothing where the client's encoding is UTF-8.
    pub(super) fn pin() -> Result<Self, Error> {
        if client_is_utf8() {
            return Ok(Self { before: None });
        }
        // SAFETY: reads a static of the backend.
        let before = unsafe { raw::pg_get_client_encoding() };
        // SAFETY: looks up the conversion, then sets statics.
        let set = unsafe {
            guard::catch(|| {
                raw::PrepareClientEncoding(UTF8) >= 0 && raw::SetClientEncoding(UTF8) >= 0
            })
        }?;
        if !set {
            return Err(Report::internal("could not set the client encoding to UTF8").into());
        }
        Ok(Self {
            before: Some(before),
        })
    }
}

impl Drop for ClientUtf8 {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            // SAFETY: sets statics; the conversion of an encoding that was in force is known. It does not raise.
            unsafe { raw::SetClientEncoding(before) };
        }
    }
}

/// Appends bytes. A value may be large: without memory for it the call fails, not the server.
pub(super) fn append(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    room::reserve(out, bytes.len())?;
    out.extend_from_slice(bytes);
    Ok(())
}

/// Text of the database in the encoding of the wire, appended to `out`.
pub(crate) fn append_wire(text: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    if database_is_utf8() || database_is_sql_ascii() {
        return append(text, out);
    }
    let len = i32::try_from(text.len()).unwrap_or(i32::MAX);
    let start: *const c_char = text.as_ptr().cast();
    // SAFETY: `text` is `len` bytes; the result is the same pointer or a NUL-terminated copy.
    let converted = unsafe { guard::catch(|| raw::pg_server_to_any(start, len, UTF8)) }?;
    if core::ptr::eq(converted, start) {
        return append(text, out);
    }
    // SAFETY: a converted copy is NUL-terminated, palloc'd and ours.
    unsafe {
        append(CStr::from_ptr(converted).to_bytes(), out)?;
        raw::pfree(converted.cast());
    }
    Ok(())
}

/// Text of the database as a `String`: a name, a statement, a connection string.
pub(crate) fn to_string(text: &[u8]) -> Result<String, Error> {
    let mut wire = Vec::new();
    append_wire(text, &mut wire)?;
    // The text itself is not shown: it may hold a password.
    String::from_utf8(wire).map_err(|_| {
        let what = "PL/Proxy: names, function bodies and connection strings must be valid UTF-8";
        Report::new(sqlstate::CHARACTER_NOT_IN_REPERTOIRE, what).into()
    })
}

/// The same for a message, in which what cannot be converted is replaced.
pub(crate) fn to_string_lossy(text: &[u8]) -> Result<String, Error> {
    match to_string(text) {
        Err(Error::Raised(raised)) if !raised.is_of_conversion() => Err(raised.into()),
        Err(error) => {
            error.ends_here(NOTHING_HELD);
            Ok(String::from_utf8_lossy(text).into_owned())
        }
        ok => ok,
    }
}

/// The same for a C string of PostgreSQL.
///
/// # Safety
/// `text` must be a live, NUL-terminated string.
pub(super) unsafe fn cstr_to_string(text: *const c_char) -> Result<String, Error> {
    // SAFETY: as promised by the caller.
    to_string(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// Text off the wire as text of the database: checked, converted, in the current memory context.
pub(super) struct ServerText<'a> {
    start: *const c_char,
    len: usize,
    _wire: core::marker::PhantomData<&'a [u8]>,
}

impl<'a> ServerText<'a> {
    pub(super) fn new(wire: &'a [u8]) -> Result<Self, Raised> {
        // ASCII is the same in every encoding that a database can have.
        let same = || (database_is_utf8() && std::str::from_utf8(wire).is_ok()) || wire.is_ascii();
        if !wire.contains(&0) && same() {
            return Ok(Self {
                start: wire.as_ptr().cast(),
                len: wire.len(),
                _wire: core::marker::PhantomData,
            });
        }
        let len = i32::try_from(wire.len()).unwrap_or(i32::MAX);
        let start: *const c_char = wire.as_ptr().cast();
        // SAFETY: `wire` is `len` bytes. Raises what is invalid, a NUL included, which is all that SQL_ASCII refuses.
        let converted =
            unsafe { guard::catch(|| raw::pg_any_to_server(start, len, wire_number())) }?;
        let len = if core::ptr::eq(converted, start) {
            wire.len()
        } else {
            // SAFETY: a converted copy is NUL-terminated.
            unsafe { CStr::from_ptr(converted) }.to_bytes().len()
        };
        Ok(Self {
            start: converted,
            len,
            _wire: core::marker::PhantomData,
        })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        // SAFETY: the bytes of the borrowed slice, or of a copy in the current memory context, which outlives us.
        unsafe { core::slice::from_raw_parts(self.start.cast(), self.len) }
    }

    /// A NUL-terminated copy in the current memory context.
    pub(super) fn to_cstring(&self) -> Result<*mut c_char, Raised> {
        palloc_cstring(self.as_bytes())
    }
}

/// A NUL-terminated copy of bytes in the current memory context.
pub(super) fn palloc_cstring(bytes: &[u8]) -> Result<*mut c_char, Raised> {
    // SAFETY: the current context is alive; the copy stays within what was allocated.
    unsafe {
        let copy: *mut u8 = guard::catch(|| {
            raw::MemoryContextAllocHuge(pg_sys::CurrentMemoryContext, bytes.len() + 1)
        })?
        .cast();
        core::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
        copy.add(bytes.len()).write(0);
        Ok(copy.cast())
    }
}

/// A Rust string as a C string of the database's encoding.
pub(super) fn cstring(text: &str) -> Result<*mut c_char, Raised> {
    ServerText::new(text.as_bytes())?.to_cstring()
}

/// Text of a message: a character that the database's encoding lacks becomes a question mark, as losing the message
/// would be worse.
pub(super) fn message(text: &str) -> Result<*const c_char, Raised> {
    let without_zeros;
    let mut text = text;
    if text.contains('\0') {
        let mut bytes = room::copy(text.as_bytes()).map_err(Raised::out_of_memory)?;
        let zeros = bytes.iter_mut().filter(|byte| **byte == 0);
        zeros.for_each(|byte| *byte = b'?');
        without_zeros = bytes;
        text = str::from_utf8(&without_zeros).unwrap_or_default();
    }
    // What can be converted only with a look at catalogs cannot be where there are none, as at a transaction's end; and nothing
    // that may be unknown to the database's encoding, where an error could not be caught.
    // SAFETY: reads statics of the backend.
    let converts = database_is_utf8()
        || !exit::is_under_way() && (client_is_utf8() || unsafe { pg_sys::IsTransactionState() });
    if text.is_ascii() || converts {
        match cstring(text) {
            Err(raised) if raised.is_of_conversion() => raised.ends_here(NOTHING_HELD),
            result => return result.map(<*mut c_char>::cast_const),
        }
    }
    let mut bytes = Vec::new();
    // No encoding takes more.
    room::reserve(&mut bytes, text.len().saturating_mul(2)).map_err(Raised::out_of_memory)?;
    let mut buffer = [0; 4];
    for character in text.chars() {
        let character = character.encode_utf8(&mut buffer).as_bytes();
        if !(character.is_ascii() || converts) {
            bytes.push(b'?');
            continue;
        }
        match ServerText::new(character) {
            Ok(known) => bytes.extend_from_slice(known.as_bytes()),
            Err(raised) if raised.is_of_conversion() => {
                raised.ends_here(NOTHING_HELD);
                bytes.push(b'?');
            }
            Err(raised) => return Err(raised),
        }
    }
    palloc_cstring(&bytes).map(<*mut c_char>::cast_const)
}

/// Why an error about a character may end here.
pub(super) const NOTHING_HELD: &str =
    "a conversion that was found, or was not, has let go of the catalogs";
