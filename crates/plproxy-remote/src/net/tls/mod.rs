//! TLS: what a connection string asks for, and the way there.

mod bio;
mod channel_binding;
pub(crate) mod context;
mod errors;
mod handshake_tap;
mod host_names;
mod key;
pub(crate) mod negotiate;
pub(crate) mod session;
