//! SQL/MED: servers, wrappers, user mappings, and the right to use them.

use super::error::Error;
use super::{compat, encoding, guard, raw};
use core::ffi::c_char;
use pgrx::pg_sys::{self, Datum, List, Oid};
use plproxy_core::room;

/// An option as written; without a value only in a validator's argument.
pub(crate) type Options = Vec<(String, Option<String>)>;

/// A foreign server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) oid: Oid,
    pub(crate) owner: Oid,
    pub(crate) wrapper: Oid,
    pub(crate) options: Options,
}

impl Server {
    pub(crate) fn find(name: &str) -> Result<Option<Self>, Error> {
        let name = encoding::cstring(name)?;
        // SAFETY: `name` is a C string; the result is palloc'd or null.
        let server = unsafe { guard::catch(|| raw::GetForeignServerByName(name, true)) }?;
        if server.is_null() {
            return Ok(None);
        }
        // SAFETY: live, see above.
        unsafe {
            Ok(Some(Self {
                oid: (*server).serverid,
                owner: (*server).owner,
                wrapper: (*server).fdwid,
                options: options((*server).options)?,
            }))
        }
    }

    /// The options of the server's wrapper, and what looks at options that are given: a function, or none.
    pub(crate) fn wrapper(&self) -> Result<(Options, Oid), Error> {
        let oid = self.wrapper;
        // SAFETY: the result is palloc'd; a missing wrapper raises.
        unsafe {
            let wrapper = guard::catch(|| raw::GetForeignDataWrapper(oid))?;
            Ok((options((*wrapper).options)?, (*wrapper).fdwvalidator))
        }
    }
}

/// Raises `permission denied for foreign server` unless `role` has USAGE.
pub(crate) fn check_usage(server: Oid, role: Oid, name: &str) -> Result<(), Error> {
    if compat::may_use_server(server, role)? {
        return Ok(());
    }
    let name = encoding::cstring(name)?;
    // SAFETY: `name` is a C string; this raises.
    unsafe {
        guard::catch(|| {
            raw::aclcheck_error(
                pg_sys::AclResult::ACLCHECK_NO_PRIV as i32,
                pg_sys::ObjectType::OBJECT_FOREIGN_SERVER as i32,
                name,
            );
        })?;
    }
    Ok(())
}

/// Whether `role` has USAGE.
pub(crate) fn may_use(server: Oid, role: Oid) -> Result<bool, Error> {
    compat::may_use_server(server, role)
}

/// The options of a role's user mapping, else of PUBLIC's, if there is either.
pub(crate) fn find_user_mapping(role: Oid, server: Oid) -> Result<Option<Options>, Error> {
    let none = Datum::null();
    for user in [role, Oid::INVALID] {
        let keys = [Datum::from(user), Datum::from(server), none, none];
        // SAFETY: looks at a catalog; the cache exists and has these two keys.
        let exists = unsafe {
            let cache = pg_sys::SysCacheIdentifier::USERMAPPINGUSERSERVER as i32;
            let [user, server, third, fourth] = keys;
            guard::catch(|| raw::SearchSysCacheExists(cache, user, server, third, fourth))
        }?;
        if exists {
            return user_mapping(role, server).map(Some);
        }
    }
    Ok(None)
}

/// The options of a role's user mapping, else of PUBLIC's; PostgreSQL's own error where there is neither.
pub(crate) fn user_mapping(role: Oid, server: Oid) -> Result<Options, Error> {
    // SAFETY: the result is palloc'd; a missing mapping raises.
    unsafe {
        let mapping = guard::catch(|| raw::GetUserMapping(role, server))?;
        options((*mapping).options)
    }
}

/// Options in their catalog form (`text[]` of `name=value`), as a validator gets them.
pub(crate) fn options_of_array(array: Option<Datum>) -> Result<Options, Error> {
    let array = array.unwrap_or(Datum::null());
    // SAFETY: null or a text array; the result is a palloc'd list of DefElem.
    unsafe {
        let list = guard::catch(|| raw::untransformRelOptions(array))?;
        options(list)
    }
}

/// # Safety
/// `list` must be NIL or a live list of DefElem.
unsafe fn options(list: *mut List) -> Result<Options, Error> {
    let mut found = Vec::new();
    if list.is_null() {
        return Ok(found);
    }
    // SAFETY: a list has `length` cells, each a DefElem; its argument is a string node or null.
    unsafe {
        let count = usize::try_from((*list).length).unwrap_or(0);
        room::reserve(&mut found, count)?;
        for i in 0..count {
            let def: *mut pg_sys::DefElem = (*(*list).elements.add(i)).ptr_value.cast();
            let value: *mut c_char = if (*def).arg.is_null() {
                core::ptr::null_mut()
            } else {
                guard::catch(|| raw::defGetString(def))?
            };
            let value = if value.is_null() {
                None
            } else {
                Some(encoding::cstr_to_string(value)?)
            };
            found.push((encoding::cstr_to_string((*def).defname)?, value));
        }
    }
    Ok(found)
}
