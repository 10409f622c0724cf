//! Sets that are handed out value by value: what is kept from one call to the next, and how it ends.
//!
//! The state hangs on the call's `FmgrInfo`. It ends in one of three ways: the set is at its end; the executor shuts its
//! expression context down (`LIMIT` reached, cursor closed, scan begun anew); or an error ends the query, where only the
//! memory context goes, and nothing of PostgreSQL's may be touched any more.

use super::error::{Error, Report};
use super::fcinfo::CallInfo;
use super::memory::Switched;
use super::tuplestore::{Store, StoreReader};
use super::{guard, raw};
use core::ffi::c_void;
use core::ptr;
use pgrx::pg_sys::{self, Datum, ExprDoneCond};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A set that is handed out value by value.
pub(crate) trait ValuePerCall {
    /// Returns the next value and keeps the rest for the next call, by [`CallInfo::suspend`], or returns the end of the set.
    fn advance(self: Box<Self>, info: &mut CallInfo) -> Result<Datum, Error>;

    /// Nobody wants the rest.
    fn end(self: Box<Self>);

    /// The same where an error ends the query: what lies in PostgreSQL's memory is given back for whoever knows how to
    /// forget it.
    fn abandon(self: Box<Self>) -> (Vec<Store>, Option<StoreReader>);
}

/// What `fn_extra` points to; it lives in the memory of the `FmgrInfo`.
#[repr(C)]
struct Slot {
    on_reset: pg_sys::MemoryContextCallback,
    /// Where `shut_down` is registered, or null.
    registered: *mut pg_sys::ExprContext,
    /// The set under way.
    set: Option<Box<dyn ValuePerCall>>,
}

impl Slot {
    /// # Safety
    /// `slot` must be null or live.
    unsafe fn take(slot: *mut Self) -> Option<Box<dyn ValuePerCall>> {
        // SAFETY: null or live, and nobody else's meanwhile.
        unsafe { slot.as_mut() }?.set.take()
    }
}

impl CallInfo {
    fn slot(&self) -> *mut Slot {
        // SAFETY: the function manager always sets flinfo; nobody but us uses its fn_extra, which is null at first.
        unsafe { (*self.raw().flinfo).fn_extra.cast() }
    }

    /// The next value of the set that the previous call left off, if it did.
    pub(crate) fn resume(&mut self) -> Option<Result<Datum, Error>> {
        // SAFETY: the slot lives as long as the FmgrInfo, which is live during the call.
        let set = unsafe { Slot::take(self.slot()) }?;
        Some(set.advance(self))
    }

    /// Keeps the set for the next call. The value returned along with it is one of several.
    pub(crate) fn suspend(&mut self, set: Box<dyn ValuePerCall>) -> Result<(), Error> {
        let info = self
            .result_info()
            .ok_or_else(|| Report::internal("no result info for a set"))?;
        let slot = match self.slot() {
            slot if slot.is_null() => self.make_slot()?,
            slot => slot,
        };
        // SAFETY: slot, result info and its expression context are live; the callback is registered once.
        unsafe {
            let context = (*info).econtext;
            if (*slot).registered != context {
                guard::catch(|| {
                    raw::RegisterExprContextCallback(context, Some(shut_down), Datum::from(slot));
                })?;
                (*slot).registered = context;
            }
            (*slot).set = Some(set);
            (*info).isDone = ExprDoneCond::ExprMultipleResult;
        }
        Ok(())
    }

    /// The set is at its end.
    pub(crate) fn end_of_set(&mut self) -> Datum {
        let slot = self.slot();
        // SAFETY: a slot lives as long as the FmgrInfo, and what it is registered with as long as it is registered.
        unsafe {
            if !slot.is_null() && !(*slot).registered.is_null() {
                let context = core::mem::replace(&mut (*slot).registered, ptr::null_mut());
                raw::UnregisterExprContextCallback(context, Some(shut_down), Datum::from(slot));
            }
            if let Some(info) = self.result_info() {
                (*info).isDone = ExprDoneCond::ExprEndResult;
            }
        }
        self.return_null()
    }

    fn make_slot(&mut self) -> Result<*mut Slot, Error> {
        let flinfo = self.raw().flinfo;
        // SAFETY: flinfo is live, and the slot is registered with the memory that it lives in.
        unsafe {
            let memory = (*flinfo).fn_mcxt;
            let slot: *mut Slot =
                guard::catch(|| raw::MemoryContextAlloc(memory, size_of::<Slot>()))?.cast();
            slot.write(Slot {
                on_reset: pg_sys::MemoryContextCallback {
                    func: Some(forget),
                    arg: slot.cast(),
                    next: ptr::null_mut(),
                },
                registered: ptr::null_mut(),
                set: None,
            });
            raw::MemoryContextRegisterResetCallback(memory, &raw mut (*slot).on_reset);
            (*flinfo).fn_extra = slot.cast();
            Ok(slot)
        }
    }

    /// Runs `f` with memory that lives as long as the query.
    pub(crate) fn in_query_memory<T>(&self, f: impl FnOnce() -> T) -> Result<T, Error> {
        let info = self
            .result_info()
            .ok_or_else(|| Report::internal("no result info for a set"))?;
        // SAFETY: the node is live, and its econtext is set for a set-returning call.
        let _in_query_memory = Switched::to(unsafe { (*(*info).econtext).ecxt_per_query_memory });
        Ok(f())
    }
}

/// The executor wants no more values of the set.
unsafe extern "C-unwind" fn shut_down(arg: Datum) {
    let slot: *mut Slot = arg.cast_mut_ptr();
    let _panic = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the slot's memory lives longer than the expression context; the registration is used up.
        let set = unsafe {
            (*slot).registered = ptr::null_mut();
            Slot::take(slot)
        };
        if let Some(set) = set {
            set.end();
        }
    }));
}

/// The memory of the query goes, and the slot with it.
unsafe extern "C-unwind" fn forget(arg: *mut c_void) {
    let _panic = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: callbacks run before the memory of the slot is freed.
        if let Some(set) = unsafe { Slot::take(arg.cast()) } {
            let (stores, reader) = set.abandon();
            stores.into_iter().for_each(Store::abandon);
            reader.into_iter().for_each(StoreReader::abandon);
        }
    }));
}
