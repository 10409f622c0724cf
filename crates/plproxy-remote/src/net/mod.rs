//! Sockets: addresses, connecting, and transports (TCP, Unix, TLS).

pub(crate) mod address;
pub(crate) mod blocking;
pub(crate) mod descriptors;
pub(crate) mod linger;
pub(crate) mod peer;
pub(crate) mod shared_socket;
pub(crate) mod socket;
pub(crate) mod tls;
pub(crate) mod transport;
