//! Arrays taken apart and put together, for SPLIT.

use super::types::TypeInfo;
use super::{guard, raw};
use crate::error::Error;
use core::ptr;
use pgrx::pg_sys::{self, ArrayType, Datum};

/// How an element type is laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ElementLayout {
    pub(crate) oid: pg_sys::Oid,
    len: i16,
    by_value: bool,
    align: u8,
}

impl ElementLayout {
    pub(crate) fn of(info: &TypeInfo) -> Self {
        Self {
            oid: info.oid,
            len: info.len,
            by_value: info.by_value,
            align: info.align,
        }
    }
}

/// The elements of an array, in order.
pub(crate) enum Elements {
    Flat(Vec<Option<Datum>>),
    /// More than one dimension.
    Multidimensional,
}

/// Takes an array apart; by-reference elements point into the array, in the current memory context.
pub(crate) fn elements(value: Datum, layout: ElementLayout) -> Result<Elements, Error> {
    let pointer: *mut pg_sys::varlena = value.cast_mut_ptr();
    let mut values: *mut Datum = ptr::null_mut();
    let mut nulls: *mut bool = ptr::null_mut();
    let mut count = 0;
    // SAFETY: the value is an array of this element type; deconstruct_array pallocs both results, `count` long.
    unsafe {
        let array: *mut ArrayType = guard::catch(|| raw::pg_detoast_datum(pointer))?.cast();
        if (*array).ndim > 1 {
            return Ok(Elements::Multidimensional);
        }
        guard::catch(|| {
            raw::deconstruct_array(
                array,
                layout.oid,
                i32::from(layout.len),
                layout.by_value,
                layout.align as core::ffi::c_char,
                &raw mut values,
                &raw mut nulls,
                &raw mut count,
            );
        })?;
        let count = usize::try_from(count).unwrap_or(0);
        Ok(Elements::Flat(
            (0..count)
                .map(|i| (!*nulls.add(i)).then(|| *values.add(i)))
                .collect(),
        ))
    }
}

/// A one-dimensional array, in the current memory context.
pub(crate) fn build(
    elements: impl ExactSizeIterator<Item = Option<Datum>>,
    layout: ElementLayout,
) -> Result<Datum, Error> {
    let mut count = i32::try_from(elements.len()).unwrap_or(i32::MAX);
    let (mut values, mut nulls): (Vec<Datum>, Vec<bool>) = elements
        .map(|element| (element.unwrap_or(Datum::null()), element.is_none()))
        .unzip();
    let (values, nulls) = (values.as_mut_ptr(), nulls.as_mut_ptr());
    let mut lower_bound = 1;
    // SAFETY: both arrays are `count` long, and the elements are of this type.
    let array = unsafe {
        guard::catch(|| {
            raw::construct_md_array(
                values,
                nulls,
                1,
                &raw mut count,
                &raw mut lower_bound,
                layout.oid,
                i32::from(layout.len),
                layout.by_value,
                layout.align as core::ffi::c_char,
            )
        })
    }?;
    Ok(Datum::from(array))
}
