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
use crate::under_way::{self, Patience};
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
    let mut patience = Patience::new();
    loop {
        patience.looks();
        let function = function::find(info.function_oid())?;
        let args: SmallVec<[Option<Datum>; 4]> = function
            .args
            .iter()
            .enumerate()
            .map(|(number, arg)| info.shared_arg(number, arg.type_info.len))
            .collect();

        // What the call allocates on the way, freed when it ends, well or badly.
        let memory = Context::for_call()?;
        let started = memory.enter(|| {
            let label = &function.label;
            let cluster = location::find(&function, &args)?;
            if !under_way::may_route(label, &cluster, &mut patience)? {
                return Ok(None);
            }
            let routing = route::pick(&function, &cluster, &args)?;
            let targets = Some(&routing.targets);
            let begun = under_way::begin(label, &cluster, targets, &mut patience)?;
            let Some(this) = begun else {
                return Ok(None);
            };
            let shape = function.shape(info, cluster.text_only())?;
            let statement = execute::statement(&function, &shape, &args)?;
            let (requests, watched) =
                encode::requests(&function, &shape, &cluster, &args, &routing)?;
            let call = Call::start(&function, &cluster, &statement, requests, watched, this)?;
            Ok::<_, Error>(Some((call, shape)))
        })?;
        // Else it has waited, and what it was to do may be another thing by now.
        if let Some((call, shape)) = started {
            return result::finish(call, info, mode, &shape, &memory);
        }
    }
}
