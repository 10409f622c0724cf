//! What the server knows of the machine, and libpq would find out by itself.

use super::{guard, raw};
use core::ffi::CStr;
use pgrx::pg_sys;
use std::path::PathBuf;

/// Where this PostgreSQL was built to have its sockets, which is what its libpq takes for no host at all.
pub(crate) fn default_socket_dir() -> PathBuf {
    PathBuf::from(&*pg_sys::DEFAULT_PGSOCKET_DIR.to_string_lossy())
}

/// The operating system's name for the user that the server runs as; `None` if it has none.
pub(crate) fn user() -> Option<String> {
    let mut error = core::ptr::null_mut();
    // SAFETY: asks getpwuid for the effective user. The name is a C string in static memory, valid until the next such
    // question, and copied here; a failure gives null and a message in palloc'd memory, whose making may raise.
    unsafe {
        let name = guard::catch(|| raw::get_user_name(&mut error)).ok()?;
        if name.is_null() {
            return None;
        }
        CStr::from_ptr(name).to_str().ok().map(str::to_owned)
    }
}
