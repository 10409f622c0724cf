//! What happens in a call, as its caller gets to know it.

use std::rc::Rc;

use crate::diagnostic::Diagnostic;
use crate::error::ErrorKind;
use crate::protocol::batch::Batch;
use crate::protocol::columns::ColumnDescription;

/// Something to do for the caller.
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
    /// What is doubtful about the files behind a connection string, such as a password file that others can read. A
    /// connection is made all the same, if that can be.
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
    /// A request has failed, in a call that is tolerant. It may be run once more, see [`Call::restart`](crate::Call::restart).
    RequestFailed {
        /// The request, by its place in the list.
        request: usize,
        /// Why.
        kind: Box<ErrorKind>,
        /// There was no connection for it: nothing of it has run.
        unreached: bool,
    },
    /// The host process wants attention. The remote work goes on meanwhile.
    Interrupted,
    /// All requests are done, or the call has failed before.
    Finished,
}
