//! The events of a call.

use std::rc::Rc;

use crate::diagnostic::Diagnostic;
use crate::error::ErrorKind;
use crate::protocol::batch::Batch;
use crate::protocol::columns::ColumnDescription;

/// What `Call::next` gives.
pub enum Event {
    /// Rows of a request.
    Rows {
        /// The request, by its place in the list.
        request: usize,
        /// The rows.
        batch: Batch,
        /// Whether they are the last: the request is done, and no `RequestDone` follows.
        done: bool,
    },
    /// A notice, at the moment it arrived.
    Notice {
        /// The request, by its place in the list.
        request: usize,
        /// The notice.
        notice: Box<Diagnostic>,
    },
    /// A problem with the files behind a connection string, such as a password file that others can read. The connection is
    /// made nevertheless.
    Warning {
        /// The request, by its place in the list.
        request: usize,
        /// In libpq's words.
        warning: String,
    },
    /// A request is done.
    RequestDone {
        /// The request, by its place in the list.
        request: usize,
        /// The columns of its result, if the statement has one.
        columns: Option<Rc<[ColumnDescription]>>,
    },
    /// A request has failed, in a tolerant call. It may be restarted, see [`Call::restart`](crate::Call::restart).
    RequestFailed {
        /// The request, by its place in the list.
        request: usize,
        /// Why.
        kind: Box<ErrorKind>,
        /// No connection could be made: nothing was executed.
        unreached: bool,
    },
    /// The host process has an interrupt pending. The requests go on meanwhile.
    Interrupted,
    /// All requests are done, or the call has failed before.
    Finished,
}
