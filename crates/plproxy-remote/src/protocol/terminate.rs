//! The Terminate message, sent on every connection that is closed, whatever the reason, as libpq's `PQfinish` does. A server
//! counts a session that ends without it as abandoned, and over TLS logs that.
//!
//! A process that exits does not drop its connections, so all of them are known here.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use crate::net::transport::Socket;

const TERMINATE: &[u8] = b"X\0\0\0\x04";

/// Sends Terminate when it is dropped, unless that was done before.
pub(crate) struct TerminateOnDrop {
    socket: Rc<RefCell<Socket>>,
    /// A message was sent in part: the server would read anything else as the rest of it.
    in_message: Cell<bool>,
    sent: Cell<bool>,
}

impl TerminateOnDrop {
    pub(crate) fn new(socket: Rc<RefCell<Socket>>) -> Rc<TerminateOnDrop> {
        Rc::new(TerminateOnDrop {
            socket,
            in_message: Cell::new(false),
            sent: Cell::new(false),
        })
    }

    /// Sets whether a message was sent in part.
    pub(crate) fn set_in_message(&self, in_message: bool) {
        self.in_message.set(in_message);
    }

    /// Whether a message has been sent in part.
    pub(crate) fn is_in_message(&self) -> bool {
        self.in_message.get()
    }

    /// Another process sends it.
    pub(crate) fn disarm(&self) {
        self.sent.set(true);
    }

    /// Never blocks; if the system does not take the message at once, it is not sent.
    fn send(&self) {
        if self.in_message.get() || self.sent.replace(true) {
            return;
        }
        if let Ok(mut socket) = self.socket.try_borrow_mut() {
            socket.send_last(TERMINATE);
        }
    }
}

impl Drop for TerminateOnDrop {
    fn drop(&mut self) {
        self.send();
    }
}

/// The connections of this process.
pub(crate) struct OpenConnections {
    process: u32,
    all: RefCell<Vec<Weak<TerminateOnDrop>>>,
}

impl OpenConnections {
    pub(crate) fn new() -> OpenConnections {
        OpenConnections {
            process: std::process::id(),
            all: RefCell::default(),
        }
    }

    pub(crate) fn add(&self, connection: &Rc<TerminateOnDrop>) {
        let mut all = self.all.borrow_mut();
        all.retain(|known| known.strong_count() > 0);
        all.push(Rc::downgrade(connection));
    }

    /// Sends Terminate on all connections, those in use as well. Does nothing in a forked process, as the connections are its
    /// parent's.
    pub(crate) fn terminate(&self) {
        if std::process::id() != self.process {
            return;
        }
        let Ok(all) = self.all.try_borrow() else {
            return;
        };
        let open = all.iter().filter_map(Weak::upgrade);
        open.for_each(|connection| connection.send());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use super::*;
    use crate::net::descriptors::Descriptor;
    use crate::net::transport::Transport;

    /// Checks the bytes that the other side receives when the process exits, and when the connection is dropped.
    fn check(process: u32, in_message: bool, at_the_end: &[u8], when_dropped: &[u8]) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        let _guard = runtime.enter();
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let mut received = || {
            let mut bytes = [0; 100];
            let length = theirs.read(&mut bytes).unwrap_or(0);
            bytes[..length].to_vec()
        };
        let transport = Transport::Unix(tokio::net::UnixStream::from_std(ours).unwrap());
        let socket = Socket::new(transport, Descriptor::uncounted());
        let connection = TerminateOnDrop::new(Rc::new(RefCell::new(socket)));
        connection.set_in_message(in_message);
        let open = OpenConnections {
            process,
            all: RefCell::default(),
        };
        open.add(&connection);
        open.terminate();
        open.terminate();
        assert_eq!(received(), at_the_end, "{process} {in_message}");
        drop(connection);
        assert_eq!(received(), when_dropped, "{process} {in_message}");
        open.terminate();
    }

    #[test]
    fn terminate_is_sent_once_and_by_no_forked_process() {
        let own = std::process::id();
        check(own, false, TERMINATE, b"");
        check(own + 1, false, b"", TERMINATE);
        check(own, true, b"", b"");
    }
}
