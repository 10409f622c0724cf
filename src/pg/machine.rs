//! What the server knows of the machine, and libpq would find out by itself.

use pgrx::pg_sys;
use std::path::PathBuf;

/// Where this PostgreSQL was built to have its sockets, which is what its libpq takes for no host at all.
pub(crate) fn default_socket_dir() -> PathBuf {
    PathBuf::from(&*pg_sys::DEFAULT_PGSOCKET_DIR.to_string_lossy())
}
