//! One call of the function manager.

use super::error::{Error, Report, sqlstate};
use super::tuple::RowType;
use super::tuplestore::Store;
use super::{guard, memory::Switched, raw, settings};
use core::ptr;
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, NodeTag, Oid};

/// How the caller wants the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResultMode {
    /// One value.
    Single,
    /// A set, in a tuplestore.
    Set,
    /// A set, in a tuplestore or value by value as the caller asks for it.
    SetOrStream,
}

/// What the caller expects of a function that returns rows.
pub(crate) enum CallResult {
    Scalar(Oid),
    /// A row type, and the domain over it if the function returns one.
    Row(RowType, Option<Oid>),
    Unknown,
}

/// The call info of a running call.
pub(crate) struct CallInfo {
    fcinfo: FunctionCallInfo,
}

impl CallInfo {
    /// # Safety
    /// `fcinfo` must be live for as long as the value is.
    pub(super) unsafe fn new(fcinfo: FunctionCallInfo) -> Self {
        Self { fcinfo }
    }

    pub(super) fn raw(&self) -> &pg_sys::FunctionCallInfoBaseData {
        // SAFETY: live, see `new`.
        unsafe { &*self.fcinfo }
    }

    pub(crate) fn function_oid(&self) -> Oid {
        // SAFETY: the function manager always sets flinfo for a language handler.
        unsafe { (*self.raw().flinfo).fn_oid }
    }

    /// Whether a trigger calls.
    pub(crate) fn is_trigger(&self) -> bool {
        let context = self.raw().context;
        // SAFETY: a non-null context is a node.
        !context.is_null() && unsafe { (*context).type_ == NodeTag::T_TriggerData }
    }

    pub(crate) fn nargs(&self) -> usize {
        usize::try_from(self.raw().nargs).unwrap_or(0)
    }

    /// An argument's value, `None` for NULL.
    pub(crate) fn arg(&self, number: usize) -> Option<Datum> {
        if number >= self.nargs() {
            return None;
        }
        // SAFETY: `args` has `nargs` entries.
        let arg = unsafe { &*self.raw().args.as_ptr().add(number) };
        (!arg.isnull).then_some(arg.value)
    }

    /// The same for a value that several are to read, of a type whose values are `len` bytes.
    ///
    /// A caller may leave an array to us for good, in the form in which a function may change it in place: the first function
    /// that got it would make it its own, and nobody could read it afterwards.
    pub(crate) fn shared_arg(&self, number: usize, len: i16) -> Option<Datum> {
        const VARLENA: i16 = -1;
        let value = self.arg(number)?;
        if len != VARLENA {
            return Some(value);
        }
        // SAFETY: a varlena, of which only the header is read; it cannot raise.
        Some(unsafe { raw::MakeExpandedObjectReadOnlyInternal(value) })
    }

    /// The type of an argument's expression, as far as the parser knew it.
    pub(crate) fn arg_type(&self, number: i32) -> Result<Oid, Error> {
        let flinfo = self.raw().flinfo;
        // SAFETY: flinfo is live; the function reads the expression tree only.
        Ok(unsafe { guard::catch(|| raw::get_fn_expr_argtype(flinfo, number)) }?)
    }

    /// Marks the result as NULL.
    pub(crate) fn return_null(&mut self) -> Datum {
        // SAFETY: live, see `new`; nobody else writes during the call.
        unsafe { (*self.fcinfo).isnull = true };
        Datum::null()
    }

    /// How the caller wants the result, or an error where it asks for what cannot be given.
    pub(crate) fn result_mode(&self) -> Result<ResultMode, Error> {
        // SAFETY: flinfo is live.
        if !unsafe { (*self.raw().flinfo).fn_retset } {
            return Ok(ResultMode::Single);
        }
        let info = self.result_info().ok_or_else(|| {
            Report::new(
                sqlstate::FEATURE_NOT_SUPPORTED,
                "set-valued function called in context that cannot accept a set",
            )
        })?;
        use pg_sys::SetFunctionReturnMode as Mode;
        // SAFETY: `result_info` checked the node.
        let modes = unsafe { (*info).allowedModes } as u32;
        let has = |mode| modes & mode != 0;
        if !has(Mode::SFRM_Materialize) {
            return Err(Report::new(
                sqlstate::FEATURE_NOT_SUPPORTED,
                "materialize mode required, but it is not allowed in this context",
            )
            .into());
        }
        // A caller that reads the whole set in any case says that it prefers a tuplestore.
        if has(Mode::SFRM_ValuePerCall) && !has(Mode::SFRM_Materialize_Preferred) {
            return Ok(ResultMode::SetOrStream);
        }
        Ok(ResultMode::Set)
    }

