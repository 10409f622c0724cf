//! OpenSSL's errors, and the files that they are about, in libpq's words.

use std::io;
use std::path::Path;

use openssl::error::ErrorStack;
use plproxy_core::conninfo;

use crate::error::system_words;

/// Empties this thread's queue of OpenSSL's errors.
pub(super) fn clear_errors() {
    drop(ErrorStack::get());
}

/// A file's name as a message may show it.
pub(super) fn shown(path: &Path) -> String {
    conninfo::shown(&path.to_string_lossy()).to_owned()
}

/// The reason of an error, as libpq reports it.
pub(super) fn reason(stack: &ErrorStack) -> String {
    /// Marks a system error.
    const SYSTEM_ERROR: std::ffi::c_ulong = 1 << 31;
    let Some(error) = stack.errors().first() else {
        return "no SSL error reported".into();
    };
    let code = error.code();
    if let Some(reason) = error.reason() {
        reason.into()
    } else if code & SYSTEM_ERROR != 0 {
        let number = i32::try_from(code & (SYSTEM_ERROR - 1)).unwrap_or_default();
        system_words(&io::Error::from_raw_os_error(number))
    } else {
        format!("SSL error code {code}")
    }
}
