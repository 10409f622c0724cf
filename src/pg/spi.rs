//! Local queries through the server programming interface.

use super::{encoding, guard, io, raw};
use crate::error::{Error, Report};
use core::ffi::{CStr, c_char};
use pgrx::pg_sys::{self, Datum, Oid, SPIPlanPtr};

/// A connection to SPI: one level of its stack, left when dropped.
struct Connection;

impl Connection {
    fn open() -> Result<Self, Error> {
        // SAFETY: pushes one level; raises only when out of memory.
        check("SPI_connect", unsafe {
            guard::catch(|| raw::SPI_connect())
        }?)?;
        Ok(Self)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: pops the level that `open` pushed. It cannot raise; its code would say only that there is no level.
        unsafe { raw::SPI_finish() };
    }
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
    nargs: usize,
}

impl Plan {
    /// Prepares `sql`, whose parameters are of the given types.
    pub(crate) fn prepare(sql: &str, types: &[Oid]) -> Result<Self, Error> {
        let _connection = Connection::open()?;
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
            nargs: types.len(),
        })
    }

    /// Runs the query and hands each row to `each`. At most `limit` rows are fetched; 0 is no limit.
    pub(crate) fn run(
        &self,
        args: &[Option<Datum>],
        limit: i64,
        mut each: impl FnMut(&LocalRow) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let _connection = Connection::open()?;
        let mut values: Vec<Datum> = args
            .iter()
            .map(|arg| arg.unwrap_or(Datum::null()))
            .collect();
        let nulls: Vec<c_char> = args
            .iter()
            .map(|arg| if arg.is_none() { b'n' } else { b' ' } as c_char)
            .collect();
        debug_assert_eq!(values.len(), self.nargs);
        let (plan, values, nulls) = (self.plan, values.as_mut_ptr(), nulls.as_ptr());
        // SAFETY: the arrays are as long as the plan has parameters, and their types are those it was prepared for.
        let code =
            unsafe { guard::catch(|| raw::SPI_execute_plan(plan, values, nulls, true, limit)) }?;
        check("SPI_execute_plan", code)?;
        // SAFETY: statics of the backend, set by the call above.
        let (table, count) = unsafe { (pg_sys::SPI_tuptable, pg_sys::SPI_processed) };
        if table.is_null() {
            return Ok(0);
        }
        let count = usize::try_from(count).unwrap_or(0);
        for i in 0..count {
            // SAFETY: the table has `count` rows, and lives until the connection is left.
            let row = unsafe {
                LocalRow {
                    tuple: *(*table).vals.add(i),
                    desc: (*table).tupdesc,
                }
            };
            each(&row)?;
        }
        Ok(count)
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: a kept plan that is ours; freeing it only drops references.
        unsafe { raw::SPI_freeplan(self.plan) };
    }
}

/// A row of a local query's result.
pub(crate) struct LocalRow {
    tuple: pg_sys::HeapTuple,
    desc: pg_sys::TupleDesc,
}

impl LocalRow {
    pub(crate) fn width(&self) -> usize {
        // SAFETY: live until the connection is left.
        usize::try_from(unsafe { (*self.desc).natts }).unwrap_or(0)
    }

    /// The type of a column, counted from 1.
    pub(crate) fn type_oid(&self, number: i32) -> Oid {
        // SAFETY: as above; an unknown column gives InvalidOid.
        unsafe { raw::SPI_gettypeid(self.desc, number) }
    }

    /// A column's value, counted from 1; it lives until the connection is left.
    pub(crate) fn value(&self, number: i32) -> Result<Option<Datum>, Error> {
        let (tuple, desc) = (self.tuple, self.desc);
        let mut is_null = false;
        // SAFETY: tuple and descriptor belong together.
        let value =
            unsafe { guard::catch(|| raw::SPI_getbinval(tuple, desc, number, &raw mut is_null)) }?;
        Ok((!is_null).then_some(value))
    }
}

/// A Rust string as a value of type text, in the current memory context.
pub(crate) fn text_datum(text: &str) -> Result<Datum, Error> {
    io::varlena(encoding::ServerText::new(text.as_bytes())?.as_bytes())
}

/// A value of type text as a Rust string.
pub(crate) fn text(value: Datum) -> Result<String, Error> {
    encoding::to_string(io::detoasted(value)?)
}
