//! What an exchange asks of whatever has the statement run.

use std::rc::Rc;
use std::task::{Context, Poll};

use crate::connection::branch::Branch;
use crate::diagnostic::Diagnostic;
use crate::encoding::Encoding;
use crate::error::ErrorKind;
use crate::protocol::batch::Batch;
use crate::protocol::param::Param;
use crate::runtime::fast_path::FastPath;

/// What has a statement run: it gives the parameters, takes what comes, and says how to wait.
pub(crate) trait ResultSink {
    /// The parameters for a session of that encoding.
    fn params(&self, encoding: Encoding) -> Result<Rc<[Param]>, ErrorKind>;

    /// They are not needed any more, and may be large.
    fn drop_params(&self);

    /// The transaction that the statement runs in, unless it is one of its own.
    fn branch(&self) -> Option<&Branch>;

    /// Rows are handed over in batches of about that many bytes, or of what is there.
    fn batch_size(&self) -> usize;

    /// Ready when there is room for rows; `handed_over`: whether some were handed over before.
    fn poll_room(&self, handed_over: bool, cx: &mut Context<'_>) -> Poll<()>;

    /// Takes some rows, which are not the last.
    fn rows(&self, batch: Batch);

    /// Takes a notice.
    fn notice(&self, notice: Box<Diagnostic>);

    /// How to wait.
    fn fast_path(&self) -> &FastPath;

    /// Whether the caller has something to do.
    fn is_wanted(&self) -> bool;

    /// Whether the time is over, so that nothing is to be waited for once the statement is answered.
    fn is_out_of_time(&self) -> bool;
}
