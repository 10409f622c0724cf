//! Asynchronous messages: notifications, notices, and settings that have changed.
//!
//! A server may send them at any time, also while a connection is idle. They are read when the connection is checked before its
//! next use. Any other message then (an error, the end of the stream) means that the session is over.

use plproxy_core::room::can_allocate;

use crate::connection::Connection;
use crate::diagnostic::Diagnostic;
use crate::protocol::frame::Frame;
use crate::protocol::notices::KEPT;

/// How many bytes are read at once at the most. More is read during the next statement, which can be interrupted.
const MOST: usize = 4 * 1024 * 1024;
/// A longer message is left for the next statement, which has limits of its own.
const LONG: usize = 64 * 1024;

impl Connection {
    /// Reads the messages that have arrived since the connection is idle; false if the session is over.
    pub(crate) fn read_async_messages(&mut self) -> bool {
        if self.read_buffer.is_empty() && self.socket.borrow_mut().is_quiet() {
            return true;
        }
        let mut read = 0;
        loop {
            loop {
                match self.read_buffer.frame() {
                    Ok(Some(frame)) => {
                        if !self.take_async_message(&frame) {
                            return false;
                        }
                    }
                    Ok(None) => break,
                    Err(_) => return false,
                }
            }
            read += self.read_buffer.consumed();
            self.read_buffer.discard();
            if !self.read_buffer.has_no_reply() {
                return false;
            }
            if read > MOST || self.notices.size() > KEPT || self.read_buffer.missing() > LONG {
                return true;
            }
            match self.read_buffer.fill_now(&mut self.socket.borrow_mut()) {
                Ok(true) => {}
                Ok(false) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Handles an asynchronous message; false if it is another one.
    fn take_async_message(&mut self, frame: &Frame) -> bool {
        let body = self.read_buffer.body(&frame.body);
        match frame.tag {
            // Notifications are ignored.
            b'A' => true,
            b'S' => self.state.parameter_status(body).is_ok(),
            // Decoding may take three bytes for one.
            b'N' if can_allocate(body.len().saturating_mul(4)) => {
                let Some(notice) = Diagnostic::of_message(body, self.state.encoding()) else {
                    return false;
                };
                self.notices.push(notice);
                true
            }
            _ => false,
        }
    }

    /// Takes the notices that arrived while the connection was idle.
    pub(crate) fn take_notices(&mut self) -> Vec<Diagnostic> {
        self.notices.take()
    }
}
