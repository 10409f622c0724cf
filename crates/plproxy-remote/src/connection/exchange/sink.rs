//! Where the results of an exchange go, and where its parameters come from.

use std::rc::Rc;
use std::task::{Context, Poll};

use crate::connection::branch::Branch;
use crate::diagnostic::Diagnostic;
use crate::encoding::Encoding;
use crate::error::ErrorKind;
use crate::protocol::batch::Batch;
use crate::protocol::param::Param;
use crate::runtime::fast_path::FastPath;

/// The request of a statement's exchange: it gives the parameters, takes the results, and decides how to wait.
pub(crate) trait ResultSink {
    /// The parameters for a session of that encoding.
    fn params(&self, encoding: Encoding) -> Result<Rc<[Param]>, ErrorKind>;

    /// The parameters are not needed any more, and may be large.
    fn drop_params(&self);

    /// The transaction of several calls that the statement runs in, if any.
    fn branch(&self) -> Option<&Branch>;

    /// About how many bytes of rows make a batch; fewer where no more have arrived.
    fn batch_size(&self) -> usize;

    /// Ready when there is room for rows; `handed_over`: whether some were handed over before.
    fn poll_room(&self, handed_over: bool, cx: &mut Context<'_>) -> Poll<()>;

    /// Takes a batch that is not the last one.
    fn rows(&self, batch: Batch);

    /// Takes a notice.
    fn notice(&self, notice: Box<Diagnostic>);

    /// How to wait.
    fn fast_path(&self) -> &FastPath;

    /// Whether there is an event for the caller, or a blocking call to be made.
    fn is_wanted(&self) -> bool;

    /// Whether the call has timed out, so that nothing is to be waited for once the statement is done.
    fn is_out_of_time(&self) -> bool;
}
