//! The remote half of PL/Proxy: one statement, run on some partitions at once.
//!
//! A [`Remote`] holds the runtime and the connections. [`Remote::start`] makes a [`Call`], and [`Call::next`] gives its
//! events, one after the other: rows as bytes, notices, the end of each request, errors as values. Everything happens on
//! the caller's thread and only while the caller waits; nothing here knows PostgreSQL's server side.
//!
//! # Map
//!
//! Each module uses only those above it in this list, and no file uses another in a circle; `make check` finds one that does.
//!
//! | module | holds |
//! | --- | --- |
//! | `encoding`, `diagnostic`, `error`, `sql_text`, `reset`, `options` | values that the whole crate speaks of |
//! | `runtime` | all waiting: the tokio runtime, the host's interrupts, the fast path without the runtime, system calls that block |
//! | `net` | sockets: addresses, connecting, TCP, Unix, TLS, file descriptors |
//! | `protocol` | messages as bytes: read and write buffers, rows, parameters, statements |
//! | `shared` | connections that the sessions of a server take in turns: leases, the keeper and the way to it |
//! | `endpoint` | the databases that are connected to, and what all of them share |
//! | `connection` | a session: making it, logging in, executing a statement, its state, cancelling |
//! | `pool` | idle connections |
//! | `call` | calls and scripts: requests side by side, their events, timeouts, the end |
//! | `remote` | the entry point |
//!
//! A call goes through them like this: `call` makes a request for each partition (`call::request`), which takes an idle
//! connection from `pool` or makes one (`connection::connect`). The statement's messages are written into a
//! `protocol::write_buffer`, and the replies are read from a `protocol::read_buffer`, by `connection::exchange`. Batches of rows go
//! to the event queue (`call::queue`), from which `Call::next` takes them. Whatever is sent apart from calls (resets, queries,
//! scripts) goes by `connection::round_trip`.
#![forbid(unsafe_code)]

mod call;
mod connection;
mod diagnostic;
mod encoding;
mod endpoint;
mod error;
mod net;
mod options;
mod pool;
mod protocol;
mod remote;
mod reset;
mod runtime;
mod shared;
mod sql_text;

pub use call::event::Event;
pub use call::running::Delay;
pub use call::script::Scripts;
pub use call::script::types::{Outcome, Script, Step, StepOutcome, StepResult, Target};
pub use call::{Call, Request};
pub use connection::branch::{Branch, BranchStatus};
pub use connection::info::{ConnectionInfo, Shown};
pub use connection::session::{Origin, Session};
pub use diagnostic::Diagnostic;
pub use encoding::Encoding;
pub use endpoint::{Endpoint, EndpointRef, Reader};
pub use error::{COPY, Error, ErrorKind, NoLease};
pub use net::descriptors::DescriptorAccount;
pub use options::{CallOptions, Prepared, ScriptOptions, SharedOptions};
pub use protocol::batch::{Batch, LargeValue};
pub use protocol::columns::{ColumnDescription, Format, ResultFormats};
pub use protocol::param::{Param, Params};
pub use protocol::row::Row;
pub use protocol::statement::Statement;
pub use protocol::text_style::{TextRequirements, TextStyle};
pub use protocol::typed_columns::{TypedColumn, TypedColumns};
pub use remote::Remote;
pub use reset::Reset;
pub use runtime::wait_event::Wait;
pub use shared::channel::Channel;
pub use shared::keeper::Keeper;
pub use shared::sharing::Sharing;
pub use shared::view::{SharedConnection, SharedPlace, shared_connections};
pub use shared::wakers::wakers;
pub use sql_text::SqlText;
