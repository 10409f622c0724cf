//! What the requests of a call have in common.

use std::rc::Rc;
use std::time::Instant;

use crate::call::state::CallState;
use crate::options::CallOptions;
use crate::pool::Pool;
use crate::protocol::statement::Statement;

/// What the requests of a call have in common.
pub(crate) struct CallContext {
    pub(crate) statement: Rc<Statement>,
    pub(crate) options: CallOptions,
    pub(crate) state: Rc<CallState>,
    pub(crate) pool: Rc<Pool>,
    pub(crate) started: Instant,
    /// Rows are handed over in batches of about that many bytes, or of what is there.
    pub(crate) batch: usize,
}
