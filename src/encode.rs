//! Arguments → parameter bytes, once per call, or once per partition where SPLIT cuts them.
#![forbid(unsafe_code)]

use crate::cluster::Cluster;
use crate::error::Error;
use crate::function::ProxyFunction;
use crate::pg::array;
use crate::pg::settings::TextSettings;
use crate::route::{Routing, SplitArray, Targets};
use crate::shape::{Shape, ShapeParam};
use crate::stats::Watched;
use pgrx::pg_sys::Datum;
use plproxy_remote::{Param, Request};
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
    let requests = pieces(shape, args, routing, named, |partition, params| {
        let place = access.place(cluster, partition, label)?;
        let endpoint = Rc::clone(&place.endpoint);
        watched.push(Watched::new(place)?);
        Ok(Request { endpoint, params })
    })?;
    Ok((requests, watched))
}

/// The partitions with what each gets, as `make` has it; `named` gives the error of a value that was for a partition.
pub(crate) fn pieces<T>(
    shape: &Shape,
    args: &[Option<Datum>],
    routing: &Routing,
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
                whole(param, args).map_err(|error| named(first(), error))
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
                            Some(array) => cut(param, array, elements),
                            None => whole(param, args),
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
fn whole(param: &ShapeParam, args: &[Option<Datum>]) -> Result<Param, Error> {
    param
        .encoder
        .encode(args.get(param.argument).copied().flatten())
}

/// A split array cut to some of its elements.
fn cut(param: &ShapeParam, array: &SplitArray, elements: &[usize]) -> Result<Param, Error> {
    let elements = || {
        elements
            .iter()
            .map(|&element| array.elements.get(element).copied().flatten())
    };
    if param.encoder.sends()
        && let Some(bytes) = array::binary(elements(), array.layout)?
    {
        return Ok(Param::Binary(bytes));
    }
    param
        .encoder
        .encode(Some(array::build(elements(), array.layout)?))
}
