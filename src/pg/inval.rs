//! What changed in the catalogs since the last look.
//!
//! PostgreSQL calls back at moments when nothing may be done, so the callbacks only take notes; the caches read them at
//! the next call.

use super::compat::CacheId;
use super::{guard, raw};
use crate::error::Error;
use core::cell::{Cell, RefCell};
use core::ffi::c_int;
use pgrx::pg_sys::{self, Datum, Oid, SysCacheIdentifier as Cache};

/// Notes longer than this are worth less than "everything".
const MOST_NOTES: usize = 64;

thread_local! {
    static DIRTY: Cell<bool> = const { Cell::new(false) };
    static CHANGES: RefCell<Changes> = const { RefCell::new(Changes::new()) };
}

/// What changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Too much to list: every cached value is suspect.
    pub(crate) all: bool,
    /// Hashes of changed functions, as the system cache has them.
    pub(crate) functions: Vec<u32>,
    /// Hashes of changed types.
    pub(crate) types: Vec<u32>,
    /// Changed tables and composite types.
    pub(crate) relations: Vec<Oid>,
    /// A server, a wrapper, a user mapping, a role.
    pub(crate) foreign: bool,
}

impl Changes {
    const fn new() -> Self {
        Self {
            all: false,
            functions: Vec::new(),
            types: Vec::new(),
            relations: Vec::new(),
            foreign: false,
        }
    }

    fn note(&mut self, add: impl FnOnce(&mut Self)) {
        if self.functions.len() + self.types.len() + self.relations.len() >= MOST_NOTES {
            self.all = true;
            self.functions.clear();
            self.types.clear();
            self.relations.clear();
        }
        add(self);
    }
}

/// The changes since the last call of this function, if there are any.
pub(crate) fn take() -> Option<Changes> {
    if !DIRTY.replace(false) {
        return None;
    }
    Some(CHANGES.take())
}

fn note(add: impl FnOnce(&mut Changes)) {
    DIRTY.set(true);
    CHANGES.with_borrow_mut(|changes| changes.note(add));
}

/// The hash under which invalidation messages name a catalog row.
pub(super) fn hash_of(cache: i32, key: Datum) -> Result<u32, Error> {
    let none = Datum::null();
    // SAFETY: hashes the key; the cache exists.
    Ok(unsafe { guard::catch(|| raw::GetSysCacheHashValue(cache, key, none, none, none)) }?)
}

/// The same for a function.
pub(crate) fn function_hash(oid: Oid) -> Result<u32, Error> {
    hash_of(Cache::PROCOID as i32, Datum::from(oid))
}

/// Asks PostgreSQL for the callbacks; once per backend.
pub(super) fn register() {
    let syscaches = [
        Cache::PROCOID,
        Cache::TYPEOID,
        Cache::FOREIGNSERVEROID,
        Cache::FOREIGNDATAWRAPPEROID,
        Cache::USERMAPPINGOID,
        // Names, and the right to use a server.
        Cache::NAMESPACEOID,
        Cache::AUTHOID,
        Cache::AUTHMEMROLEMEM,
    ];
    // SAFETY: called once, from _PG_init; the callbacks are functions of this library, which is never unloaded.
    unsafe {
        for cache in syscaches {
            pg_sys::CacheRegisterSyscacheCallback(
                cache as c_int,
                Some(syscache_changed),
                Datum::null(),
            );
        }
        pg_sys::CacheRegisterRelcacheCallback(Some(relcache_changed), Datum::null());
    }
}

/// Called by inval.c; must not raise, and does not.
unsafe extern "C-unwind" fn syscache_changed(_: Datum, cache: CacheId, hash: u32) {
    note(|changes| {
        // A hash of 0 means that the whole cache was reset.
        let list = match cache {
            id if id == Cache::PROCOID as i32 => &mut changes.functions,
            id if id == Cache::TYPEOID as i32 => &mut changes.types,
            id if id == Cache::NAMESPACEOID as i32 => return changes.all = true,
            _ => return changes.foreign = true,
        };
        if hash == 0 {
            changes.all = true
        } else {
            list.push(hash)
        }
    });
}

/// Called by inval.c; must not raise, and does not.
unsafe extern "C-unwind" fn relcache_changed(_: Datum, relation: Oid) {
    note(|changes| {
        if relation == Oid::INVALID {
            changes.all = true
        } else {
            changes.relations.push(relation)
        }
    });
}
