//! What the thread waits for, so that the host can show it.

use std::cell::Cell;

use crate::runtime::lease_waits;

/// What a wait is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// A connection is being made.
    Connect,
    /// A server executes a statement.
    Execute,
    /// Others have the connections.
    Lease,
}

thread_local! {
    /// How many connections are being made.
    static CONNECTING: Cell<usize> = const { Cell::new(0) };
}

/// A connection is being made while this lives.
pub(crate) struct Connecting(());

impl Connecting {
    pub(crate) fn begin() -> Connecting {
        CONNECTING.set(CONNECTING.get() + 1);
        Connecting(())
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        CONNECTING.set(CONNECTING.get().saturating_sub(1));
    }
}

/// What a wait that begins now is for. As long as one connection is being made, it is that.
pub(crate) fn current() -> Wait {
    if CONNECTING.get() > 0 {
        Wait::Connect
    } else if lease_waits::is_waiting() {
        Wait::Lease
    } else {
        Wait::Execute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_being_made_decides_the_wait_event() {
        assert_eq!(current(), Wait::Execute);
        let (first, second) = (Connecting::begin(), Connecting::begin());
        drop(first);
        assert_eq!(current(), Wait::Connect);
        drop(second);
        assert_eq!(current(), Wait::Execute);
    }
}
