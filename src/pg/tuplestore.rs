//! Rows kept in memory up to a bound, then on disk.

use super::error::Error;
use super::tuple::{Row, RowType};
use super::{guard, interrupts, raw};
use core::ffi::c_int;
use core::mem::ManuallyDrop;
use pgrx::pg_sys::{self, Datum, Tuplestorestate};

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

    /// Moves all rows of another store to the end of this one. An interrupt that will end the statement ends it early, as
    /// an error, so that the partitions' work is ended before.
    pub(crate) fn append(&mut self, other: Self, row_type: &RowType) -> Result<(), Error> {
        let (target, source, desc) = (self.0, other.0, row_type.as_ptr());
        // SAFETY: all three are live. The slot is dropped on the way out; an error leaves it to its memory context.
        let whole = unsafe {
            guard::catch(|| {
                let slot =
                    raw::MakeSingleTupleTableSlot(desc, &raw const pg_sys::TTSOpsMinimalTuple);
                let (mut rows, mut whole) = (0_u32, true);
                while raw::tuplestore_gettupleslot(source, true, false, slot) {
                    raw::tuplestore_puttupleslot(target, slot);
                    rows = rows.wrapping_add(1);
                    if rows.is_multiple_of(ROWS_BETWEEN_CHECKS) && interrupts::pending() {
                        if interrupts::will_end() {
                            whole = false;
                            break;
                        }
                        raw::ProcessInterrupts();
                    }
                }
                raw::ExecDropSingleTupleTableSlot(slot);
                whole
            })
        }?;
        if whole {
            Ok(())
        } else {
            Err(interrupts::canceled())
        }
    }

    /// Forgets the store without touching memory that may be gone already. Its files end with the transaction.
    pub(super) fn abandon(self) {
        let _kept = ManuallyDrop::new(self);
    }

    /// Gives the store away.
    pub(super) fn into_raw(self) -> *mut Tuplestorestate {
        ManuallyDrop::new(self).0
    }
}

/// A store whose rows are read back one by one, as the values of a set.
pub(crate) struct StoreReader {
    store: Store,
    slot: *mut pg_sys::TupleTableSlot,
    /// Where it was made. A row read back from a file belongs to the slot until the next one, so it must live there too.
    memory: pg_sys::MemoryContext,
}

impl StoreReader {
    /// Its own memory comes from the current context.
    pub(crate) fn new(store: Store, row_type: &RowType) -> Result<Self, Error> {
        let desc = row_type.as_ptr();
        // SAFETY: the descriptor is live; whoever reads keeps the row type.
        let slot = unsafe {
            guard::catch(|| {
                raw::MakeSingleTupleTableSlot(desc, &raw const pg_sys::TTSOpsMinimalTuple)
            })
        }?;
        Ok(Self {
            store,
            slot,
            // SAFETY: reads a static of this backend's one thread.
            memory: unsafe { pg_sys::CurrentMemoryContext },
        })
    }

    /// The next row: as a composite value or, of a set of scalars, its one column. In the current memory context.
    pub(crate) fn next(
        &mut self,
        row_type: &RowType,
        composite: bool,
    ) -> Result<Option<Option<Datum>>, Error> {
        let (store, slot, memory) = (self.store.0, self.slot, self.memory);
        // A row may have none.
        let column = row_type.attributes().first();
        // SAFETY: store and slot are live; the slot has the row type's descriptor, and after a fetch the first column.
        Ok(unsafe {
            guard::catch(|| {
                let callers = pg_sys::CurrentMemoryContext;
                pg_sys::CurrentMemoryContext = memory;
                let found = raw::tuplestore_gettupleslot(store, true, false, slot);
                pg_sys::CurrentMemoryContext = callers;
                if !found {
                    return None;
                }
                let Some(column) = column.filter(|_| !composite) else {
                    return Some(Some(raw::ExecFetchSlotHeapTupleDatum(slot)));
                };
                raw::slot_getsomeattrs_int(slot, 1);
                if *(*slot).tts_isnull {
                    return Some(None);
                }
                let (by_value, length) = (column.attbyval, c_int::from(column.attlen));
                Some(Some(raw::datumCopy(*(*slot).tts_values, by_value, length)))
            })
        }?)
    }

    /// Forgets it without touching memory that may be gone already.
    pub(super) fn abandon(self) {
        let _kept = ManuallyDrop::new(self);
    }
}

impl Drop for StoreReader {
    fn drop(&mut self) {
        let slot = self.slot;
        // SAFETY: ours; its memory context is alive as long as we are, else we are abandoned.
        unsafe {
            guard::catch_here(
                "the slot refers to our own descriptor, and pins no buffer",
                || {
                    raw::ExecDropSingleTupleTableSlot(slot);
                },
            );
        };
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let store = self.0;
        // Closing a file may write its last block, which may fail. A store is dropped before its time only on the way of
        // another error, and the transaction's end closes what is left.
        // SAFETY: ours, and its memory context is alive as long as we are. It closes its files and frees its memory.
        unsafe {
            guard::catch_here("its files are this process's own", || {
                raw::tuplestore_end(store)
            });
        };
    }
}
