//! The arrays that SPLIT cuts, taken apart.
#![forbid(unsafe_code)]

use super::signature::ProxyArg;
use crate::error::{Error, FunctionLabel};
use crate::pg::array::{ElementLayout, Elements, elements};
use pgrx::pg_sys::Datum;
use plproxy_core::room::Room;

/// An argument that SPLIT cuts.
pub(crate) struct SplitArray {
    pub(crate) argument: usize,
    pub(crate) layout: ElementLayout,
    pub(crate) elements: Vec<Option<Datum>>,
    _room: Option<Room>,
}

/// Takes the arrays of SPLIT apart; none if there is no SPLIT.
pub(crate) fn split(
    label: &FunctionLabel,
    declared: &[ProxyArg],
    split: &[usize],
    args: &[Option<Datum>],
) -> Result<Vec<SplitArray>, Error> {
    let mut arrays: Vec<SplitArray> = Vec::with_capacity(split.len());
    for &argument in split {
        let Some(element) = declared
            .get(argument)
            .and_then(|arg| arg.split_element.as_ref())
        else {
            continue;
        };
        let layout = ElementLayout::of(element);
        let (elements, room) = match args.get(argument).copied().flatten() {
            None => (Vec::new(), None),
            Some(value) => match elements(value, layout)? {
                Elements::Flat(elements, room) => (elements, room),
                Elements::Multidimensional => {
                    return Err(label.error("split multi-dimensional arrays are not supported"));
                }
            },
        };
        if arrays
            .first()
            .is_some_and(|first| first.elements.len() != elements.len())
        {
            return Err(label.error("split arrays must be of identical lengths"));
        }
        arrays.push(SplitArray {
            argument,
            layout,
            elements,
            _room: room,
        });
    }
    Ok(arrays)
}
