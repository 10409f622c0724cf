//! Every difference between PostgreSQL's versions.

use super::tuple::RowType;
use super::{guard, raw};
use crate::error::Error;
use pgrx::pg_sys::{self, Oid};

/// What an invalidation callback calls its cache.
pub(super) type CacheId = core::ffi::c_int;

/// The attributes of a row type.
pub(super) fn attributes(row_type: &RowType) -> &[pg_sys::FormData_pg_attribute] {
    let desc = row_type.as_ptr();
    // SAFETY: `natts` attributes follow the descriptor (before 18 at once, from 18 on behind the compact ones); it lives
    // as long as `row_type`.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        let first = (*desc).attrs.as_ptr();
        #[cfg(feature = "pg18")]
        let first: *const pg_sys::FormData_pg_attribute =
            (*desc).compact_attrs.as_ptr().add(row_type.width()).cast();
        core::slice::from_raw_parts(first, row_type.width())
    }
}

/// Whether a role has USAGE on a server.
pub(super) fn may_use_server(server: Oid, role: Oid) -> Result<bool, Error> {
    // SAFETY: reads catalogs.
    let result = unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        let result = guard::catch(|| raw::pg_foreign_server_aclcheck(server, role, USAGE))?;
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        let result = guard::catch(|| {
            raw::object_aclcheck(pg_sys::ForeignServerRelationId, server, role, USAGE)
        })?;
        result
    };
    Ok(result == pg_sys::AclResult::ACLCHECK_OK as i32)
}

/// ACL_USAGE of the version's 32- or 64-bit AclMode.
const USAGE: pg_sys::AclMode = pg_sys::ACL_USAGE as pg_sys::AclMode;

/// Whether the client's connection is lost, as far as PostgreSQL knows or is about to see: its own check ends the process.
pub(super) fn client_is_gone() -> bool {
    // SAFETY: statics that signal handlers set; the check looks at the client's socket without waiting.
    unsafe {
        (&raw const pg_sys::ClientConnectionLost).read_volatile() != 0
            || ((&raw const pg_sys::CheckClientConnectionPending).read_volatile() != 0
                && guard::catch(|| raw::pq_check_connection()).is_ok_and(|connected| !connected))
    }
}
