//! Rows kept in memory up to a bound, then on disk.

use super::tuple::{Row, RowType};
use super::{guard, raw};
use crate::error::Error;
use core::mem::ManuallyDrop;
use pgrx::pg_sys::{self, Tuplestorestate};

/// Copying many rows takes its time; an interrupt is seen after so many.
const ROWS_BETWEEN_CHECKS: u32 = 4096;

/// A tuplestore of our own.
pub(crate) struct Store(*mut Tuplestorestate);

impl Store {
    /// `kbytes`: the memory it may use before it goes to disk. It is made in the current memory context.
    pub(crate) fn new(random_access: bool, kbytes: i32) -> Result<Self, Error> {
        // SAFETY: no requirements beyond a live current context.
        Ok(Self(unsafe {
            guard::catch(|| raw::tuplestore_begin_heap(random_access, false, kbytes))
        }?))
    }

    /// Appends a row.
    pub(crate) fn put(&mut self, row_type: &RowType, row: &Row) -> Result<(), Error> {
        let (store, desc) = (self.0, row_type.as_ptr());
        let (values, nulls) = row.parts();
        // SAFETY: store and descriptor are live, and the row is as wide as the descriptor.
        unsafe { guard::catch(|| raw::tuplestore_putvalues(store, desc, values, nulls)) }?;
        Ok(())
    }

    /// Moves all rows of another store to the end of this one.
    pub(crate) fn append(&mut self, other: Self, row_type: &RowType) -> Result<(), Error> {
        let (target, source, desc) = (self.0, other.0, row_type.as_ptr());
        // SAFETY: all three are live. The slot is dropped on the way out; an error leaves it to its memory context.
        unsafe {
            guard::catch(|| {
                let slot =
                    raw::MakeSingleTupleTableSlot(desc, &raw const pg_sys::TTSOpsMinimalTuple);
                let mut rows = 0_u32;
                while raw::tuplestore_gettupleslot(source, true, false, slot) {
                    raw::tuplestore_puttupleslot(target, slot);
                    rows = rows.wrapping_add(1);
                    if rows.is_multiple_of(ROWS_BETWEEN_CHECKS) {
                        raw::ProcessInterrupts();
                    }
                }
                raw::ExecDropSingleTupleTableSlot(slot);
            })
        }?;
        Ok(())
    }

    /// Gives the store away.
    pub(super) fn into_raw(self) -> *mut Tuplestorestate {
        ManuallyDrop::new(self).0
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let store = self.0;
        // Closing a file may write its last block, which may fail. A store is dropped before its time only on the way of
        // another error, and the transaction's end closes what is left.
        // SAFETY: ours, and its memory context is alive as long as we are. It closes its files and frees its memory.
        let _ = unsafe { guard::catch(|| raw::tuplestore_end(store)) };
    }
}
