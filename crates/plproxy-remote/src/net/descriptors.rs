//! File descriptors, of which a process has a limited number, and the host process its own account.
//!
//! Each socket has a [`Descriptor`], and gives it back when it is closed. Where none is left, idle connections are closed, the
//! one that has been idle for the longest time first.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use rustix::process::{Resource, getrlimit};

/// The runtime's own: an epoll instance, its duplicate, and an eventfd.
const RUNTIME: usize = 3;
/// How many stay free beyond those of the host, for files that the process was started with or has open for a moment.
const MARGIN: usize = 64;

/// How many are reserved for cancel requests.
const SET_ASIDE: usize = 16;

/// How many of the host's descriptors connections may have.
fn share(account: &DescriptorAccount) -> usize {
    (account.most)() / 3 * 2
}

/// How the host accounts for descriptors. None of these may unwind.
#[derive(Debug, Clone, Copy)]
pub struct DescriptorAccount {
    /// Takes a descriptor, if the host can spare it.
    pub acquire: fn() -> bool,
    /// Takes a descriptor, for which the host closes files if it has to; false if it could not.
    pub reserve: fn() -> bool,
    /// Gives a descriptor back.
    pub release: fn(),
    /// How many descriptors the host may have, those that were taken from it included.
    pub most: fn() -> usize,
}

/// Has idle connections, and can close one.
pub(crate) trait IdleConnections {
    /// Closes the connection that has been idle for the longest time; false if there is none.
    fn close_longest_idle(&self) -> bool;
}

/// The descriptors of this process.
pub(crate) struct Descriptors {
    /// How many the process may have; this may change at any time.
    limit: fn() -> usize,
    account: Cell<Option<DescriptorAccount>>,
    /// Closes the socket of a cancel request that was sent; false if there is none.
    close_lingering: fn() -> bool,
    idle: RefCell<Option<Weak<dyn IdleConnections>>>,
    /// How many were taken from the host.
    taken: Cell<usize>,
    /// How many are open beyond those that the host may have.
    beyond: Cell<usize>,
}

/// The system's limit.
fn limit() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    })
}

impl Descriptors {
    /// `close_lingering` closes the socket of a cancel request that was sent; false if there is none.
    pub(crate) fn new(close_lingering: fn() -> bool) -> Descriptors {
        Descriptors::limited(limit, close_lingering)
    }

    fn limited(limit: fn() -> usize, close_lingering: fn() -> bool) -> Descriptors {
        Descriptors {
            limit,
            account: Cell::default(),
            close_lingering,
            idle: RefCell::default(),
            taken: Cell::new(0),
            beyond: Cell::new(0),
        }
    }

    /// Sets where to close idle connections.
    pub(crate) fn set_idle_connections(&self, idle: Weak<dyn IdleConnections>) {
        self.idle.replace(Some(idle));
    }

    /// From now on the host accounts for descriptors, those of the runtime included.
    pub(crate) fn keep_account(&self, account: DescriptorAccount) {
        if self.account.replace(Some(account)).is_none() {
            for _ in 0..RUNTIME {
                self.reserve(&account);
            }
        }
    }

    /// A descriptor for a connection; `None` if none is left, and no idle connection can be closed for it.
    pub(crate) fn acquire(self: &Rc<Self>) -> Option<Descriptor> {
        let Some(account) = self.account.get() else {
            return Some(Descriptor(None));
        };
        while !self.take(&account) {
            let idle = self.idle.borrow().as_ref().and_then(Weak::upgrade);
            if !(self.close_lingering)() && !idle.is_some_and(|idle| idle.close_longest_idle()) {
                return None;
            }
        }
        Some(Descriptor(Some(Rc::clone(self))))
    }

    /// A descriptor for a cancel request, for which some are reserved.
    pub(crate) fn for_cancel(self: &Rc<Self>) -> Option<Descriptor> {
        let Some(account) = self.account.get() else {
            return Some(Descriptor(None));
        };
        while !self.take(&account) {
            if !(self.close_lingering)() {
                if self.taken.get() >= share(&account) + SET_ASIDE {
                    return None;
                }
                self.reserve(&account);
                break;
            }
        }
        Some(Descriptor(Some(Rc::clone(self))))
    }

    /// Cancelling is over: the reserved descriptors are given back, though cancel requests may not have been confirmed.
    pub(crate) fn end_cancel(&self) {
        if let Some(account) = self.account.get() {
            while self.taken.get() > share(&account) && (self.close_lingering)() {}
        }
    }

    /// Takes a descriptor that the host can spare, else one beyond those that it may have, else one of two thirds of its own.
    fn take(&self, account: &DescriptorAccount) -> bool {
        if (account.acquire)() {
            self.taken.set(self.taken.get() + 1);
            return true;
        }
        let (most, limit) = ((account.most)(), (self.limit)());
        if self.beyond.get() < limit.saturating_sub(most).saturating_sub(MARGIN) {
            self.beyond.set(self.beyond.get() + 1);
            return true;
        }
        if self.taken.get() < share(account) {
            self.reserve(account);
            return true;
        }
        false
    }

    fn reserve(&self, account: &DescriptorAccount) {
        // A descriptor that the host has not counted is not given back to it.
        if (account.reserve)() {
            self.taken.set(self.taken.get() + 1);
        } else {
            self.beyond.set(self.beyond.get() + 1);
        }
    }

    fn release(&self) {
        if self.beyond.get() > 0 {
            self.beyond.set(self.beyond.get() - 1);
        } else if let Some(account) = self.account.get()
            && self.taken.get() > 0
        {
            (account.release)();
            self.taken.set(self.taken.get() - 1);
        }
    }
}

/// The right to have a socket open.
pub(crate) struct Descriptor(Option<Rc<Descriptors>>);

impl Descriptor {
    /// A descriptor that nobody accounts for.
    #[cfg(test)]
    pub(crate) fn uncounted() -> Descriptor {
        Descriptor(None)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if let Some(descriptors) = &self.0 {
            descriptors.release();
        }
    }
}

#[cfg(test)]
mod tests;
