//! Arrays taken apart and put together, for SPLIT.

use super::error::Error;
use super::types::TypeInfo;
use super::{allocator, encoding, guard, io, raw};
use core::ptr;
use pgrx::pg_sys::{self, ArrayType, Datum};
use plproxy_core::room::Room;
use plproxy_remote::Encoding;

/// Bytes that an element takes at the most while its array is cut into pieces: its value in several lists, each of which may be
/// there twice while it grows, and some numbers.
const SHARE: usize = 128;

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
    ///
    /// With the room for all that is made of them: which partition each goes to, and their values in its order.
    Flat(Vec<Option<Datum>>, Option<Room>),
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
        let room = allocator::hold(count.saturating_mul(SHARE))?;
        let elements = (0..count).map(|i| (!*nulls.add(i)).then(|| *values.add(i)));
        Ok(Elements::Flat(elements.collect(), room))
    }
}

/// An array of `int8`, in the current memory context.
pub(crate) fn of_int8(values: &[i64]) -> Result<Datum, Error> {
    let layout = ElementLayout {
        oid: pg_sys::INT8OID,
        len: 8,
        by_value: true,
        align: b'd',
    };
    build(values.iter().map(|value| Some(Datum::from(*value))), layout)
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

/// How the elements of some arrays look in the binary form, which is then written without making the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BinaryElement {
    One,
    Two,
    Four,
    Eight,
    /// 16 bytes by reference.
    Uuid,
    Text,
    Bytea,
}

impl BinaryElement {
    fn of(element: pg_sys::Oid) -> Option<Self> {
        Some(match element {
            pg_sys::BOOLOID => Self::One,
            pg_sys::INT2OID => Self::Two,
            pg_sys::INT4OID | pg_sys::DATEOID | pg_sys::FLOAT4OID => Self::Four,
            pg_sys::INT8OID
            | pg_sys::FLOAT8OID
            | pg_sys::TIMEOID
            | pg_sys::TIMESTAMPOID
            | pg_sys::TIMESTAMPTZOID => Self::Eight,
            pg_sys::UUIDOID => Self::Uuid,
            pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID => Self::Text,
            pg_sys::BYTEAOID => Self::Bytea,
            _ => return None,
        })
    }

    /// Appends an element's bytes.
    fn append(self, value: Datum, encoding: Encoding, out: &mut Vec<u8>) -> Result<(), Error> {
        let number = value.value() as u64;
        match self {
            Self::One => encoding::append(&[number as u8], out),
            Self::Two => encoding::append(&(number as u16).to_be_bytes(), out),
            Self::Four => encoding::append(&(number as u32).to_be_bytes(), out),
            Self::Eight => encoding::append(&number.to_be_bytes(), out),
            // SAFETY: a uuid is 16 bytes by reference.
            Self::Uuid => encoding::append(
                unsafe { core::slice::from_raw_parts(value.cast_mut_ptr::<u8>(), 16) },
                out,
            ),
            Self::Text => encoding::append_wire(io::detoasted(value)?, encoding, out),
            Self::Bytea => encoding::append(io::detoasted(value)?, out),
        }
    }
}

/// The binary form of a one-dimensional array, as `array_send` writes it; `None` where that function is to write it.
pub(crate) fn binary(
    elements: impl ExactSizeIterator<Item = Option<Datum>>,
    layout: ElementLayout,
    wire: Encoding,
) -> Result<Option<Vec<u8>>, Error> {
    const HAS_NULLS: usize = 7;
    /// MaxAllocSize of memutils.h: `array_send` says what is wrong with more.
    const MAX_ALLOC: usize = 0x3fff_ffff;
    let (Some(form), Ok(count)) = (BinaryElement::of(layout.oid), i32::try_from(elements.len()))
    else {
        return Ok(None);
    };
    let mut out = Vec::new();
    // Dimensions, whether there are NULLs, element type, length, lower bound.
    for word in [1, 0, layout.oid.to_u32(), count.cast_unsigned(), 1] {
        encoding::append(&word.to_be_bytes(), &mut out)?;
    }
    for element in elements {
        let start = out.len();
        encoding::append(&(-1i32).to_be_bytes(), &mut out)?;
        let Some(value) = element else {
            if let Some(flag) = out.get_mut(HAS_NULLS) {
                *flag = 1;
            }
            continue;
        };
        form.append(value, wire, &mut out)?;
        let len = out.len() - start - size_of::<i32>();
        let Ok(len) = i32::try_from(len) else {
            return Ok(None);
        };
        if let Some(slot) = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
            *slot = len.to_be_bytes();
        }
    }
    Ok((out.len() <= MAX_ALLOC).then_some(out))
}
