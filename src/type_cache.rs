//! What is known of types, shared by all functions of the session, until a type changes.
#![forbid(unsafe_code)]

use crate::error::Error;
use crate::pg::decode::Decoder;
use crate::pg::inval::{Changes, Dependency};
use crate::pg::io::Encoder;
use crate::pg::tuple::RowType;
use crate::pg::types::TypeInfo;
use core::cell::RefCell;
use core::hash::Hash;
use pgrx::pg_sys::Oid;
use std::collections::HashMap;
use std::rc::Rc;

#[derive(Default)]
struct Known {
    types: HashMap<Oid, Rc<TypeInfo>>,
    /// By type, and whether values travel as text only.
    encoders: HashMap<(Oid, bool), Rc<Encoder>>,
    decoders: HashMap<(Oid, bool), Rc<Decoder>>,
    /// Rows of one column of the type.
    rows: HashMap<Oid, Rc<RowType>>,
    /// What all this was made from.
    depends_on: Vec<Rc<[Dependency]>>,
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// After a change of one of these types everything is looked up anew. Says whether there was one.
pub(crate) fn forget(changes: &Changes) -> bool {
    let stale = KNOWN.with_borrow(|known| {
        changes.touch(known.depends_on.iter().flat_map(|depends_on| &**depends_on))
    });
    if stale {
        // Taken out first: dropping goes through PostgreSQL.
        let known = KNOWN.take();
        drop(known);
    }
    stale
}

/// Remembers what something was made from.
fn depend_on(info: &TypeInfo) {
    KNOWN.with_borrow_mut(|known| known.depends_on.push(Rc::clone(&info.depends_on)));
}

/// The value of a key, made on first use. The map is not borrowed while `make` runs, which may come back here.
fn get<K: Hash + Eq + Copy, V>(
    map: fn(&mut Known) -> &mut HashMap<K, Rc<V>>,
    key: K,
    make: impl FnOnce() -> Result<V, Error>,
) -> Result<Rc<V>, Error> {
    if let Some(value) = KNOWN.with_borrow_mut(|known| map(known).get(&key).cloned()) {
        return Ok(value);
    }
    let value = Rc::new(make()?);
    let previous = KNOWN.with_borrow_mut(|known| map(known).insert(key, Rc::clone(&value)));
    drop(previous);
    Ok(value)
}

pub(crate) fn type_info(oid: Oid) -> Result<Rc<TypeInfo>, Error> {
    get(
        |known| &mut known.types,
        oid,
        || {
            let info = TypeInfo::find(oid)?;
            depend_on(&info);
            Ok(info)
        },
    )
}

/// The type below all domains.
pub(crate) fn base_type(oid: Oid) -> Result<TypeInfo, Error> {
    TypeInfo::clone(&*type_info(oid)?).base()
}

pub(crate) fn encoder(info: &TypeInfo, text_only: bool) -> Result<Rc<Encoder>, Error> {
    get(
        |known| &mut known.encoders,
        (info.oid, text_only),
        || {
            depend_on(info);
            Encoder::new(info, text_only)
        },
    )
}

pub(crate) fn decoder(info: &TypeInfo, text_only: bool) -> Result<Rc<Decoder>, Error> {
    get(
        |known| &mut known.decoders,
        (info.oid, text_only),
        || {
            depend_on(info);
            Decoder::new(info, text_only)
        },
    )
}

pub(crate) fn scalar_row(oid: Oid) -> Result<Rc<RowType>, Error> {
    get(|known| &mut known.rows, oid, || RowType::of_scalar(oid))
}
