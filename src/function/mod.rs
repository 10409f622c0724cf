//! Proxy functions, compiled once per session and change.
#![forbid(unsafe_code)]

pub(crate) mod catalog;
pub(crate) mod codec;
pub(crate) mod local_query;
pub(crate) mod signature;
pub(crate) mod split_array;
mod text_requirements;

use crate::cluster::LastServer;
use crate::error::{Error, FunctionLabel, Report};
use crate::hash::HashKind;
use crate::pg::allocator;
use crate::pg::fcinfo::{CallInfo, CallResult};
use crate::pg::inval::{self, Changes};
use crate::stats::{FunctionPlace, Place};
use crate::{cluster, hash, type_cache};
use catalog::Declared;
use codec::Shape;
use core::cell::{OnceCell, RefCell};
use local_query::LocalPlan;
use pgrx::pg_sys::Oid;
use plproxy_core::function::Program;
use plproxy_core::int_map::IntMap;
use plproxy_core::room::Room;
use plproxy_core::stats::Rank;
use signature::{Arguments, Dependencies, ProxyArg, ResultType};
use std::rc::Rc;

/// Column lists of one `record` function that are remembered.
const MOST_RECORD_SHAPES: usize = 16;

/// So many copies of a body are there at the most while a statement is made of it.
const COPIES: usize = 8;

/// A compiled function: immutable but for what is worked out on first use.
pub(crate) struct ProxyFunction {
    pub(crate) label: FunctionLabel,
    pub(crate) program: Program,
    pub(crate) args: Vec<ProxyArg>,
    pub(crate) result: ResultType,
    pub(crate) is_set: bool,
    pub(crate) is_procedure: bool,
    pub(crate) owner: Oid,
    /// The local query of CLUSTER or CONNECT.
    pub(crate) location_plan: LocalPlan,
    /// The local query of RUN ON.
    pub(crate) run_on_plan: LocalPlan,
    /// How the argument of `RUN ON argument` hashes.
    pub(crate) argument_hash: OnceCell<Rc<HashKind>>,
    pub(crate) last_server: LastServer,
    oid: Oid,
    /// How long the body is.
    size: usize,
    place: FunctionPlace,
    depends_on: Dependencies,
    shapes: Shapes,
}

/// How the function's values cross the wire, worked out on first use.
#[derive(Default)]
struct Shapes {
    binary: OnceCell<Rc<Shape>>,
    text: OnceCell<Rc<Shape>>,
    /// By column list and mode.
    records: RefCell<Vec<(bool, Rc<Shape>)>>,
}

impl Shapes {
    fn touched_by(&self, changes: &Changes) -> bool {
        let fixed = [&self.binary, &self.text];
        fixed
            .into_iter()
            .filter_map(OnceCell::get)
            .any(|shape| shape.touched_by(changes))
            || self
                .records
                .borrow()
                .iter()
                .any(|(_, shape)| shape.touched_by(changes))
    }
}

thread_local! {
    static FUNCTIONS: RefCell<IntMap<Oid, Rc<ProxyFunction>>> = RefCell::default();
}

/// The compiled function, from the cache unless the catalogs changed.
pub(crate) fn find(oid: Oid) -> Result<Rc<ProxyFunction>, Error> {
    refresh()?;
    if let Some(function) = FUNCTIONS.with_borrow(|functions| functions.get(&oid).cloned()) {
        return Ok(function);
    }
    let function = Rc::new(ProxyFunction::compile(oid)?);
    FUNCTIONS.with_borrow_mut(|functions| functions.insert(oid, Rc::clone(&function)));
    Ok(function)
}

/// Sees to changes of the catalogs since the last call.
pub(crate) fn refresh() -> Result<(), Error> {
    match inval::take() {
        Some(changes) => forget(&changes),
        None => Ok(()),
    }
}

