//! What the partitions send becomes the call's value: one row, a set, or a set handed out value by value.
#![forbid(unsafe_code)]

mod rows;
mod set;
mod single;
mod stream;

use crate::call::Call;
use crate::error::Error;
use crate::function::codec::Shape;
use crate::pg::fcinfo::{CallInfo, ResultMode};
use crate::pg::memory::Context;
use crate::pg::srf::ValuePerCall;
use crate::stats::End;
use pgrx::pg_sys::Datum;
use std::rc::Rc;
use stream::Stream;

/// Reads what the partitions send until all are done, and returns the call's value.
pub(crate) fn finish(
    mut call: Call,
    info: &mut CallInfo,
    mode: ResultMode,
    shape: &Rc<Shape>,
    memory: &Context,
) -> Result<Datum, Error> {
    let result = match mode {
        ResultMode::Single => single::take(&mut call, info, shape),
        ResultMode::SetOrStream if call.is_streaming() => {
            return Stream::new(call, shape).advance(info);
        }
        ResultMode::Set | ResultMode::SetOrStream => set::take(&mut call, info, shape, memory),
    };
    call.end(if result.is_ok() {
        End::Done
    } else {
        End::Failed
    });
    let logged = call.log();
    result.and_then(|value| logged.map(|()| value))
}
