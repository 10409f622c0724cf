//! Who calls.

use super::{encoding, guard, raw};
use crate::error::Error;
use pgrx::pg_sys::{self, Oid};

/// The effective user: after SET ROLE, or inside a SECURITY DEFINER function.
pub(crate) fn current() -> Oid {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::GetUserId() }
}

/// The user that SET SESSION AUTHORIZATION names.
pub(crate) fn session() -> Oid {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::GetSessionUserId() }
}

/// A role's name, if there still is such a role.
pub(crate) fn find_name(role: Oid) -> Result<Option<String>, Error> {
    // SAFETY: the result is palloc'd, or null for an unknown role.
    unsafe {
        let name = guard::catch(|| raw::GetUserNameFromId(role, true))?;
        if name.is_null() {
            return Ok(None);
        }
        encoding::cstr_to_string(name).map(Some)
    }
}

/// A role's name.
pub(crate) fn name(role: Oid) -> Result<String, Error> {
    // SAFETY: the result is palloc'd; an unknown role raises.
    unsafe {
        let name = guard::catch(|| raw::GetUserNameFromId(role, false))?;
        encoding::cstr_to_string(name)
    }
}
