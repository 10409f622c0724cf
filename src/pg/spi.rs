//! Local queries: prepared by the server programming interface, and run by it unless they are no more than one
//! expression.

use super::error::{Error, Report};
use super::expr::{self, Arg, Expression};
use super::memory::Switched;
use super::{decode, encoding, fields, guard, io, raw};
use core::cell::Cell;
use core::ffi::{CStr, c_char};
use core::ops::Range;
use pgrx::pg_sys::{self, CachedPlanSource, Datum, Oid, SPIPlanPtr};

/// Rows for which an expression is evaluated at a time.
const BATCH: usize = 64;

/// Runs `work` connected to SPI, on a level of its stack.
///
/// After an error of PostgreSQL's the level is not ours to leave: what was called by the statement may have left levels above
/// it, of which `SPI_finish` would take the topmost. The end of the subtransaction, which such an error is on its way to,
/// takes them all.
fn connected<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    // The level has a memory context that becomes the current one.
    // SAFETY: reads a static of this backend's one thread.
    let _back = Switched::to(unsafe { pg_sys::CurrentMemoryContext });
    // SAFETY: pushes one level; raises only when out of memory.
    check("SPI_connect", unsafe {
        guard::catch(|| raw::SPI_connect())
    }?)?;
    let result = work();
    if !matches!(result, Err(Error::Raised(_))) {
        // SAFETY: whoever was called has left its levels, so that ours is the topmost.
        check("SPI_finish", unsafe { guard::catch(|| raw::SPI_finish()) }?)?;
    }
    result
}

fn check(what: &str, code: i32) -> Result<i32, Error> {
    if code >= 0 {
        return Ok(code);
    }
    // SAFETY: the function returns a static string for every code.
    let name = unsafe { CStr::from_ptr(raw::SPI_result_code_string(code)) }.to_string_lossy();
    Err(Report::internal(format!("{what} failed: {name}")).into())
}

/// A prepared local query, kept until it is dropped.
pub(crate) struct Plan {
    plan: SPIPlanPtr,
    /// Null if the text has not exactly one statement.
    source: *mut CachedPlanSource,
    nargs: usize,
    /// Seen to be more than an expression, and not planned anew since.
    needs_executor: Cell<bool>,
}

impl Plan {
    /// Prepares `sql`, in which some parameters are rows: `name.field` is a field of the one of that name, where it is no column.
    pub(crate) fn prepare_with_rows(
        sql: &str,
        types: &[Oid],
        rows: &[(String, usize)],
    ) -> Result<Self, Error> {
        if rows.is_empty() {
            return Self::prepare(sql, types);
        }
        Self::prepare(&fields::resolve(sql, types, rows)?, types)
    }

    /// Prepares `sql`, whose parameters are of the given types.
    pub(crate) fn prepare(sql: &str, types: &[Oid]) -> Result<Self, Error> {
        connected(|| Self::prepare_here(sql, types))
    }

    fn prepare_here(sql: &str, types: &[Oid]) -> Result<Self, Error> {
        let text = encoding::cstring(sql)?;
        let mut types = types.to_vec();
        let (nargs, oids) = (
            i32::try_from(types.len()).unwrap_or(i32::MAX),
            types.as_mut_ptr(),
        );
        // SAFETY: `text` and `oids` outlive the call; the plan moves to long-lived memory.
        let plan = unsafe {
            guard::catch(|| {
                let plan = raw::SPI_prepare(text, nargs, oids);
                if !plan.is_null() {
                    raw::SPI_keepplan(plan);
                }
                plan
            })
        }?;
        if plan.is_null() {
            // SAFETY: a static of the backend.
            check("SPI_prepare", unsafe { pg_sys::SPI_result })?;
            return Err(Report::internal("SPI_prepare failed").into());
        }
        Ok(Self {
            plan,
            // SAFETY: the list is the plan's own, and its members are of this type.
            source: unsafe { expr::only(raw::SPI_plan_get_plan_sources(plan)) }.cast(),
            nargs: types.len(),
            needs_executor: Cell::new(false),
        })
    }

