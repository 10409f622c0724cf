//! Locks of the extension's own, which last until the transaction's end.

use super::error::Error;
use super::{guard, raw};
use pgrx::pg_sys;

/// What a lock's number stands for. Tells our advisory locks from those that SQL can take, whose fourth field is 1 or 2.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A transaction that has prepared something.
    Transaction = 0x7078,
    /// The commands that run on all partitions of a cluster or on none.
    Cluster = 0x7079,
    /// The recovery of a cluster.
    Recovery = 0x707a,
}

/// Takes the lock of a number, in this database. Waits until nobody else has it, as any statement waits for a lock: a deadlock
/// or `lock_timeout` ends that. It is released when the transaction is over, or the subtransaction with its work: after its
/// callbacks have run.
pub(crate) fn lock(kind: Kind, number: u64) -> Result<(), Error> {
    acquire(&tag(kind, number), false).map(drop)
}

/// Whether nobody else has the lock of a number.
pub(crate) fn is_free(kind: Kind, number: u64) -> Result<bool, Error> {
    let tag = tag(kind, number);
    let acquired = acquire(&tag, true)?;
    if acquired {
        let tag = &raw const tag;
        // SAFETY: a complete tag, of a lock that was taken just now.
        unsafe { guard::catch(|| raw::LockRelease(tag, pg_sys::ExclusiveLock as i32, false)) }?;
    }
    Ok(acquired)
}

fn tag(kind: Kind, number: u64) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: reads a static of the backend.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (number >> 32) as u32,
        locktag_field3: number as u32,
        locktag_field4: kind as u16,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

fn acquire(tag: &pg_sys::LOCKTAG, no_wait: bool) -> Result<bool, Error> {
    let tag = core::ptr::from_ref(tag);
    // SAFETY: a complete tag, which is copied.
    let result = unsafe {
        guard::catch(|| raw::LockAcquire(tag, pg_sys::ExclusiveLock as i32, false, no_wait))
    }?;
    Ok(result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL as i32)
}
