//! Local queries that are no more than one expression, evaluated without starting the executor.
//!
//! `select f($1)` and `select * from f($1)`, where `f` gives one scalar, mean the same as the expression `f($1)`. Such an
//! expression is found in the query's cached plan, the way PL/pgSQL finds its simple ones. The plan comes from the plan
//! cache on every use, so that a replaced function, another search path and the like are seen as any query sees them; and
//! the expression is made ready on every use, which is when PostgreSQL checks the right to execute its functions.

use super::error::Error;
use super::{guard, raw};
use core::ffi::{c_char, c_void};
use core::ptr;
use pgrx::pg_sys::{
    self, CachedPlan, CachedPlanSource, Datum, ErrorContextCallback, Expr, ExprContext, ExprState,
    List, Node, NodeTag, Oid, ParamListInfo, ResourceOwner,
};

/// What stands for a parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arg<'a> {
    /// The same value in every row.
    Whole(Option<Datum>),
    /// A value for each row.
    Each(&'a [Option<Datum>]),
}

impl Arg<'_> {
    /// Its value in a row, counted from 0.
    pub(super) fn at(&self, row: usize) -> Option<Datum> {
        match self {
            Self::Whole(value) => *value,
            Self::Each(values) => values.get(row).copied().flatten(),
        }
    }
}

/// An expression that is ready to be evaluated, in the memory context in which it was opened.
///
/// It holds its cached plan until `finish`. After an error it is the resource owner that lets go of the plan, as of all
/// else that the failed subtransaction held.
pub(super) struct Expression {
    state: *mut ExprState,
    context: *mut ExprContext,
    params: ParamListInfo,
    source: *mut CachedPlanSource,
    plan: *mut CachedPlan,
    owner: ResourceOwner,
    query: *const c_char,
    pub(super) type_oid: Oid,
}

impl Expression {
    /// The expression that a query amounts to; `None` if it is more than that.
    ///
    /// # Safety
    /// `source` must be of a saved plan, and outlive the expression.
    pub(super) unsafe fn open(source: *mut CachedPlanSource) -> Result<Option<Self>, Error> {
        // SAFETY: plain C calls; the closure owns nothing. The plan is held while the expression in it is used.
        let this = unsafe {
            guard::catch(|| {
                let (owner, query) = (pg_sys::CurrentResourceOwner, (*source).query_string);
                let mut errors = ErrorContextCallback::default();
                describe_errors(&raw mut errors, query);
                let plan = raw::GetCachedPlan(source, ptr::null_mut(), owner, ptr::null_mut());
                let node = expression_of(plan);
                if node.is_null() {
                    raw::ReleaseCachedPlan(plan, owner);
                    return None;
                }
                let params = raw::makeParamList((*source).num_params);
                let context = raw::CreateStandaloneExprContext();
                (*context).ecxt_param_list_info = params;
                Some(Self {
                    state: raw::ExecInitExpr(node, ptr::null_mut()),
                    context,
                    params: with_types(params, (*source).param_types),
                    source,
                    plan,
                    owner,
                    query,
                    type_oid: raw::exprType(node.cast()),
                })
            })
        }?;
        Ok(this)
    }

