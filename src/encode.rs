//! Arguments → parameter bytes, once per call, or once per partition where SPLIT cuts them.
#![forbid(unsafe_code)]

use crate::cluster::Cluster;
use crate::error::Error;
use crate::function::ProxyFunction;
use crate::function::codec::{Shape, ShapeParam};
use crate::function::split_array::SplitArray;
use crate::pg::settings::TextSettings;
use crate::pg::{array, encoding};
use crate::route::{Routing, Targets};
use crate::stats::Watched;
use pgrx::pg_sys::Datum;
use plproxy_core::function::RunOn;
use plproxy_remote::{Encoding, Param, Params, Request};
use std::rc::Rc;

/// What goes to which partition, and what is to be counted of it.
pub(crate) fn requests(
    function: &ProxyFunction,
    shape: &Shape,
    cluster: &Cluster,
    args: &[Option<Datum>],
    routing: &Routing,
) -> Result<(Vec<Request>, Vec<Watched>), Error> {
    let access = cluster.access()?;
    // Most calls go to one partition.
    let mut watched = Vec::with_capacity(1);
    let label = &function.label;
    // What is wrong with the encoding of a value is told with the first partition that it was for.
    let named = |partition, error| match access.place(cluster, partition, label) {
        Ok(place) => label.value_error(&place.endpoint.label(), error),
        Err(_) => error,
    };
    let own = encoding::database();
    let requests = pieces(shape, args, routing, own, named, |partition, params| {
        let place = access.place(cluster, partition, label)?;
        let endpoint = Rc::clone(&place.endpoint);
        watched.push(Watched::new(place)?);
        let params = Params::new(params, own);
        Ok(Request { endpoint, params })
    })?;
    if own == Encoding::UTF8 || own == Encoding::SQL_ASCII {
        return Ok((requests, watched));
    }
    // Another partition may take the place of the one that was picked.
    let may_move = function.program.run_on() == Some(&RunOn::Any);
    let all_speak_it = |requests: &[Request]| {
        let mut requests = requests.iter();
        requests.all(|request| request.endpoint.encoding() == Some(own))
    };
    if !may_move && all_speak_it(&requests) {
        return Ok((requests, watched));
    }
    in_utf8(shape, args, routing, requests).map(|requests| (requests, watched))
}

/// Adds the parameters in UTF-8 for partitions that speak it, or may do so.
fn in_utf8(
    shape: &Shape,
    args: &[Option<Datum>],
    routing: &Routing,
    requests: Vec<Request>,
) -> Result<Vec<Request>, Error> {
    let as_it_is = |_, error| error;
    let utf8 = pieces(
        shape,
        args,
        routing,
        Encoding::UTF8,
        as_it_is,
        |_, params| Ok(params),
    );
    let all = match utf8 {
        Ok(utf8) => utf8.into_iter().map(Ok).collect::<Vec<_>>(),
        // Only for those that need it.
        Err(error) => {
            let why: Rc<str> = encoding::why(error)?.into();
            requests.iter().map(|_| Err(Rc::clone(&why))).collect()
        }
    };
    let both = requests.into_iter().zip(all);
    Ok(both
        .map(|(request, utf8)| Request {
            params: request.params.or_utf8(utf8),
            ..request
        })
        .collect())
}

/// The partitions with what each gets in that encoding, as `make` has it; `named` gives the error of a value that was for a partition.
pub(crate) fn pieces<T>(
    shape: &Shape,
    args: &[Option<Datum>],
    routing: &Routing,
    encoding: Encoding,
    named: impl Fn(usize, Error) -> Error,
    mut make: impl FnMut(usize, Rc<[Param]>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let _portable = if shape.writes_text {
        Some(TextSettings::for_output(shape.writes_names)?)
    } else {
        None
    };
    match &routing.targets {
        Targets::Whole(tags) if tags.is_empty() => Ok(Vec::new()),
        Targets::Whole(tags) => {
            let value = |param| {
                let first = || tags.iter().next().unwrap_or_default();
                whole(param, args, encoding).map_err(|error| named(first(), error))
            };
            let params: Rc<[Param]> = match shape.params.as_slice() {
                // Without a list in between.
                [param] => Rc::new([value(param)?]),
                params => params.iter().map(value).collect::<Result<_, Error>>()?,
            };
            tags.iter()
                .map(|partition| make(partition, Rc::clone(&params)))
                .collect()
        }
        Targets::Split(split) => split
            .iter()
            .map(|(partition, elements)| {
                let params = shape
                    .params
                    .iter()
                    .map(|param| {
                        let array = routing
                            .arrays
                            .iter()
                            .find(|array| array.argument == param.argument);
                        match array {
                            Some(array) => cut(param, array, elements, encoding),
                            None => whole(param, args, encoding),
                        }
                    })
                    .collect::<Result<Rc<[Param]>, Error>>()
                    .map_err(|error| named(partition, error))?;
                make(partition, params)
            })
            .collect(),
    }
}

/// An argument as it is.
fn whole(param: &ShapeParam, args: &[Option<Datum>], encoding: Encoding) -> Result<Param, Error> {
    param
        .encoder
        .encode(args.get(param.argument).copied().flatten(), encoding)
}

/// A split array cut to some of its elements.
fn cut(
    param: &ShapeParam,
    array: &SplitArray,
    elements: &[usize],
    encoding: Encoding,
) -> Result<Param, Error> {
    let elements = || {
        elements
            .iter()
            .map(|&element| array.elements.get(element).copied().flatten())
    };
    if param.encoder.sends()
        && let Some(bytes) = array::binary(elements(), array.layout, encoding)?
    {
        return Ok(Param::Binary(bytes));
    }
    param
        .encoder
        .encode(Some(array::build(elements(), array.layout)?), encoding)
}
