//! Bringing a session back to how it was when it was new.

use crate::connection::Connection;
use crate::connection::round_trip::IgnoreReply;
use crate::error::ErrorKind;
use crate::protocol::write_buffer::WriteBuffer;
use crate::reset::Reset;

impl Connection {
    /// Runs the reset query. Without success the session is of no more use.
    pub(crate) async fn reset(&mut self, reset: &Reset) -> Result<(), ErrorKind> {
        self.settings.reset(reset.restores());
        if reset.discards() {
            self.statements.forget_prepared();
        }
        let encoding = self.state.encoding();
        let write = |out: &mut WriteBuffer| out.script(reset.sql().bytes(encoding)?);
        self.round_trip(1, write, &mut IgnoreReply).await
    }

    /// Leaves nothing of what was done in the session. Behind a pooler that goes back to the pooler's own session, which may
    /// speak another encoding.
    pub(crate) async fn discard(&mut self) -> Result<(), ErrorKind> {
        self.reset(&Reset::all()).await?;
        if !self.state.is_encoding_lost() {
            return Ok(());
        }
        let encoding = self.state.encoding().name();
        let sql = format!("set client_encoding = '{encoding}'");
        self.round_trip(1, |out| out.extended_query(&sql), &mut IgnoreReply)
            .await
    }
}
