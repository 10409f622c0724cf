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

mod address;
mod authentication;
mod branch;
mod call;
mod call_state;
mod cancel;
mod cancelling;
mod columns;
mod connect;
mod connection;
mod descriptors;
mod diagnostic;
mod dialog;
mod direct;
mod encoding;
mod endpoint;
mod errand;
mod error;
mod error_response;
mod event;
mod event_queue;
mod exchange;
mod execute;
mod fast_path;
mod frame;
mod inbox;
mod interrupt;
mod linger;
mod login;
mod notices;
mod open;
mod options;
mod outgoing;
mod outside;
mod params;
mod peer;
mod plain;
mod pool;
mod reachability;
mod remote;
mod reset;
mod rest;
mod restore;
mod rows;
mod running;
mod runtime;
mod session;
mod settings;
mod sql_text;
mod state;
mod statement;
mod statements;
mod stream;
mod tasks;
mod terminate;
mod text_style;
mod tls;
mod together;
mod typed;
mod usage;
mod wait_queue;
mod waiting;

pub use branch::{Branch, BranchStatus};
pub use call::{Call, Request};
pub use columns::{ColumnDescription, Format, ResultFormats};
pub use connection::{ConnectionInfo, Shown};
pub use descriptors::DescriptorAccount;
pub use diagnostic::Diagnostic;
pub use encoding::Encoding;
pub use endpoint::{Endpoint, Hold, Reader};
pub use errand::Errands;
pub use errand::types::{Done, Errand, On, Outcome, Step, StepOutcome};
pub use error::{COPY, Error, ErrorKind};
pub use event::Event;
pub use options::{CallOptions, ErrandOptions, Prepared};
pub use params::{Param, Params};
pub use remote::Remote;
pub use reset::Reset;
pub use rows::{Batch, LargeValue, Row};
pub use session::{Origin, Session};
pub use sql_text::SqlText;
pub use statement::Statement;
pub use text_style::{TextNeeds, TextStyle};
pub use typed::{TypedColumn, TypedColumns};
pub use waiting::Wait;
