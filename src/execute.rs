//! EXECUTE: the text of a call's remote statement, and the statement that it makes.
#![forbid(unsafe_code)]

use crate::error::{Error, sqlstate};
use crate::function::ProxyFunction;
use crate::function::codec::Shape;
use crate::function::local_query::LocalPlan;
use crate::pg::encoding;
use crate::pg::spi;
use crate::pg::types::TypeClass;
use crate::recent::Recent;
use crate::type_cache;
use core::cell::RefCell;
use core::hash::BuildHasher;
use pgrx::pg_sys::{self, Datum, Oid};
use plproxy_core::function::{ExecuteTemplate, Query, QueryText};
use plproxy_core::types::BuiltInType;
use plproxy_remote::Statement;
use std::hash::RandomState;
use std::rc::Rc;

/// So many statements of the session are known again when their text comes again, so that connections prepare them.
const REMEMBERED: usize = 64;
/// Longer texts are not: what is so long takes its time to run.
const LONGEST: usize = 16 * 1024;

/// The number of the shape, and a hash of the text.
type Key = (u64, u64);

thread_local! {
    static KNOWN: RefCell<Recent<Key, Rc<Statement>>> = RefCell::new(Recent::new(REMEMBERED));
    static HASH: RandomState = RandomState::new();
}

/// The statement that a call sends.
pub(crate) fn statement(
    function: &ProxyFunction,
    shape: &Shape,
    args: &[Option<Datum>],
) -> Result<Rc<Statement>, Error> {
    let Query::Execute(template) = &function.program.query else {
        return Ok(Rc::clone(&shape.statement));
    };
    let sql = encoding::sql(&text(function, template, args)?)?;
    let text = sql.host();
    if text.len() > LONGEST {
        return Ok(shape.statement.with_text(sql, types(function, template)?));
    }
    let key = (shape.number, HASH.with(|state| state.hash_one(text)));
    let known = KNOWN.with_borrow_mut(|known| known.get(&key).cloned());
    if let Some(known) = known.filter(|known| *known.sql() == sql) {
        return Ok(known);
    }
    let statement = shape.statement.with_text(sql, types(function, template)?);
    let gone = KNOWN.with_borrow_mut(|known| known.insert(key, Rc::clone(&statement)));
    drop(gone);
    Ok(statement)
}

/// The text that a call's arguments give.
pub(crate) fn text(
    function: &ProxyFunction,
    template: &ExecuteTemplate,
    args: &[Option<Datum>],
) -> Result<String, Error> {
    const TYPES: &[Oid] = &[pg_sys::TEXTOID, pg_sys::VARCHAROID];
    let text = match &template.text {
        QueryText::Argument(argument) => {
            let value = args.get(*argument).copied().flatten();
            value.map(spi::text).transpose()?
        }
        QueryText::Query(query) => {
            // The session has the plan, by its text: few functions have one, and thousands may be kept.
            let plan = LocalPlan::default();
            plan.value(function.arguments(), query, args, TYPES, spi::text)?
        }
    };
    text.ok_or_else(|| {
        // PL/pgSQL's words.
        let what = "query string argument of EXECUTE is null";
        let label = &function.label;
        label.error_with(sqlstate::NULL_VALUE_NOT_ALLOWED, what)
    })
}

/// The types of the parameters as every server knows them. Those of other types are for the server to find out, as it finds
/// them out for strings.
fn types(function: &ProxyFunction, template: &ExecuteTemplate) -> Result<Box<[u32]>, Error> {
    let args = template.args.iter();
    args.map(|&argument| {
        let base = type_cache::base_type(function.arguments().type_of(argument))?;
        let number = base.oid.to_u32();
        let everywhere = base.class != TypeClass::Pseudo && BuiltInType::of(number).is_some();
        Ok(if everywhere { number } else { 0 })
    })
    .collect()
}
