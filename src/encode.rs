//! Arguments → parameter bytes, once per call, or once per partition where SPLIT cuts them.
#![forbid(unsafe_code)]

use crate::cluster::Cluster;
use crate::error::Error;
use crate::function::ProxyFunction;
use crate::pg::array;
use crate::pg::settings::TextSettings;
use crate::route::{Routing, Targets};
use crate::shape::Shape;
use pgrx::pg_sys::Datum;
use plproxy_remote::{Param, Request};
use std::rc::Rc;

/// What goes to which partition.
pub(crate) fn requests(
    function: &ProxyFunction,
    shape: &Shape,
    cluster: &Cluster,
    args: &[Option<Datum>],
    routing: &Routing,
) -> Result<Vec<Request>, Error> {
    let access = cluster.access()?;
    let _portable = if shape.writes_text {
        Some(TextSettings::for_output()?)
    } else {
        None
    };
    let request = |partition, params| {
        Ok(Request {
            endpoint: access.endpoint(cluster, partition, &function.label)?,
            params,
        })
    };
    match &routing.targets {
        Targets::Whole(tags) if tags.is_empty() => Ok(Vec::new()),
        Targets::Whole(tags) => {
            let params = params(shape, args)?;
            tags.iter()
                .map(|partition| request(partition, Rc::clone(&params)))
                .collect()
        }
        Targets::Split(split) => split
            .iter()
            .map(|(partition, elements)| {
                request(partition, params(shape, &cut(args, routing, elements)?)?)
            })
            .collect(),
    }
}

/// The arguments with the split arrays cut to some of their elements.
fn cut(
    args: &[Option<Datum>],
    routing: &Routing,
    elements: &[usize],
) -> Result<Vec<Option<Datum>>, Error> {
    let mut args = args.to_vec();
    for split in &routing.arrays {
        let elements = elements
            .iter()
            .map(|&element| split.elements.get(element).copied().flatten());
        if let Some(slot) = args.get_mut(split.argument) {
            *slot = Some(array::build(elements, split.layout)?);
        }
    }
    Ok(args)
}

fn params(shape: &Shape, args: &[Option<Datum>]) -> Result<Rc<[Param]>, Error> {
    shape
        .params
        .iter()
        .map(|param| {
            param
                .encoder
                .encode(args.get(param.argument).copied().flatten())
        })
        .collect()
}
