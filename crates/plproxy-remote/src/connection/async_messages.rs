//! What a server says without having been asked: notifications, notices, settings that changed.
//!
//! It may do so at any time, also while a connection rests, and nothing about the session is different for it. Such messages
//! are seen to when the connection is looked at before its next use. Anything else (an error, the end of the stream) tells
//! that the session is over.

use plproxy_core::room::is_room_for;

use crate::connection::Connection;
use crate::diagnostic::Diagnostic;
use crate::protocol::frame::Frame;
use crate::protocol::notices::KEPT;

/// Bytes that one look takes in at the most. Who has more to say is heard during the next statement, which can be
/// interrupted.
const LOOK: usize = 4 * 1024 * 1024;
/// A longer message is left for the next statement, which has limits of its own.
const LONG: usize = 64 * 1024;

impl Connection {
    /// Takes in what the server has said since the connection rests; false if that was the end.
    pub(crate) fn read_async_messages(&mut self) -> bool {
        if self.read_buffer.is_empty() && self.socket.borrow_mut().is_quiet() {
            return true;
        }
        let mut heard = 0;
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
            heard += self.read_buffer.seen();
            self.read_buffer.forget();
            if !self.read_buffer.has_no_reply() {
                return false;
            }
            if heard > LOOK || self.notices.size() > KEPT || self.read_buffer.missing() > LONG {
                return true;
            }
            match self.read_buffer.fill_now(&mut self.socket.borrow_mut()) {
                Ok(true) => {}
                Ok(false) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Sees to a message that came without a question; false if it is none that may.
    fn take_async_message(&mut self, frame: &Frame) -> bool {
        let body = self.read_buffer.body(&frame.body);
        match frame.tag {
            // Nobody here listens to notifications.
            b'A' => true,
            b'S' => self.state.parameter_status(body).is_ok(),
            // Bytes that are no text take three times their room.
            b'N' if is_room_for(body.len().saturating_mul(4)) => {
                let Some(notice) = Diagnostic::of_message(body, self.state.encoding()) else {
                    return false;
                };
                self.notices.push(notice);
                true
            }
            _ => false,
        }
    }

    /// The notices that came while the connection rested.
    pub(crate) fn take_notices(&mut self) -> Vec<Diagnostic> {
        self.notices.take()
    }
}
