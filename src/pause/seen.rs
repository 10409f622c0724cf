//! What this session has seen of pauses, and what of them is asked where it is worked out where a call goes.
#![forbid(unsafe_code)]

use crate::error::Error;
use crate::pg::{pauses, xact};
use core::cell::Cell;
use plproxy_core::hash::siphash;
use plproxy_core::pause::{Generation, Shown, Table};

thread_local! {
    /// The last generation that this session has taken notice of.
    static SEEN: Cell<Generation> = const { Cell::new(Generation::FIRST) };
}

/// What stands for a cluster of this database in shared memory.
pub(crate) fn key(name: &str) -> u64 {
    let database = xact::database().to_ne_bytes();
    let key = siphash(&[&database, name.as_bytes()].concat());
    key.cast_unsigned().max(1)
}

/// The last generation that this session has taken notice of.
#[inline]
pub(crate) fn seen() -> Generation {
    SEEN.get()
}

/// Takes notice of what has changed.
pub(crate) fn see(table: &Table) -> Result<(), Error> {
    // First the number: what changes from here on is seen with the next look.
    let generation = table.generation();
    xact::notice_changes()?;
    SEEN.set(generation);
    Ok(())
}

/// Whether a pause is one of this partition, by its first number, alone.
pub(crate) fn is_of(shown: &Shown, same_as: &[usize], first: usize) -> bool {
    let number = shown.partition.and_then(|it| same_as.get(it as usize));
    number == Some(&first)
}

/// Whether a partition, by its first number, is paused.
pub(crate) fn is_paused(cluster: u64, same_as: &[usize], first: usize) -> bool {
    let Some(table) = pauses::table() else {
        return false;
    };
    if table.generation().is_calm() {
        return false;
    }
    table.of(cluster).any(|shown| {
        !shown.left.is_zero() && (shown.partition.is_none() || is_of(&shown, same_as, first))
    })
}

/// Runs `f`, which asks how a cluster is defined. After a pause it is to see what was committed meanwhile, also within a
/// statement that has begun before.
pub(crate) fn seeing_definitions<T>(f: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    if SEEN.get().is_first() {
        f()
    } else {
        xact::seeing_latest(f)
    }
}
