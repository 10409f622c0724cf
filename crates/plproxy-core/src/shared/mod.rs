//! Connections that the sessions of one server take in turns: who has which, who waits, and what is known of each.
//!
//! A [`Table`] lies in memory that all sessions share and is made of atomics only, so that any process may look at any time. A
//! slot stands for one connection. Its [`Word`] says what becomes of it, and to take it or to give it back is one
//! compare-and-swap; what else the slot says is written by whoever has it. What decides over several slots at once (how many
//! there may be of a kind, who waits for one, in which order) goes under the lock of a [stripe](Stripe), which is held for a
//! moment, is never waited for without bound, and in which nothing can fail.
#![forbid(unsafe_code)]

mod blob;
mod key;
mod lock;
mod memory;
mod slot;
mod statements;
mod table;
#[cfg(test)]
mod tests;
mod waiter;
mod waiting;
mod word;

pub use blob::Blob;
pub use key::{Keys, Secret};
pub use memory::{Header, Stripe, Table, Waiter, Wakers};
pub use slot::{Moments, NEVER, Slot};
pub use statements::Statements;
pub use table::{Found, Held};
pub use waiter::Wanted;
pub use waiting::{Grant, Place, Why};
pub use word::{State, Word};
