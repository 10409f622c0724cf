//! Every difference between PostgreSQL's versions.

use super::error::Error;
use super::memory::Context;
use super::{guard, raw};
use core::ffi::{CStr, c_int};
use pgrx::pg_sys::{self, Oid};

/// Whether `quote_identifier()` quotes `json`: it became a keyword in 17.
pub(super) const JSON_IS_QUOTED: bool = cfg!(not(any(
    feature = "pg14",
    feature = "pg15",
    feature = "pg16"
)));

/// What an invalidation callback calls its cache.
pub(super) type CacheId = c_int;

// PostgreSQL's functions that not all versions have, declared as `raw` declares the rest, and to be called as those.
unsafe extern "C-unwind" {
    // wait_event.c
    #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16")))]
    fn WaitEventExtensionNew(name: *const core::ffi::c_char) -> u32;
    #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16")))]
    fn GetWaitEventCustomNames(class: u32, count: *mut c_int) -> *mut *mut core::ffi::c_char;

    // guc.c
    #[cfg(any(feature = "pg14", feature = "pg15"))]
    fn get_guc_variables() -> *mut *mut pg_sys::config_generic;
    #[cfg(any(feature = "pg14", feature = "pg15"))]
    fn GetNumConfigOptions() -> c_int;
    #[cfg(not(any(feature = "pg14", feature = "pg15")))]
    fn get_guc_variables(count: *mut c_int) -> *mut *mut pg_sys::config_generic;

    // xlog.c
    #[cfg(not(feature = "pg14"))]
    fn GetWALInsertionTimeLine() -> pg_sys::TimeLineID;

    // aclchk.c
    #[cfg(any(feature = "pg14", feature = "pg15"))]
    fn pg_foreign_server_aclcheck(server: Oid, role: Oid, mode: pg_sys::AclMode) -> c_int;
    #[cfg(not(any(feature = "pg14", feature = "pg15")))]
    fn object_aclcheck(class: Oid, object: Oid, role: Oid, mode: pg_sys::AclMode) -> c_int;

    // tupdesc.c
    #[cfg(feature = "pg19")]
    fn TupleDescFinalize(desc: pg_sys::TupleDesc);

    // heapam.c
    #[cfg(not(feature = "pg19"))]
    fn heap_delete(
        relation: pg_sys::Relation,
        place: pg_sys::ItemPointer,
        command: pg_sys::CommandId,
        crosscheck: pg_sys::Snapshot,
        wait: bool,
        failure: *mut pg_sys::TM_FailureData,
        changing_partition: bool,
    ) -> pg_sys::TM_Result::Type;
    #[cfg(feature = "pg19")]
    fn heap_delete(
        relation: pg_sys::Relation,
        place: *const pg_sys::ItemPointerData,
        command: pg_sys::CommandId,
        options: u32,
        crosscheck: pg_sys::Snapshot,
        wait: bool,
        failure: *mut pg_sys::TM_FailureData,
    ) -> pg_sys::TM_Result::Type;
}

/// Deletes a row of the heap, once whoever is at it has ended, with no snapshot to check against. From 19 on what is special
/// about it, which is nothing, comes as one number and further in front.
///
/// # Safety
/// An open relation, a place in it, and room for a failure. It may raise, and is to be called as the functions of `raw`.
pub(super) unsafe fn delete_and_wait(
    relation: pg_sys::Relation,
    place: pg_sys::ItemPointer,
    command: pg_sys::CommandId,
    failure: *mut pg_sys::TM_FailureData,
) -> pg_sys::TM_Result::Type {
    let none = core::ptr::null_mut();
    // SAFETY: as promised.
    unsafe {
        #[cfg(not(feature = "pg19"))]
        let result = heap_delete(relation, place, command, none, true, failure, false);
        #[cfg(feature = "pg19")]
        let result = heap_delete(relation, place, command, 0, none, true, failure);
        result
    }
}

