//! What the server knows of the machine, and libpq would find out by itself.

use core::ffi::CStr;
use pgrx::pg_sys;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Where this PostgreSQL was built to have its sockets, which is what its libpq takes for no host at all.
pub(crate) fn default_socket_dir() -> PathBuf {
    PathBuf::from(&*pg_sys::DEFAULT_PGSOCKET_DIR.to_string_lossy())
}

/// The directory of the server's data.
pub(crate) fn data_directory() -> PathBuf {
    // SAFETY: a C string that is set when the server starts, and stays.
    let path = unsafe { CStr::from_ptr(pg_sys::DataDir) };
    PathBuf::from(OsStr::from_bytes(path.to_bytes()))
}
