//! The edges of law 9: text of the database, on the wire and as Rust strings.
//!
//! On the wire text is in the database's encoding, or in UTF-8 where a partition's server cannot speak that. A Rust string
//! of the database's text is UTF-8 in a database of UTF-8; in others its bytes are kept, as `plproxy_core::database_text`
//! has it. In a database of encoding SQL_ASCII text may be anything.

use super::error::{Error, PgError, Report, sqlstate};
use super::{exit, guard, raw};
use core::ffi::{CStr, c_char, c_int};
use pgrx::pg_sys;
use plproxy_core::{database_text, room};
use plproxy_remote::{Encoding, SqlText};
use std::borrow::Cow;

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

/// The database's encoding, which connections to partitions speak if they can; it never changes within a backend.
pub(crate) fn database() -> Encoding {
    if database_is_utf8() {
        return Encoding::UTF8;
    }
    // SAFETY: a C string of PostgreSQL's table of encodings, which is constant.
    let name: &'static CStr = unsafe { CStr::from_ptr(raw::GetDatabaseEncodingName()) };
    Encoding::of_name(name.to_str().unwrap_or("SQL_ASCII"))
}

/// PostgreSQL's number of an encoding that a connection speaks: UTF-8, or the database's.
fn number(encoding: Encoding) -> i32 {
    if encoding == Encoding::UTF8 {
        return UTF8;
    }
    // SAFETY: reads a static of the backend.
    unsafe { raw::GetDatabaseEncoding() }
}

/// While it lives the client's encoding is that of a connection to a partition.
pub(super) struct ClientEncoding {
    before: Option<c_int>,
}

impl ClientEncoding {
    /// Has PostgreSQL's binary send and receive functions, which convert text to and from the client's encoding, write and
    /// read the encoding of a connection. Costs nothing where that is the client's.
    pub(super) fn pin(encoding: Encoding) -> Result<Self, Error> {
        let wanted = number(encoding);
        // SAFETY: reads a static of the backend.
        let before = unsafe { raw::pg_get_client_encoding() };
        if before == wanted {
            return Ok(Self { before: None });
        }
        // SAFETY: looks up the conversion, then sets statics.
        let set = unsafe {
            guard::catch(|| {
                raw::PrepareClientEncoding(wanted) >= 0 && raw::SetClientEncoding(wanted) >= 0
            })
        }?;
        if !set {
            return Err(Report::internal("could not set the client encoding").into());
        }
        Ok(Self {
            before: Some(before),
        })
    }
}

