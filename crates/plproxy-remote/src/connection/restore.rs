//! Bringing a session back to how it was when it was new.

use crate::connection::Connection;
use crate::connection::dialog::Unread;
use crate::error::ErrorKind;
use crate::protocol::write_buffer::Outgoing;
use crate::reset::Reset;

impl Connection {
    /// Runs the reset query. Without success the session is of no more use.
    pub(crate) async fn reset(&mut self, reset: &Reset) -> Result<(), ErrorKind> {
        self.settings.reset(reset.restores());
        if reset.discards() {
            self.statements.forget_prepared();
        }
        let encoding = self.state.encoding();
        let write = |out: &mut Outgoing| out.script(reset.sql().bytes(encoding)?);
        self.converse(1, write, &mut Unread).await
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
        self.converse(1, |out| out.ask(&sql), &mut Unread).await
    }
}