/// Ends the making of a descriptor: from 19 on it has a summary of its columns, which reading a row goes by.
///
/// # Safety
/// The descriptor is ours and has all its columns.
pub(super) unsafe fn finish_row_type(desc: pg_sys::TupleDesc) {
    #[cfg(not(feature = "pg19"))]
    let _ = desc;
    #[cfg(feature = "pg19")]
    // SAFETY: as above; it does not raise.
    unsafe {
        TupleDescFinalize(desc);
    }
}

/// The attributes of a row type.
///
/// # Safety
/// `desc` must be live for as long as the attributes are used.
pub(super) unsafe fn attributes<'a>(
    desc: pg_sys::TupleDesc,
) -> &'a [pg_sys::FormData_pg_attribute] {
    // SAFETY: `natts` attributes follow the descriptor (before 18 at once, from 18 on behind the compact ones).
    unsafe {
        let width = usize::try_from((*desc).natts).unwrap_or(0);
        #[cfg(not(any(feature = "pg18", feature = "pg19")))]
        let first = (*desc).attrs.as_ptr();
        #[cfg(any(feature = "pg18", feature = "pg19"))]
        let first: *const pg_sys::FormData_pg_attribute =
            (*desc).compact_attrs.as_ptr().add(width).cast();
        core::slice::from_raw_parts(first, width)
    }
}

/// Whether a role has USAGE on a server.
pub(super) fn may_use_server(server: Oid, role: Oid) -> Result<bool, Error> {
    // SAFETY: reads catalogs.
    let result = unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        let result = guard::catch(|| pg_foreign_server_aclcheck(server, role, USAGE))?;
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        let result =
            guard::catch(|| object_aclcheck(pg_sys::ForeignServerRelationId, server, role, USAGE))?;
        result
    };
    Ok(result == pg_sys::AclResult::ACLCHECK_OK as c_int)
}

/// ACL_USAGE of the version's 32- or 64-bit AclMode.
const USAGE: pg_sys::AclMode = pg_sys::ACL_USAGE as pg_sys::AclMode;

/// Whether the client's connection is lost, as far as PostgreSQL knows or is about to see: its own check ends the process.
pub(super) fn client_is_gone() -> bool {
    // SAFETY: statics that signal handlers set; the check looks at the client's socket without waiting.
    unsafe {
        (&raw const pg_sys::ClientConnectionLost).read_volatile() != 0
            || ((&raw const pg_sys::CheckClientConnectionPending).read_volatile() != 0
                && guard::catch_here("it waits for no lock, it asks a socket", || {
                    raw::pq_check_connection()
                })
                .is_some_and(|connected| !connected))
    }
}

/// The number of the lock under which libraries look for their shared memory, as lwlocknames.txt has it.
const ADDIN_SHMEM_INIT: usize = 21;

/// AddinShmemInitLock, which is a macro.
pub(super) fn addin_shmem_init_lock() -> *mut pg_sys::LWLock {
    // SAFETY: the server's array of its own locks; the number is the same in all versions.
    unsafe { (&raw mut (*pg_sys::MainLWLockArray.add(ADDIN_SHMEM_INIT)).lock).cast() }
}

/// Has `ask` called when libraries may ask for shared memory: before 15 that is at once.
pub(super) fn at_shmem_request(ask: fn()) {
    #[cfg(feature = "pg14")]
    ask();
    #[cfg(not(feature = "pg14"))]
    {
        use std::sync::OnceLock;
        static ASK: OnceLock<fn()> = OnceLock::new();
        static PREVIOUS: OnceLock<pg_sys::shmem_request_hook_type> = OnceLock::new();

        unsafe extern "C-unwind" fn hook() {
            if let Some(Some(previous)) = PREVIOUS.get() {
                // SAFETY: the hook that was there before ours, called as it would have been.
                unsafe { previous() };
            }
            if let Some(ask) = ASK.get() {
                ask();
            }
        }
        ASK.get_or_init(|| ask);
        // SAFETY: the postmaster's one thread.
        PREVIOUS.get_or_init(|| unsafe {
            core::ptr::replace(&raw mut pg_sys::shmem_request_hook, Some(hook))
        });
    }
}

