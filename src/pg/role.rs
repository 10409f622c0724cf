//! Who calls.

use super::error::Error;
use super::{encoding, guard, raw};
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

/// Whether a role is a superuser; one that is no more is none.
pub(crate) fn is_superuser(role: Oid) -> Result<bool, Error> {
    // SAFETY: reads a catalog; the last answer is kept.
    Ok(unsafe { guard::catch(|| raw::superuser_arg(role)) }?)
}

/// Whether a role has another's privileges without SET ROLE: it is that role, inherits from it, or is a superuser.
pub(crate) fn has_privileges_of(role: Oid, of: Oid) -> Result<bool, Error> {
    // SAFETY: reads catalogs; the last answers are kept.
    Ok(unsafe { guard::catch(|| raw::has_privs_of_role(role, of)) }?)
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

/// While it lives the effective user is another one, as in a SECURITY DEFINER function.
pub(crate) struct Acting {
    role: Oid,
    context: i32,
}

impl Acting {
    pub(crate) fn as_role(role: Oid) -> Self {
        let mut before = Self {
            role: Oid::INVALID,
            context: 0,
        };
        // SAFETY: reads and sets statics of the backend.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&raw mut before.role, &raw mut before.context);
            pg_sys::SetUserIdAndSecContext(
                role,
                before.context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32,
            );
        }
        before
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        // SAFETY: as above; an aborted transaction would put the same values back.
        unsafe { pg_sys::SetUserIdAndSecContext(self.role, self.context) }
    }
}
