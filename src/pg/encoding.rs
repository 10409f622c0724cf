//! The two edges of law 9: UTF-8 inside, the database's encoding in PostgreSQL.

use super::{guard, raw};
use crate::error::Error;
use core::ffi::{CStr, c_char};
use pgrx::pg_sys;

const UTF8: i32 = pg_sys::pg_enc::PG_UTF8 as i32;

/// Whether the database's encoding is UTF-8.
pub(crate) fn database_is_utf8() -> bool {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::GetDatabaseEncoding() == UTF8 }
}

/// Whether the session's client encoding is UTF-8: PostgreSQL's binary send and receive functions convert text to and
/// from the client's encoding.
pub(crate) fn client_is_utf8() -> bool {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::pg_get_client_encoding() == UTF8 }
}

/// Text of the database as UTF-8 bytes, appended to `out`.
pub(crate) fn append_utf8(text: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    if database_is_utf8() {
        out.extend_from_slice(text);
        return Ok(());
    }
    let len = i32::try_from(text.len()).unwrap_or(i32::MAX);
    let start: *const c_char = text.as_ptr().cast();
    // SAFETY: `text` is `len` bytes; the result is the same pointer or a NUL-terminated copy.
    let converted = unsafe { guard::catch(|| raw::pg_server_to_any(start, len, UTF8)) }?;
    if core::ptr::eq(converted, start) {
        out.extend_from_slice(text);
    } else {
        // SAFETY: a converted copy is NUL-terminated, palloc'd and ours.
        unsafe {
            out.extend_from_slice(CStr::from_ptr(converted).to_bytes());
            raw::pfree(converted.cast());
        }
    }
    Ok(())
}

/// Text of the database as a `String`.
pub(crate) fn to_string(text: &[u8]) -> Result<String, Error> {
    let mut utf8 = Vec::with_capacity(text.len());
    append_utf8(text, &mut utf8)?;
    Ok(String::from_utf8_lossy(&utf8).into_owned())
}

/// The same for a C string of PostgreSQL.
///
/// # Safety
/// `text` must be a live, NUL-terminated string.
pub(super) unsafe fn cstr_to_string(text: *const c_char) -> Result<String, Error> {
    // SAFETY: as promised by the caller.
    to_string(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// UTF-8 bytes from a partition as text of the database: checked, converted, in the current memory context.
pub(super) struct ServerText<'a> {
    start: *const c_char,
    len: usize,
    _utf8: core::marker::PhantomData<&'a [u8]>,
}

impl<'a> ServerText<'a> {
    pub(super) fn new(utf8: &'a [u8]) -> Result<Self, Error> {
        if database_is_utf8() && !utf8.contains(&0) && std::str::from_utf8(utf8).is_ok() {
            return Ok(Self { start: utf8.as_ptr().cast(), len: utf8.len(), _utf8: core::marker::PhantomData });
        }
        let len = i32::try_from(utf8.len()).unwrap_or(i32::MAX);
        let start: *const c_char = utf8.as_ptr().cast();
        // SAFETY: `utf8` is `len` bytes. Raises what is invalid, a NUL included.
        let converted = unsafe { guard::catch(|| raw::pg_any_to_server(start, len, UTF8)) }?;
        let len = if core::ptr::eq(converted, start) {
            utf8.len()
        } else {
            // SAFETY: a converted copy is NUL-terminated.
            unsafe { CStr::from_ptr(converted) }.to_bytes().len()
        };
        Ok(Self { start: converted, len, _utf8: core::marker::PhantomData })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        // SAFETY: the bytes of the borrowed slice, or of a copy in the current memory context, which outlives us.
        unsafe { core::slice::from_raw_parts(self.start.cast(), self.len) }
    }

    /// A NUL-terminated copy in the current memory context.
    pub(super) fn to_cstring(&self) -> Result<*mut c_char, Error> {
        palloc_cstring(self.as_bytes())
    }
}

/// A NUL-terminated copy of bytes in the current memory context.
pub(super) fn palloc_cstring(bytes: &[u8]) -> Result<*mut c_char, Error> {
    // SAFETY: the current context is alive; the copy stays within what was allocated.
    unsafe {
        let copy: *mut u8 =
            guard::catch(|| raw::MemoryContextAllocHuge(pg_sys::CurrentMemoryContext, bytes.len() + 1))?.cast();
        core::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
        copy.add(bytes.len()).write(0);
        Ok(copy.cast())
    }
}

/// A Rust string as a C string of the database's encoding.
pub(super) fn cstring(text: &str) -> Result<*mut c_char, Error> {
    ServerText::new(text.as_bytes())?.to_cstring()
}

/// Text of a message: a character that the database's encoding lacks becomes a question mark, as losing the message
/// would be worse.
pub(super) fn message(text: &str) -> *const c_char {
    let text = text.replace('\0', "?");
    let ascii = || {
        let plain: String = text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
        palloc_cstring(plain.as_bytes())
    };
    cstring(&text).or_else(|_| ascii()).map_or(c"out of memory".as_ptr(), <*mut c_char>::cast_const)
}