    /// Runs the query and hands each row to `each`.
    pub(crate) fn run(
        &self,
        args: &[Arg<'_>],
        mut each: impl FnMut(&LocalRow) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        debug_assert_eq!(args.len(), self.nargs);
        let Some(expression) = self.expression()? else {
            return self.execute(args, each);
        };
        Self::evaluate(expression, args, 0..1, |_, row| each(row))
    }

    /// Runs the query for several rows of arguments, from the first of `rows` on, as far as that can be done in one go; each
    /// time it gives one row, which goes to `each` with the number of the row of arguments. Returns how many rows of
    /// arguments it did: none where the query needs the executor, fewer than all where a function has changed meanwhile.
    pub(crate) fn run_each(
        &self,
        args: &[Arg<'_>],
        rows: Range<usize>,
        each: impl FnMut(usize, &LocalRow) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        debug_assert_eq!(args.len(), self.nargs);
        match self.expression()? {
            Some(expression) => Self::evaluate(expression, args, rows, each),
            None => Ok(0),
        }
    }

    /// The expression that the query amounts to, if it does.
    fn expression(&self) -> Result<Option<Expression>, Error> {
        let source = self.source;
        // SAFETY: a source lives as long as its plan.
        if source.is_null() || (self.needs_executor.get() && unsafe { (*source).is_valid }) {
            return Ok(None);
        }
        // SAFETY: the plan was saved, and the caller's borrow of it outlives the expression.
        let expression = unsafe { Expression::open(source) }?;
        self.needs_executor.set(expression.is_none());
        Ok(expression)
    }

    fn evaluate(
        mut expression: Expression,
        args: &[Arg<'_>],
        rows: Range<usize>,
        each: impl FnMut(usize, &LocalRow) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let result = Self::evaluate_rows(&mut expression, args, rows, each);
        // What PostgreSQL raised ends a subtransaction at least; an error of our own need not.
        if !matches!(result, Err(Error::Raised(_))) {
            expression.finish()?;
        }
        result
    }

    fn evaluate_rows(
        expression: &mut Expression,
        args: &[Arg<'_>],
        rows: Range<usize>,
        mut each: impl FnMut(usize, &LocalRow) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let type_oid = expression.type_oid;
        // A value by reference does not outlive the next evaluation.
        let at_once = match type_oid {
            pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID => BATCH,
            _ => 1,
        };
        let mut values = [None; BATCH];
        let mut row = rows.start;
        while row < rows.end && !(row > rows.start && expression.is_stale()) {
            let batch = values
                .get_mut(..at_once.min(rows.end - row))
                .unwrap_or_default();
            let done = expression.evaluate(args, row, batch)?;
            for value in batch.iter().take(done) {
                each(row, &LocalRow::Value(type_oid, *value))?;
                row += 1;
            }
        }
        Ok(row - rows.start)
    }

    /// Runs the query in the executor.
    fn execute(
        &self,
        args: &[Arg<'_>],
        each: impl FnMut(&LocalRow) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        connected(|| self.execute_here(args, each))
    }

    fn execute_here(
        &self,
        args: &[Arg<'_>],
        mut each: impl FnMut(&LocalRow) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let (mut values, nulls): (Vec<Datum>, Vec<c_char>) = args
            .iter()
            .map(|arg| match arg.at(0) {
                Some(value) => (value, b' ' as c_char),
                None => (Datum::null(), b'n' as c_char),
            })
            .unzip();
        let (plan, values, nulls) = (self.plan, values.as_mut_ptr(), nulls.as_ptr());
        // SAFETY: the arrays are as long as the plan has parameters, and their types are those it was prepared for.
        let code = unsafe { guard::catch(|| raw::SPI_execute_plan(plan, values, nulls, true, 0)) }?;
        check("SPI_execute_plan", code)?;
        // SAFETY: statics of the backend, set by the call above.
        let (table, count) = unsafe { (pg_sys::SPI_tuptable, pg_sys::SPI_processed) };
        if table.is_null() {
            return Ok(0);
        }
        let count = usize::try_from(count).unwrap_or(0);
        for i in 0..count {
            // SAFETY: the table has `count` rows, and lives until the level is left.
            let row = unsafe { LocalRow::Tuple(*(*table).vals.add(i), (*table).tupdesc) };
            each(&row)?;
        }
        Ok(count)
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        let plan = self.plan;
        // SAFETY: a kept plan that is ours. What cannot be freed is lost, and nothing else.
        unsafe { guard::catch_here("it frees memory", || raw::SPI_freeplan(plan)) };
    }
}

/// A row of a local query's result.
pub(crate) enum LocalRow {
    Tuple(pg_sys::HeapTuple, pg_sys::TupleDesc),
    /// Its only column: the type, the value.
    Value(Oid, Option<Datum>),
}

impl LocalRow {
    pub(crate) fn width(&self) -> usize {
        match self {
            // SAFETY: live until the level is left.
            Self::Tuple(_, desc) => usize::try_from(unsafe { (**desc).natts }).unwrap_or(0),
            Self::Value(..) => 1,
        }
    }

    /// The type of a column, counted from 1.
    pub(crate) fn type_oid(&self, number: i32) -> Oid {
        match self {
            // SAFETY: as above; an unknown column gives InvalidOid.
            Self::Tuple(_, desc) => unsafe { raw::SPI_gettypeid(*desc, number) },
            Self::Value(type_oid, _) if number == 1 => *type_oid,
            Self::Value(..) => Oid::INVALID,
        }
    }

    /// A column's value, counted from 1; it lives until the next row.
    pub(crate) fn value(&self, number: i32) -> Result<Option<Datum>, Error> {
        let (tuple, desc) = match self {
            Self::Tuple(tuple, desc) => (*tuple, *desc),
            Self::Value(_, value) => return Ok(value.filter(|_| number == 1)),
        };
        let mut is_null = false;
        // SAFETY: tuple and descriptor belong together.
        let value =
            unsafe { guard::catch(|| raw::SPI_getbinval(tuple, desc, number, &raw mut is_null)) }?;
        Ok((!is_null).then_some(value))
    }
}

/// A Rust string as a value of type text, in the current memory context.
pub(crate) fn text_datum(text: &str) -> Result<Datum, Error> {
    decode::varlena(&encoding::text(text)?)
}

/// A value of type text as a Rust string.
pub(crate) fn text(value: Datum) -> Result<String, Error> {
    encoding::to_string(io::detoasted(value)?)
}

/// The bytes of a value of type text, in the database's encoding.
pub(crate) fn text_bytes(value: Datum) -> Result<&'static [u8], Error> {
    io::detoasted(value)
}

/// The same as a string, unless it is longer than so many bytes.
pub(crate) fn text_up_to(value: Datum, most: usize) -> Result<Option<String>, Error> {
    let bytes = io::detoasted(value)?;
    if bytes.len() > most {
        return Ok(None);
    }
    encoding::to_string(bytes).map(Some)
}
