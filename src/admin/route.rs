//! Where a call would go, and what it would send.
#![forbid(unsafe_code)]

use super::Admin;
use super::output::{Output, Value};
use crate::error::{Error, sqlstate};
use crate::function::ProxyFunction;
use crate::function::codec::Shape;
use crate::function::signature::ResultType;
use crate::pg::allocator;
use crate::pg::array::{ElementLayout, Elements, elements};
use crate::pg::called::AsCalled;
use crate::pg::encoding;
use crate::pg::fcinfo::CallInfo;
use crate::pg::spi;
use crate::{encode, execute, location, route as routes, type_cache};
use pgrx::pg_sys::{self, Datum};
use plproxy_core::function::{ExecuteTemplate, Query, RemoteQuery};
use plproxy_remote::Param;

/// `plproxy_route(function regprocedure, VARIADIC args text[]) → setof record`: a row for each statement of the call. The caller
/// gives the arguments their types, as in a call; the rest is worked out with the function's own rights and settings.
pub(crate) fn route(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let oid = admin.function(0)?;
    let function = admin.proxy_function(oid)?;
    let args = admin.values(&function)?;
    let called = AsCalled::of(oid)?;
    let cluster = location::find(&function, &args)?;
    let routing = routes::pick(&function, &cluster, &args)?;
    let _room = function.room(COPIES)?;
    // All values as text, for people to read; the result does not matter.
    let query = &function.program.query;
    let shape = Shape::new(query, Some(&[]), &function.args, &ResultType::Void, true)?;
    let remote = match (query, &function.result) {
        (Query::Call(call), ResultType::Record) => Remote::Known(call.as_value()),
        (Query::Call(call), _) => Remote::Known(call.remote_query(None)),
        (Query::Select(select), _) => Remote::Known(select.remote_query()),
        (Query::Execute(template), _) => {
            Remote::Text(template, execute::text(&function, template, &args)?)
        }
    };
    let access = cluster.access()?;
    let (own, as_it_is) = (encoding::database(), |_, error| error);
    let rows = encode::pieces(
        &shape,
        &args,
        &routing,
        own,
        as_it_is,
        |partition, params| {
            let endpoint = access.endpoint(&cluster, partition, &function.label)?;
            // Where a new connection would go.
            let refreshed = endpoint.refresh();
            refreshed.map_err(|error| {
                let dbname = endpoint.label();
                function.label.error(format_args!("[{dbname}] {error}"))
            })?;
            Ok((partition, endpoint, params))
        },
    )?;
    drop(called);
    let mut output = Output::new(admin.info)?;
    for (partition, endpoint, params) in rows {
        let sizes = params.iter().map(size);
        let size = sizes.fold(remote.text().len(), usize::saturating_add);
        let _room = allocator::hold(size.saturating_mul(COPIES))?;
        let values: Vec<Option<String>> = params.iter().map(text).collect::<Result<_, Error>>()?;
        let query = remote.filled(&values);
        drop(values);
        output.row([
            Value::int4(partition),
            Value::Text(endpoint.hosts()),
            endpoint.port().map_or(Value::Null, Value::int4),
            Value::Text(endpoint.label().to_string()),
            Value::Text(endpoint.user()),
            Value::Text(query),
        ])?;
    }
    Ok(output.give(admin.info))
}

/// The statement that a call sends.
enum Remote<'a> {
    Known(RemoteQuery),
    /// An EXECUTE, and what it sends.
    Text(&'a ExecuteTemplate, String),
}

impl Remote<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Known(query) => &query.sql,
            Self::Text(_, text) => text,
        }
    }

    /// With values in the places of parameters.
    fn filled(&self, values: &[Option<String>]) -> String {
        match self {
            Self::Known(query) => query.filled(values),
            Self::Text(template, text) => template.filled(text, values),
        }
    }
}

/// A parameter may be there, and a text of its own, and quoted, where each character may be two, twice while it grows.
const COPIES: usize = 8;

fn size(param: &Param) -> usize {
    match param {
        Param::Null => 0,
        Param::Text(bytes) | Param::Binary(bytes) => bytes.len(),
    }
}

/// A parameter as text.
fn text(param: &Param) -> Result<Option<String>, Error> {
    match param {
        Param::Null => Ok(None),
        Param::Text(bytes) | Param::Binary(bytes) => encoding::to_string(bytes).map(Some),
    }
}

impl Admin<'_> {
    /// The values of the function's arguments that the texts of the last argument stand for.
    fn values(&self, function: &ProxyFunction) -> Result<Vec<Option<Datum>>, Error> {
        let array = self.info.arg(1).ok_or_else(|| self.null("args"))?;
        let layout = ElementLayout::of(&*type_cache::type_info(pg_sys::TEXTOID)?);
        let Elements::Flat(texts, _room) = elements(array, layout)? else {
            let what = "args must be a one-dimensional array";
            return Err(self
                .label
                .error_with(sqlstate::INVALID_PARAMETER_VALUE, what));
        };
        let wanted = function.args.len();
        if texts.len() != wanted {
            let what = format_args!(
                "function {} has {wanted} arguments, not {}",
                function.label.name,
                texts.len()
            );
            return Err(self
                .label
                .error_with(sqlstate::INVALID_PARAMETER_VALUE, what));
        }
        let values = function.args.iter().zip(texts);
        values
            .map(|(arg, text)| {
                let text = text.map(spi::text_bytes).transpose()?;
                let decoder = type_cache::decoder(&arg.type_info, true)?;
                decoder.read_text(text, encoding::database())
            })
            .collect()
    }
}