    /// Whether the caller takes a set in a tuplestore.
    pub(crate) fn takes_store(&self) -> bool {
        self.result_info().is_some_and(|info| {
            // SAFETY: `result_info` checked the node.
            let modes = unsafe { (*info).allowedModes } as u32;
            modes & pg_sys::SetFunctionReturnMode::SFRM_Materialize != 0
        })
    }

    pub(super) fn result_info(&self) -> Option<*mut pg_sys::ReturnSetInfo> {
        let info = self.raw().resultinfo;
        // SAFETY: a non-null resultinfo is a node.
        (!info.is_null() && unsafe { (*info).type_ } == NodeTag::T_ReturnSetInfo)
            .then_some(info.cast())
    }

    /// The result type of this call: for a function returning `record` it comes from the query's column list.
    pub(crate) fn result_type(&self) -> Result<CallResult, Error> {
        let fcinfo = self.fcinfo;
        let mut oid = Oid::INVALID;
        let mut desc: pg_sys::TupleDesc = ptr::null_mut();
        // SAFETY: both out-parameters outlive the call.
        let class = unsafe {
            guard::catch(|| raw::get_call_result_type(fcinfo, &raw mut oid, &raw mut desc))
        }?;
        // SAFETY: `desc` is set for both composite classes.
        unsafe { CallResult::from_class(class, oid, desc) }
    }

    /// The tuplestore that becomes this call's result, in memory that outlives the call.
    ///
    /// The caller reads it when we have returned; until `give` nothing refers to it.
    pub(crate) fn result_store(&self, row_type: &RowType) -> Result<ResultStore, Error> {
        let info = self
            .result_info()
            .ok_or_else(|| Report::internal("no result info for a set"))?;
        // SAFETY: the node is live, and its econtext is set for a set-returning call.
        let (context, random) = unsafe {
            (
                (*(*info).econtext).ecxt_per_query_memory,
                (*info).allowedModes as u32
                    & pg_sys::SetFunctionReturnMode::SFRM_Materialize_Random
                    != 0,
            )
        };
        let _in_query_memory = Switched::to(context);
        let store = Store::new(random, settings::work_mem())?;
        let desc = row_type.copy_desc()?;
        Ok(ResultStore { info, store, desc })
    }
}

impl CallResult {
    /// # Safety
    /// `desc` must be live if `class` is one of the composite ones.
    unsafe fn from_class(class: i32, oid: Oid, desc: pg_sys::TupleDesc) -> Result<Self, Error> {
        use pg_sys::TypeFuncClass as Class;
        let class = class as u32;
        Ok(if class == Class::TYPEFUNC_SCALAR {
            Self::Scalar(oid)
        } else if class == Class::TYPEFUNC_COMPOSITE {
            // SAFETY: as promised.
            Self::Row(unsafe { RowType::copy(desc) }?, None)
        } else if class == Class::TYPEFUNC_COMPOSITE_DOMAIN {
            // SAFETY: as promised.
            Self::Row(unsafe { RowType::copy(desc) }?, Some(oid))
        } else {
            Self::Unknown
        })
    }

    /// The declared result type of a function, independent of any call.
    pub(crate) fn of_function(function: Oid) -> Result<Self, Error> {
        let mut oid = Oid::INVALID;
        let mut desc: pg_sys::TupleDesc = ptr::null_mut();
        // SAFETY: both out-parameters outlive the call.
        let class = unsafe {
            guard::catch(|| raw::get_func_result_type(function, &raw mut oid, &raw mut desc))
        }?;
        // SAFETY: `desc` is set for both composite classes.
        unsafe { Self::from_class(class, oid, desc) }
    }
}

/// A tuplestore on its way to the caller.
pub(crate) struct ResultStore {
    info: *mut pg_sys::ReturnSetInfo,
    pub(crate) store: Store,
    desc: pg_sys::TupleDesc,
}

impl ResultStore {
    /// Hands the rows over; the executor owns them now.
    pub(crate) fn give(self) {
        // SAFETY: the node is live for the length of the call.
        unsafe {
            (*self.info).returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
            (*self.info).setResult = self.store.into_raw();
            (*self.info).setDesc = self.desc;
        }
    }
}