/// Whether the server knows these names of wait events, or has room for those that it does not know.
pub(super) fn have_room_for_wait_events(names: &[&CStr]) -> Result<bool, Error> {
    #[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16"))]
    {
        let _ = names;
        Ok(true)
    }
    #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16")))]
    {
        /// WAIT_EVENT_CUSTOM_HASH_MAX_SIZE of wait_event.c, but for the number that is never given.
        const MOST: usize = 127;
        let mut known = 0;
        let mut wanted = names.len();
        // Of the classes that have names of libraries' own.
        for class in [pg_sys::PG_WAIT_EXTENSION, pg_sys::PG_WAIT_INJECTIONPOINT] {
            let mut count: c_int = 0;
            // SAFETY: the result is palloc'd, `count` C strings.
            let found = unsafe {
                let found = guard::catch(|| GetWaitEventCustomNames(class, &raw mut count))?;
                core::slice::from_raw_parts(found, usize::try_from(count).unwrap_or(0))
            };
            known += found.len();
            if class == pg_sys::PG_WAIT_EXTENSION {
                // SAFETY: live, see above.
                let is_ours = |found: &&*mut core::ffi::c_char| {
                    names.contains(&unsafe { CStr::from_ptr(**found) })
                };
                wanted -= found.iter().filter(is_ours).count();
            }
        }
        Ok(known + wanted <= MOST)
    }
}

/// The number of a wait event: from 17 on they have names. An error may leave PostgreSQL's lock held.
pub(super) fn wait_event(name: &'static CStr) -> Result<u32, Error> {
    #[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16"))]
    let number = {
        let _ = name;
        pg_sys::PG_WAIT_EXTENSION
    };
    #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16")))]
    // SAFETY: finds the name in shared memory, or adds it there; raises if there is no room for another.
    let number = unsafe { guard::catch(|| WaitEventExtensionNew(name.as_ptr())) }?;
    Ok(number)
}

/// The text of a string node, as raw parse trees have them for names.
///
/// # Safety
/// The node must be one.
pub(super) unsafe fn string_value(node: *mut pg_sys::Node) -> *const core::ffi::c_char {
    // SAFETY: as promised.
    unsafe {
        #[cfg(feature = "pg14")]
        let value = (*node.cast::<pg_sys::Value>()).val.str_;
        #[cfg(not(feature = "pg14"))]
        let value = (*node.cast::<pg_sys::String>()).sval;
        value.cast_const()
    }
}

/// Hands the name of each setting of the session to `each`, and whether it is one that nobody has defined.
pub(super) fn each_setting(mut each: impl FnMut(&CStr, bool)) -> Result<(), Error> {
    // From 16 on the list is made for the caller.
    Context::for_call()?.enter(|| {
        // SAFETY: the closure owns nothing; the list has that many members, each with a name, which is a C string.
        unsafe {
            let (list, count) = guard::catch(|| {
                #[cfg(any(feature = "pg14", feature = "pg15"))]
                let found = (get_guc_variables(), GetNumConfigOptions());
                #[cfg(not(any(feature = "pg14", feature = "pg15")))]
                let found = {
                    let mut count = 0;
                    (get_guc_variables(&raw mut count), count)
                };
                found
            })?;
            for i in 0..usize::try_from(count).unwrap_or(0) {
                let setting = &**list.add(i);
                let is_placeholder = setting.flags as u32 & pg_sys::GUC_CUSTOM_PLACEHOLDER != 0;
                each(CStr::from_ptr(setting.name), is_placeholder);
            }
        }
        Ok(())
    })
}

/// The timeline that this server writes to; not for one that is in recovery.
pub(crate) fn timeline() -> Result<u32, Error> {
    // SAFETY: reads shared memory, or, in 14, a static that is set since the session saw that recovery is over.
    unsafe {
        #[cfg(feature = "pg14")]
        let timeline = pg_sys::ThisTimeLineID;
        #[cfg(not(feature = "pg14"))]
        let timeline = guard::catch(|| GetWALInsertionTimeLine())?;
        Ok(timeline)
    }
}
