//! Connections that the sessions of one server take in turns.
//!
//! The table of them lies in shared memory, see [`plproxy_core::shared`]. A process of its own, the keeper, holds a duplicate of
//! every socket, so that connections outlive the session that made them ([`keeper`]); sessions send it new ones, and ask for
//! those that they have none of yet, over a pair of sockets that all inherit ([`channel`]). A session keeps its duplicates
//! (`pool::shared`), with what it knows of each; what others have changed since it reads before it uses one
//! (`connection::shared_facts`). A request takes a connection for the time of its statement (`call::request::shared`, [`lease`]),
//! and waits for one if it must (`call::request::lease_queue`). It holds none while it waits: the requests of a call take theirs
//! each for itself, and each gives its own back when its reply is there, whatever the others wait for.
//!
//! Over TLS the keeper is one end of the session: it does the handshake of a connection that is being made, tells the session that
//! makes it what it has to know of it ([`tls_request`], over [`frames`]), and passes on what goes over it ([`tls_ends`], [`relay`])
//! from one end of a pair of sockets, the other end of which is what the sessions share.
//!
//! A socket is in one session's hands at a time: that is what the slot's word says, and the socket is watched by the session's
//! runtime for so long only (`net::shared_socket`). Whatever is not as it should be when a connection comes back, closes it.

pub(crate) mod ask;
pub(crate) mod bytes;
pub(crate) mod channel;
pub(crate) mod frames;
pub(crate) mod keeper;
pub(crate) mod lease;
pub(crate) mod place;
pub(crate) mod relay;
pub(crate) mod sharing;
pub(crate) mod tls_ends;
pub(crate) mod tls_request;
pub(crate) mod view;
pub(crate) mod wakers;
