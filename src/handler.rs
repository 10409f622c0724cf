//! One call, top to bottom.
#![forbid(unsafe_code)]

use crate::call::Call;
use crate::encode;
use crate::error::{Error, Report};
use crate::execute;
use crate::function;
use crate::location;
use crate::pg::fcinfo::CallInfo;
use crate::pg::memory::Context;
use crate::result;
use crate::route;
use pgrx::pg_sys::Datum;
use smallvec::SmallVec;

/// What PostgreSQL calls to run a function in `LANGUAGE plproxy`.
pub(crate) fn call(info: &mut CallInfo) -> Result<Datum, Error> {
    if info.is_trigger() {
        return Err(Report::internal("PL/Proxy procedures can't be used as triggers").into());
    }
    let mode = info.result_mode()?;
    if let Some(next) = info.resume() {
        return next;
    }
    let function = function::find(info.function_oid())?;
    let args: SmallVec<[Option<Datum>; 4]> = function
        .args
        .iter()
        .enumerate()
        .map(|(number, arg)| info.shared_arg(number, arg.type_info.len))
        .collect();

    // What the call allocates on the way, freed when it ends, well or badly.
    let memory = Context::for_call()?;
    let (call, shape) = memory.enter(|| {
        let cluster = location::find(&function, &args)?;
        let routing = route::pick(&function, &cluster, &args)?;
        let shape = function.shape(info, cluster.text_only())?;
        let statement = execute::statement(&function, &shape, &args)?;
        let (requests, watched) = encode::requests(&function, &shape, &cluster, &args, &routing)?;
        let call = Call::start(&function, &cluster, &statement, requests, watched)?;
        Ok::<_, Error>((call, shape))
    })?;
    result::finish(call, info, mode, &shape, &memory)
}
