//! Locks of the extension's own, which last until the transaction's end.

use super::{guard, raw};
use crate::error::Error;
use pgrx::pg_sys;

/// Tells our advisory locks from those that SQL can take, whose fourth field is 1 or 2.
const OURS: u16 = 0x7078;

/// Takes the lock of a number, in this database, if nobody else has it. It is released when the transaction is over, or the
/// subtransaction with its work: after its callbacks have run.
pub(crate) fn try_lock(number: u64) -> Result<bool, Error> {
    let tag = pg_sys::LOCKTAG {
        // SAFETY: reads a static of the backend.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (number >> 32) as u32,
        locktag_field3: number as u32,
        locktag_field4: OURS,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    };
    let tag = &raw const tag;
    // SAFETY: a complete tag, which is copied.
    let result = unsafe {
        guard::catch(|| raw::LockAcquire(tag, pg_sys::ExclusiveLock as i32, false, true))
    }?;
    Ok(result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL as i32)
}
