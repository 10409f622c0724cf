//! What changed in the catalogs since the last look, of that which something depends on.
//!
//! PostgreSQL calls back at moments when nothing may be done, so the callbacks only take notes; the caches read them at
//! the next call. It calls for every change in the database, each temporary table among them, so it is noted only what a
//! cached value was made from, and that once.

use super::compat::CacheId;
use super::error::Error;
use super::{encoding, guard, raw};
use core::cell::{Cell, RefCell};
use core::ffi::c_int;
use pgrx::pg_sys::{self, Datum, Oid, SysCacheIdentifier as Cache};
use plproxy_core::int_map::{IntHash, IntMap};
use std::collections::HashSet;

thread_local! {
    /// What cached values depend on.
    static WATCHED: RefCell<IntMap<u64, Watched>> = RefCell::default();
    /// There is something to take.
    static DIRTY: Cell<bool> = const { Cell::new(false) };
    /// The notes could not be taken one by one.
    static ALL: Cell<bool> = const { Cell::new(false) };
    static ROLES: Cell<bool> = const { Cell::new(false) };
}

#[derive(Default)]
struct Watched {
    holders: u32,
    has_changed: bool,
}

/// A row of a catalog, or a table, that a cached value was made from: changes of it are noted for as long as this lives. To be
/// made before the row is read, as a change may come between the two.
#[derive(Debug)]
pub(crate) struct Dependency(u64);

/// A kind of thing, in the upper half of a dependency's number. In the lower half is the hash by which invalidation messages
/// name the row in a system cache, or the table's OID.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Function,
    Type,
    Namespace,
    Server,
    Wrapper,
    Mapping,
    Table,
}

impl Kind {
    fn number(self, hash: u32) -> u64 {
        (self as u64) << 32 | u64::from(hash)
    }
}

impl Dependency {
    pub(crate) fn function(oid: Oid) -> Result<Self, Error> {
        let none = Datum::null();
        Self::of_row(Kind::Function, Cache::PROCOID, oid.into(), none)
    }

    pub(crate) fn type_(oid: Oid) -> Result<Self, Error> {
        let none = Datum::null();
        Self::of_row(Kind::Type, Cache::TYPEOID, oid.into(), none)
    }

    pub(crate) fn namespace(oid: Oid) -> Result<Self, Error> {
        let none = Datum::null();
        Self::of_row(Kind::Namespace, Cache::NAMESPACEOID, oid.into(), none)
    }

    /// A foreign server of that name, whether there is one or not.
    pub(crate) fn server(name: &str) -> Result<Self, Error> {
        let (name, none) = (encoding::cstring(name)?, Datum::null());
        Self::of_row(Kind::Server, Cache::FOREIGNSERVERNAME, name.into(), none)
    }

    pub(crate) fn wrapper(oid: Oid) -> Result<Self, Error> {
        let none = Datum::null();
        Self::of_row(
            Kind::Wrapper,
            Cache::FOREIGNDATAWRAPPEROID,
            oid.into(),
            none,
        )
    }

    /// A user's mapping, or with an invalid OID that of PUBLIC.
    pub(crate) fn mapping(user: Oid, server: Oid) -> Result<Self, Error> {
        let cache = Cache::USERMAPPINGUSERSERVER;
        Self::of_row(Kind::Mapping, cache, user.into(), server.into())
    }

    /// A table, or what is made like one: a composite type.
    pub(crate) fn table(oid: Oid) -> Self {
        Self::new(Kind::Table.number(oid.to_u32()))
    }

    fn of_row(kind: Kind, cache: Cache::Type, key1: Datum, key2: Datum) -> Result<Self, Error> {
        let (cache, none) = (cache as c_int, Datum::null());
        // SAFETY: hashes the keys, which are what the cache has; it exists.
        let hash =
            unsafe { guard::catch(|| raw::GetSysCacheHashValue(cache, key1, key2, none, none)) }?;
        Ok(Self::new(kind.number(hash)))
    }

