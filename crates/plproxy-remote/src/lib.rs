//! The remote half of PL/Proxy: one statement, run on some partitions at once.
//!
//! A [`Remote`] holds the runtime and the connections. [`Remote::start`] makes a [`Call`], and [`Call::next`] gives its
//! events, one after the other: rows as bytes, notices, the end of each request, errors as values. Everything happens on
//! the caller's thread and only while the caller waits; nothing here knows PostgreSQL's server side.
//!
//! How a call goes: `call` → `execute` (a connection from `pool` or `connect`, the form of the statement from
//! `statement`) → `exchange` (one flight: `outgoing`, `inbox`) → `rows` → `outbox` → `call`. Connections are made by the client
//! library, which reads and writes through `stream` and `monitor`. What is to be done on each endpoint apart from the others is an `errand`. All waiting is in `runtime`, all attention to the host in `interrupt`.
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
mod sql_text;

pub use call::event::Event;
pub use call::script::Errands;
pub use call::script::types::{Done, Errand, On, Outcome, Step, StepOutcome};
pub use call::{Call, Request};
pub use connection::branch::{Branch, BranchStatus};
pub use connection::info::{ConnectionInfo, Shown};
pub use connection::session::{Origin, Session};
pub use diagnostic::Diagnostic;
pub use encoding::Encoding;
pub use endpoint::{Endpoint, Hold, Reader};
pub use error::{COPY, Error, ErrorKind};
pub use net::descriptors::DescriptorAccount;
pub use options::{CallOptions, ErrandOptions, Prepared};
pub use protocol::batch::{Batch, LargeValue};
pub use protocol::columns::{ColumnDescription, Format, ResultFormats};
pub use protocol::param::{Param, Params};
pub use protocol::row::Row;
pub use protocol::statement::Statement;
pub use protocol::text_style::{TextNeeds, TextStyle};
pub use protocol::typed_columns::{TypedColumn, TypedColumns};
pub use remote::Remote;
pub use reset::Reset;
pub use runtime::wait_event::Wait;
pub use sql_text::SqlText;