    /// Evaluates for some rows, from `first` on, up to one that gives NULL or makes the plan stale. Returns how many it did,
    /// at least one.
    ///
    /// Values by reference live until the next call.
    pub(super) fn evaluate(
        &mut self,
        args: &[Arg<'_>],
        first: usize,
        out: &mut [Option<Datum>],
    ) -> Result<usize, Error> {
        let memory = self.memory();
        let (state, context, params) = (self.state, self.context, self.params);
        let (source, plan, query) = (self.source, self.plan, self.query);
        // SAFETY: the expression and what it needs live in the call's memory. The closure owns nothing, and its indexing
        // cannot fail: it only walks slices.
        let done = unsafe {
            guard::catch(|| {
                let mut errors = ErrorContextCallback::default();
                describe_errors(&raw mut errors, query);
                let outside = pg_sys::CurrentMemoryContext;
                let mut done = 0;
                for slot in out {
                    if (&raw const pg_sys::InterruptPending).read_volatile() != 0 {
                        raw::ProcessInterrupts();
                    }
                    raw::MemoryContextReset(memory);
                    bind(params, args, first + done);
                    let mut is_null = false;
                    pg_sys::CurrentMemoryContext = memory;
                    let value = match (*state).evalfunc {
                        Some(evaluate) => evaluate(state, context, &raw mut is_null),
                        None => Datum::null(),
                    };
                    pg_sys::CurrentMemoryContext = outside;
                    *slot = if is_null { None } else { Some(value) };
                    done += 1;
                    if is_null || !(*plan).is_valid || !(*source).is_valid {
                        break;
                    }
                }
                done
            })
        }?;
        Ok(done)
    }

    /// Whether something that the plan was made from has changed since.
    pub(super) fn is_stale(&self) -> bool {
        // SAFETY: the plan is held, and its source outlives us.
        unsafe { !(*self.plan).is_valid || !(*self.source).is_valid }
    }

    fn memory(&self) -> pg_sys::MemoryContext {
        // SAFETY: the context is alive.
        unsafe { (*self.context).ecxt_per_tuple_memory }
    }

    /// Ends the use of the expression.
    pub(super) fn finish(self) -> Result<(), Error> {
        let (context, plan, owner) = (self.context, self.plan, self.owner);
        // SAFETY: both are ours, and not used again.
        unsafe {
            guard::catch(|| {
                raw::FreeExprContext(context, true);
                raw::ReleaseCachedPlan(plan, owner);
            })
        }?;
        Ok(())
    }
}

/// Has errors say which statement they come from, as SPI has them. The surrounding `catch` ends it.
///
/// # Safety
/// `callback` must live until then, and so must `query`.
pub(super) unsafe fn describe_errors(callback: *mut ErrorContextCallback, query: *const c_char) {
    // SAFETY: as promised; the stack is this thread's.
    unsafe {
        (*callback).previous = pg_sys::error_context_stack;
        (*callback).callback = Some(statement_context);
        (*callback).arg = query.cast_mut().cast();
        pg_sys::error_context_stack = callback;
    }
}

/// The line that SPI adds to an error's context; a position in the statement becomes an internal one.
unsafe extern "C-unwind" fn statement_context(query: *mut c_void) {
    let query: *const c_char = query.cast_const().cast();
    // SAFETY: called while an error is being reported; `query` is the plan's own text.
    unsafe {
        let position = raw::geterrposition();
        if position > 0 {
            raw::errposition(0);
            raw::internalerrposition(position);
            raw::internalerrquery(query);
        } else {
            raw::set_errcontext_domain(ptr::null());
            raw::errcontext_msg(c"SQL statement \"%s\"".as_ptr(), query);
        }
    }
}

/// Gives parameters their types.
///
/// # Safety
/// `types` must be as long as `params`.
unsafe fn with_types(params: ParamListInfo, types: *const Oid) -> ParamListInfo {
    // SAFETY: as promised; no parameters are a null list.
    unsafe {
        if !params.is_null() {
            let list = (*params).params.as_mut_ptr();
            for i in 0..usize::try_from((*params).numParams).unwrap_or(0) {
                (*list.add(i)).ptype = *types.add(i);
                (*list.add(i)).pflags = pg_sys::PARAM_FLAG_CONST as u16;
            }
        }
    }
    params
}

/// Sets the parameters' values for a row; where there is no value it is NULL.
///
/// # Safety
/// `params` must be a live list, or null.
unsafe fn bind(params: ParamListInfo, args: &[Arg<'_>], row: usize) {
    // SAFETY: as promised.
    unsafe {
        if params.is_null() {
            return;
        }
        let list = (*params).params.as_mut_ptr();
        for (i, arg) in args
            .iter()
            .take(usize::try_from((*params).numParams).unwrap_or(0))
            .enumerate()
        {
            let value = arg.at(row);
            (*list.add(i)).isnull = value.is_none();
            (*list.add(i)).value = value.unwrap_or(Datum::null());
        }
    }
}

/// The expression that a plan does no more than evaluate, once; null if it does more.
///
/// # Safety
/// The plan must be live.
unsafe fn expression_of(plan: *mut CachedPlan) -> *mut Expr {
    // SAFETY: the plan's nodes are live with it, and each cast follows a look at the node's tag.
    unsafe {
        let statement: *mut pg_sys::PlannedStmt = only((*plan).stmt_list).cast();
        if tag(statement.cast()) != Some(NodeTag::T_PlannedStmt)
            || (*statement).commandType != pg_sys::CmdType::CMD_SELECT
            || !(*statement).subplans.is_null()
            || !(*statement).utilityStmt.is_null()
        {
            return ptr::null_mut();
        }
        let node = (*statement).planTree;
        let kind = tag(node.cast());
        if !matches!(kind, Some(NodeTag::T_Result | NodeTag::T_FunctionScan))
            || !(*node).qual.is_null()
            || !(*node).initPlan.is_null()
            || !(*node).lefttree.is_null()
            || !(*node).righttree.is_null()
        {
            return ptr::null_mut();
        }
        let target: *mut pg_sys::TargetEntry = only((*node).targetlist).cast();
        if target.is_null() {
            return ptr::null_mut();
        }
        let expression = if kind == Some(NodeTag::T_Result) {
            let result: *mut pg_sys::Result = node.cast();
            if (*result).resconstantqual.is_null() {
                (*target).expr
            } else {
                ptr::null_mut()
            }
        } else {
            scanned_function(node.cast(), (*target).expr)
        };
        if expression.is_null() || raw::expression_returns_set(expression.cast()) {
            return ptr::null_mut();
        }
        expression
    }
}

/// The call that a function scan makes, if `column`, the scan's only one, is its value whole; else null.
///
/// # Safety
/// The nodes must be live.
unsafe fn scanned_function(scan: *mut pg_sys::FunctionScan, column: *mut Expr) -> *mut Expr {
    // SAFETY: as in `expression_of`.
    unsafe {
        let function: *mut pg_sys::RangeTblFunction = only((*scan).functions).cast();
        if function.is_null() || (*scan).funcordinality || (*function).funccolcount != 1 {
            return ptr::null_mut();
        }
        if tag(column.cast()) != Some(NodeTag::T_Var) {
            return ptr::null_mut();
        }
        let column: *mut pg_sys::Var = column.cast();
        // A function that gives a row has columns of other types than its own.
        if (*column).varattno != 1 || (*column).vartype != raw::exprType((*function).funcexpr) {
            return ptr::null_mut();
        }
        (*function).funcexpr.cast()
    }
}

/// # Safety
/// A live node, or null.
unsafe fn tag(node: *mut Node) -> Option<NodeTag> {
    // SAFETY: as promised; every node begins with its tag.
    (!node.is_null()).then(|| unsafe { (*node).type_ })
}

/// The one member of a list; null if it has none or several.
///
/// # Safety
/// A live list of pointers, or null.
pub(super) unsafe fn only(list: *mut List) -> *mut c_void {
    // SAFETY: as promised; null is the empty list.
    unsafe {
        if list.is_null() || (*list).length != 1 {
            ptr::null_mut()
        } else {
            (*(*list).elements).ptr_value
        }
    }
}