    fn new(number: u64) -> Self {
        WATCHED.with_borrow_mut(|watched| watched.entry(number).or_default().holders += 1);
        Self(number)
    }
}

impl Drop for Dependency {
    fn drop(&mut self) {
        // At the process's end they may be gone first.
        let _gone = WATCHED.try_with(|watched| {
            let mut watched = watched.borrow_mut();
            if let Some(known) = watched.get_mut(&self.0) {
                known.holders -= 1;
                if known.holders == 0 {
                    watched.remove(&self.0);
                }
            }
        });
    }
}

/// What changed.
#[derive(Debug)]
pub(crate) struct Changes {
    /// Nobody knows what: every cached value is suspect.
    pub(crate) all: bool,
    /// Some role, or who is a member of which. What that means for a right is worked out by PostgreSQL.
    pub(crate) roles: bool,
    rows: HashSet<u64, IntHash>,
}

impl Changes {
    /// Whether what was made from these things is stale.
    pub(crate) fn touch<'a>(&self, things: impl IntoIterator<Item = &'a Dependency>) -> bool {
        self.all
            || (!self.rows.is_empty() && things.into_iter().any(|it| self.rows.contains(&it.0)))
    }
}

/// The changes since the last call of this function, if there are any.
pub(crate) fn take() -> Option<Changes> {
    if !DIRTY.replace(false) {
        return None;
    }
    let rows = WATCHED.with_borrow_mut(|watched| {
        let changed = watched.iter_mut().filter(|(_, known)| known.has_changed);
        let noted = changed.map(|(row, known)| {
            known.has_changed = false;
            *row
        });
        noted.collect()
    });
    Some(Changes {
        all: ALL.take(),
        roles: ROLES.take(),
        rows,
    })
}

/// Notes a change, if something depends on what changed. Called in the middle of anything: it allocates nothing, and does not
/// wait for the notes.
fn note(kind: Kind, hash: u32) {
    let noted = WATCHED.try_with(|watched| {
        let Ok(mut watched) = watched.try_borrow_mut() else {
            ALL.set(true);
            return true;
        };
        let known = watched.get_mut(&kind.number(hash));
        known.map(|known| known.has_changed = true).is_some()
    });
    if noted.unwrap_or(false) {
        DIRTY.set(true);
    }
}

fn note_all() {
    ALL.set(true);
    DIRTY.set(true);
}

/// Asks PostgreSQL for the callbacks; once per backend.
pub(crate) fn register() {
    let syscaches = [
        Cache::PROCOID,
        Cache::TYPEOID,
        Cache::NAMESPACEOID,
        // By its name: there may be a server of a name that there was none of.
        Cache::FOREIGNSERVERNAME,
        Cache::FOREIGNDATAWRAPPEROID,
        Cache::USERMAPPINGUSERSERVER,
        // The right to use a server. The owner of the database is a member of a role, too.
        Cache::AUTHOID,
        Cache::AUTHMEMROLEMEM,
        Cache::DATABASEOID,
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
    let kind = match cache {
        id if id == Cache::PROCOID as CacheId => Kind::Function,
        id if id == Cache::TYPEOID as CacheId => Kind::Type,
        id if id == Cache::NAMESPACEOID as CacheId => Kind::Namespace,
        id if id == Cache::FOREIGNSERVERNAME as CacheId => Kind::Server,
        id if id == Cache::FOREIGNDATAWRAPPEROID as CacheId => Kind::Wrapper,
        id if id == Cache::USERMAPPINGUSERSERVER as CacheId => Kind::Mapping,
        _ => {
            ROLES.set(true);
            DIRTY.set(true);
            return;
        }
    };
    // A hash of 0 means that the whole cache was reset.
    if hash == 0 {
        note_all();
    } else {
        note(kind, hash);
    }
}

/// Called by inval.c; must not raise, and does not.
unsafe extern "C-unwind" fn relcache_changed(_: Datum, relation: Oid) {
    if relation == Oid::INVALID {
        note_all();
    } else {
        note(Kind::Table, relation.to_u32());
    }
}
