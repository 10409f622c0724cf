//! The border to PostgreSQL, and the only hand-written `unsafe` of the project.
//!
//! Nothing here knows what PL/Proxy is. Each module wraps one part of the server's C interface and hands out owned Rust
//! values; an error that PostgreSQL raises inside comes back as an [`Error`](error::Error) value with every field
//! it had. Only [`report`] raises, and only where no Rust value is left to drop.
//!
//! Three rules hold everywhere below:
//! * every call that can raise runs inside [`guard::catch`], whose closure owns nothing that needs dropping;
//! * functions come from [`raw`], not from pgrx's wrappers: those flatten an error to four fields and force its text
//!   through UTF-8, which is wrong in a database of another encoding;
//! * a `Datum` that is handed out lives as long as the call's memory, see [`memory`].

pub(crate) mod allocator;
pub(crate) mod array;
pub(crate) mod boundary;
pub(crate) mod called;
pub(crate) mod compat;
pub(crate) mod decode;
pub(crate) mod descriptors;
pub(crate) mod encoding;
pub(crate) mod error;
pub(crate) mod exit;
pub(crate) mod expr;
pub(crate) mod fcinfo;
mod fields;
pub(crate) mod foreign;
pub(crate) mod guard;
pub(crate) mod heap;
pub(crate) mod interrupts;
pub(crate) mod inval;
pub(crate) mod io;
pub(crate) mod keeper;
pub(crate) mod lock;
pub(crate) mod machine;
pub(crate) mod memory;
mod objects;
pub(crate) mod pauses;
pub(crate) mod proc;
mod raw;
pub(crate) mod report;
pub(crate) mod role;
pub(crate) mod settings;
pub(crate) mod shared_connections;
pub(crate) mod shmem;
pub(crate) mod spi;
pub(crate) mod srf;
pub(crate) mod statements;
pub(crate) mod tuple;
pub(crate) mod tuplestore;
pub(crate) mod types;
pub(crate) mod waits;
pub(crate) mod worker;
pub(crate) mod xact;