/// Drops from all caches what changes of the catalogs have made stale.
fn forget(changes: &Changes) -> Result<(), Error> {
    let stale: Vec<_> = FUNCTIONS.with_borrow_mut(|functions| {
        functions
            .extract_if(|_, function| {
                function.depends_on.touched_by(changes) || function.shapes.touched_by(changes)
            })
            .collect()
    });
    // Only now, when the map is no longer borrowed: dropping a function goes through PostgreSQL.
    drop(stale);
    if type_cache::forget(changes) {
        hash::forget();
    }
    cluster::functions::forget(changes);
    cluster::renew(changes)
}

impl ProxyFunction {
    /// Compiles for a call.
    fn compile(oid: Oid) -> Result<Self, Error> {
        let mut declared = Declared::find(oid)?;
        let result = declared.result_type(oid)?;
        let returns = result.returns()?;
        let program = declared.parse(returns)?;
        let args = declared.args(&program)?;
        declared.depends_on.shrink();
        Ok(Self {
            size: declared.size(),
            is_procedure: declared.is_procedure(),
            label: declared.label,
            program,
            args,
            result,
            is_set: declared.is_set,
            owner: declared.owner,
            location_plan: LocalPlan::default(),
            run_on_plan: LocalPlan::default(),
            argument_hash: OnceCell::new(),
            last_server: LastServer::default(),
            oid,
            place: FunctionPlace::default(),
            depends_on: declared.depends_on,
            shapes: Shapes::default(),
        })
    }

    /// Room for so many copies of its body, or of what was made of it.
    pub(crate) fn room(&self, copies: usize) -> Result<Option<Room>, Error> {
        allocator::hold(self.size.saturating_mul(copies))
    }

    /// Where its calls are counted.
    pub(crate) fn place(&self, rank: Rank) -> Result<Place, Error> {
        self.place.find(self.oid, rank)
    }

    /// Its arguments.
    pub(crate) fn arguments(&self) -> Arguments<'_> {
        Arguments {
            label: &self.label,
            args: &self.args,
        }
    }

    /// Whether a call may go to any number of partitions: there are rows for each, or none at all.
    pub(crate) fn goes_anywhere(&self) -> bool {
        self.is_set || self.is_procedure && matches!(self.result, ResultType::Void)
    }

    /// How this call's values cross the wire.
    pub(crate) fn shape(&self, info: &CallInfo, text_only: bool) -> Result<Rc<Shape>, Error> {
        if matches!(self.result, ResultType::Record) {
            return self.record_shape(info, text_only);
        }
        let slot = if text_only {
            &self.shapes.text
        } else {
            &self.shapes.binary
        };
        if let Some(shape) = slot.get() {
            return Ok(Rc::clone(shape));
        }
        let _room = self.room(COPIES)?;
        let shape = Rc::new(Shape::new(
            &self.program.query,
            None,
            &self.args,
            &self.result,
            text_only,
        )?);
        Ok(Rc::clone(slot.get_or_init(|| shape)))
    }

    /// The same where the columns come with the call.
    fn record_shape(&self, info: &CallInfo, text_only: bool) -> Result<Rc<Shape>, Error> {
        let CallResult::Row(row_type, _) = info.result_type()? else {
            return Err(Report::internal("Function used in wrong context").into());
        };
        let known = |(text, shape): &&(bool, Rc<Shape>)| {
            *text == text_only
                && shape
                    .row_type
                    .as_ref()
                    .is_some_and(|known| known.same_columns(&row_type))
        };
        if let Some((_, shape)) = self.shapes.records.borrow().iter().find(known) {
            return Ok(Rc::clone(shape));
        }
        for column in &row_type.columns {
            let info = type_cache::type_info(column.type_oid)?;
            catalog::check_type(&self.label, &info)?;
        }
        let _room = self.room(COPIES)?;
        let result = ResultType::Row(Rc::new(row_type), None);
        let columns = result.columns()?;
        let shape = Rc::new(Shape::new(
            &self.program.query,
            Some(&columns),
            &self.args,
            &result,
            text_only,
        )?);
        let forgotten = {
            let mut records = self.shapes.records.borrow_mut();
            let forgotten = if records.len() >= MOST_RECORD_SHAPES {
                Some(records.remove(0))
            } else {
                None
            };
            records.push((text_only, Rc::clone(&shape)));
            forgotten
        };
        drop(forgotten);
        Ok(shape)
    }
}
