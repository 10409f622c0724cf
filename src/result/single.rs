//! The value of a function that returns one.
#![forbid(unsafe_code)]

use super::rows::RowReader;
use crate::call::Call;
use crate::error::{Error, sqlstate};
use crate::function::codec::{Shape, ShapeResult};
use crate::pg::fcinfo::CallInfo;
use crate::pg::settings::InputSettings;
use pgrx::pg_sys::Datum;
use std::rc::Rc;

/// One row is wanted, no less and no more.
pub(super) fn take(call: &mut Call, info: &mut CallInfo, shape: &Shape) -> Result<Datum, Error> {
    if call.is_procedure() && matches!(shape.result, ShapeResult::Void) {
        // From however many partitions, and whatever they send.
        call.drive(|_| Ok(()))?;
        return Ok(info.return_null());
    }
    let mut count: u64 = 0;
    let mut first = None;
    call.drive(|arrival| {
        // Further rows are counted for the message only. What the row is worth is looked at when all partitions are done.
        if let Some(batch) = arrival.batch.filter(|batch| !batch.is_empty()) {
            count += batch.len() as u64;
            first.get_or_insert(batch);
        }
        Ok(())
    })?;
    let label = call.label();
    if count != 1 {
        let sqlstate = if count == 0 {
            sqlstate::NO_DATA_FOUND
        } else {
            sqlstate::TOO_MANY_ROWS
        };
        let what = format_args!("Non-SETOF function requires 1 row from remote query, got {count}");
        return Err(label.error_with(sqlstate, what));
    }
    let Some(batch) = first else {
        return Ok(info.return_null());
    };
    // Values as text are read as the partition's settings mean them.
    let _settings = InputSettings::of(batch.style())?;
    let dbname = Rc::clone(batch.dbname());
    // The value goes to the caller's memory.
    let value = RowReader::find(shape, &batch, label)?
        .take_single(shape, batch)
        .map_err(|error| label.value_error(&dbname, error))?;
    Ok(value.unwrap_or_else(|| info.return_null()))
}
