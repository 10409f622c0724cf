//! Sockets: where they lead, how they are opened, what goes over them.

pub(crate) mod address;
pub(crate) mod blocking;
pub(crate) mod descriptors;
pub(crate) mod linger;
pub(crate) mod peer;
pub(crate) mod socket;
pub(crate) mod tls;
pub(crate) mod transport;
