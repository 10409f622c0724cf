//! What the thread waits for while it sleeps, so that the host can show it.

use std::cell::Cell;

/// What a wait is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// A connection is being made.
    Connect,
    /// A server has work of ours.
    Execute,
}

thread_local! {
    /// Connections that are being made.
    static CONNECTING: Cell<usize> = const { Cell::new(0) };
}

/// While it lives a connection is being made.
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

/// What a wait that begins now is for. Of several servers, one that is being connected to has the say.
pub(crate) fn current() -> Wait {
    if CONNECTING.get() > 0 {
        Wait::Connect
    } else {
        Wait::Execute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_being_made_has_the_say() {
        assert_eq!(current(), Wait::Execute);
        let (first, second) = (Connecting::begin(), Connecting::begin());
        drop(first);
        assert_eq!(current(), Wait::Connect);
        drop(second);
        assert_eq!(current(), Wait::Execute);
    }
}
