//! What all requests of a call have in common.

use std::rc::Rc;
use std::time::Instant;

use crate::call::request::turn::Turns;
use crate::call::state::CallState;
use crate::options::CallOptions;
use crate::pool::Pool;
use crate::protocol::statement::Statement;

/// See the module.
pub(crate) struct CallContext {
    pub(crate) statement: Rc<Statement>,
    pub(crate) options: CallOptions,
    pub(crate) state: Rc<CallState>,
    pub(crate) pool: Rc<Pool>,
    pub(crate) started: Instant,
    pub(crate) turns: Turns,
    /// About how many bytes of rows make a batch; fewer where no more have arrived.
    pub(crate) batch: usize,
}
