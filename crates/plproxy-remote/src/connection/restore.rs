//! Resetting a session.

use crate::connection::Connection;
use crate::connection::round_trip::IgnoreReply;
use crate::error::ErrorKind;
use crate::protocol::write_buffer::WriteBuffer;
use crate::reset::Reset;

impl Connection {
    /// Runs the reset query. If that fails, the session is of no more use.
    pub(crate) async fn reset(&mut self, reset: &Reset) -> Result<(), ErrorKind> {
        self.settings.reset(reset.restores());
        if reset.discards() {
            self.statements.forget_prepared();
        }
        let encoding = self.state.encoding();
        let write = |out: &mut WriteBuffer| out.script(reset.sql().bytes(encoding)?);
        self.round_trip(1, write, &mut IgnoreReply).await
    }

    /// Resets the session to the state in which it was when it was new. Through a pooler that may be a state of the pooler's
    /// session, which may use another encoding.
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