impl Drop for ClientEncoding {
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

/// Text of the database in the encoding of a connection, appended to `out`.
pub(crate) fn append_wire(text: &[u8], encoding: Encoding, out: &mut Vec<u8>) -> Result<(), Error> {
    // In SQL_ASCII text is whatever it is, and ASCII is the same in every encoding that a database can have.
    if encoding != Encoding::UTF8
        || database_is_utf8()
        || database_is_sql_ascii()
        || text.is_ascii()
    {
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

/// Text of the database as a `String`: a name, a statement, a message.
pub(crate) fn to_string(text: &[u8]) -> Result<String, Error> {
    if !database_is_utf8() {
        // A byte becomes four.
        let _room = room::hold(text.len().saturating_mul(4))?;
        return Ok(database_text::from_bytes(text));
    }
    let mut copy = Vec::new();
    append(text, &mut copy)?;
    String::from_utf8(copy).map_err(|_| not_utf8())
}

/// The text itself is not shown: it may hold a password.
fn not_utf8() -> Error {
    let what = "PL/Proxy: names, function bodies and connection strings must be valid UTF-8";
    Report::new(sqlstate::CHARACTER_NOT_IN_REPERTOIRE, what).into()
}

/// What is to be understood by others than this database and the partitions' servers, as a connection string: in Unicode.
pub(crate) fn to_unicode(text: &str) -> Result<Cow<'_, str>, Error> {
    if database_is_utf8() || text.is_ascii() {
        return Ok(Cow::Borrowed(text));
    }
    let mut utf8 = Vec::new();
    append_wire(&to_bytes(text)?, Encoding::UTF8, &mut utf8)?;
    let text = String::from_utf8(utf8).map_err(|_| not_utf8())?;
    Ok(Cow::Owned(text))
}

/// The same of a text that may be large, which is not copied where nothing is to be changed.
pub(crate) fn into_unicode(text: String) -> Result<String, Error> {
    if let Cow::Owned(unicode) = to_unicode(&text)? {
        return Ok(unicode);
    }
    Ok(text)
}

/// A Rust string as bytes of the database's encoding.
fn to_bytes(text: &str) -> Result<Vec<u8>, PgError> {
    let _room = room::hold(text.len()).map_err(PgError::out_of_memory)?;
    database_text::to_bytes(text, |piece, bytes| {
        let piece = ServerText::new(piece.as_bytes(), Encoding::UTF8)?;
        room::reserve(bytes, piece.as_bytes().len()).map_err(PgError::out_of_memory)?;
        bytes.extend_from_slice(piece.as_bytes());
        Ok(())
    })
}

/// SQL for partitions.
pub(crate) fn sql(text: &str) -> Result<SqlText, Error> {
    if database_is_utf8() || text.is_ascii() {
        return Ok(text.into());
    }
    let own = to_bytes(text)?;
    let mut utf8 = Vec::new();
    let converted = match append_wire(&own, Encoding::UTF8, &mut utf8) {
        Ok(()) => Ok(utf8),
        // Only for those that need it.
        Err(error) => Err(why(error)?),
    };
    Ok(SqlText::new(own, converted))
}

/// Why a text could not be converted; any other error goes on.
pub(crate) fn why(error: Error) -> Result<String, Error> {
    let is_other = matches!(&error, Error::Raised(raised) if !raised.is_of_conversion());
    if is_other || error.ends_all() {
        return Err(error);
    }
    error.message()
}

/// A column's name off the wire as the bytes of a Rust string. One that cannot be converted is none of ours.
pub(crate) fn name(name: &[u8], encoding: Encoding) -> Result<Cow<'_, [u8]>, Error> {
    if database_is_utf8() || name.is_ascii() {
        return Ok(Cow::Borrowed(name));
    }
    let text = if encoding == Encoding::UTF8 {
        match ServerText::new(name, encoding) {
            Ok(text) => to_string(text.as_bytes())?,
            Err(raised) if raised.is_of_conversion() => {
                raised.ends_here(NOTHING_HELD);
                String::from_utf8_lossy(name).into_owned()
            }
            Err(raised) => return Err(raised.into()),
        }
    } else {
        to_string(name)?
    };
    Ok(Cow::Owned(text.into_bytes()))
}

/// Text as by [`to_string`] for a message, in which what cannot be converted is replaced.
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
    pub(super) fn new(wire: &'a [u8], encoding: Encoding) -> Result<Self, PgError> {
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
        let number = if database_is_sql_ascii() {
            SQL_ASCII
        } else {
            number(encoding)
        };
        // SAFETY: `wire` is `len` bytes. Raises what is invalid, a NUL included, which is all that SQL_ASCII refuses.
        let converted = unsafe { guard::catch(|| raw::pg_any_to_server(start, len, number)) }?;
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
    pub(super) fn to_cstring(&self) -> Result<*mut c_char, PgError> {
        palloc_cstring(self.as_bytes())
    }
}

/// A NUL-terminated copy of bytes in the current memory context.
pub(super) fn palloc_cstring(bytes: &[u8]) -> Result<*mut c_char, PgError> {
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

/// A Rust string as text of the database.
pub(super) fn text(text: &str) -> Result<Cow<'_, [u8]>, PgError> {
    if database_is_utf8() {
        // Raises for a NUL.
        ServerText::new(text.as_bytes(), Encoding::UTF8)?;
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    if text.is_ascii() && !text.contains('\0') {
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    let bytes = to_bytes(text)?;
    ServerText::new(&bytes, database())?;
    Ok(Cow::Owned(bytes))
}

/// A Rust string as a C string of the database's encoding.
pub(super) fn cstring(string: &str) -> Result<*mut c_char, PgError> {
    palloc_cstring(&text(string)?)
}

/// Text of a message: a character that the database's encoding lacks becomes a question mark, as losing the message
/// would be worse.
pub(super) fn message(text: &str) -> Result<*const c_char, PgError> {
    let mut bytes = if database_is_utf8() {
        room::copy(text.as_bytes()).map_err(PgError::out_of_memory)?
    } else {
        message_bytes(text)?
    };
    let zeros = bytes.iter_mut().filter(|byte| **byte == 0);
    zeros.for_each(|byte| *byte = b'?');
    palloc_cstring(&bytes).map(<*mut c_char>::cast_const)
}

fn message_bytes(text: &str) -> Result<Vec<u8>, PgError> {
    let _room = room::hold(text.len().saturating_mul(2)).map_err(PgError::out_of_memory)?;
    // What can be converted only with a look at catalogs cannot be where there are none, as at a transaction's end; and nothing
    // that may be unknown to the database's encoding, where an error could not be caught.
    // SAFETY: reads statics of the backend.
    let converts = !exit::is_under_way()
        && unsafe { raw::pg_get_client_encoding() == UTF8 || pg_sys::IsTransactionState() };
    let known = |piece: &str, bytes: &mut Vec<u8>| {
        if !(converts || piece.is_ascii()) {
            return Ok(false);
        }
        match ServerText::new(piece.as_bytes(), Encoding::UTF8) {
            Ok(text) => bytes.extend_from_slice(text.as_bytes()),
            Err(raised) if raised.is_of_conversion() => {
                raised.ends_here(NOTHING_HELD);
                return Ok(false);
            }
            Err(raised) => return Err(raised),
        }
        Ok(true)
    };
    let mut bytes = database_text::to_bytes(text, |piece, bytes| {
        if known(piece, bytes)? {
            return Ok(());
        }
        let mut buffer = [0; 4];
        for character in piece.chars() {
            if !known(character.encode_utf8(&mut buffer), bytes)? {
                bytes.push(b'?');
            }
        }
        Ok::<(), PgError>(())
    })?;
    // What a server says before it has heard which encoding is spoken may be in any.
    let len = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    let start = bytes.as_ptr().cast();
    // SAFETY: `bytes` are `len` bytes; told not to, it raises nothing.
    let is_valid = bytes.is_ascii()
        || unsafe { raw::pg_verify_mbstr(raw::GetDatabaseEncoding(), start, len, true) };
    if !is_valid {
        let foreign = bytes.iter_mut().filter(|byte| !byte.is_ascii());
        foreign.for_each(|byte| *byte = b'?');
    }
    Ok(bytes)
}

/// Why an error about a character may end here.
pub(super) const NOTHING_HELD: &str =
    "a conversion that was found, or was not, has let go of the catalogs";

impl Error {
    /// Its message alone. For an error of PostgreSQL's whose subtransaction has ended, or that another one follows.
    pub(crate) fn message(self) -> Result<String, Self> {
        match self {
            Self::Report(report) => Ok(report.message),
            Self::Raised(raised) => to_string_lossy(raised.message()),
        }
    }
}
