//! TLS: what a connection string asks for, and the way there.

mod binding;
mod bridge;
pub(crate) mod context;
mod errors;
mod flight;
mod key;
mod names;
pub(crate) mod negotiate;
pub(crate) mod session;
