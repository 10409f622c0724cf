//! TLS, as libpq does it.

mod bio;
mod channel_binding;
pub(crate) mod context;
mod errors;
pub(crate) mod handshake_tap;
mod host_names;
mod key;
pub(crate) mod material;
pub(crate) mod negotiate;
pub(crate) mod protection;
pub(crate) mod session;
