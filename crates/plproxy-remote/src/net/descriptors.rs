//! File descriptors, of which a process has a limited number, and the host process its own account.
//!
//! Each socket has a [`Descriptor`], and gives it back when it is closed. Where there is none left, connections at rest are
//! closed to make room, the one that has rested the longest first.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use rustix::process::{Resource, getrlimit};

/// What the runtime has open for itself: its epoll, a second hold on that, and what wakes it.
const RUNTIME: usize = 3;
/// So many stay free beyond what the host may have open: what the process was started with, files that are open for a moment.
const MARGIN: usize = 64;

/// So many are set aside for cancel requests.
const SET_ASIDE: usize = 16;

/// As many of the host's as connections may have.
fn share(account: &DescriptorAccount) -> usize {
    (account.most)() / 3 * 2
}

/// The host's account. None of these may unwind.
#[derive(Debug, Clone, Copy)]
pub struct DescriptorAccount {
    /// Takes a descriptor, if the host can well do without it.
    pub acquire: fn() -> bool,
    /// Takes a descriptor in any case, and closes files of the host's for it; false if it could not.
    pub reserve: fn() -> bool,
    /// Gives one back.
    pub release: fn(),
    /// How many the host has open at the most, those that were taken from it included.
    pub most: fn() -> usize,
}

/// What has connections at rest, and can close one.
pub(crate) trait IdleConnections {
    /// Closes the connection that has rested for the longest time; false if none rests.
    fn close_longest_idle(&self) -> bool;
}

/// The descriptors of this process.
pub(crate) struct Descriptors {
    /// How many it may have; this may change at any time.
    limit: fn() -> usize,
    account: Cell<Option<DescriptorAccount>>,
    /// Closes the socket of a cancel request that was sent; false if there is none.
    close_lingering: fn() -> bool,
    idle: RefCell<Option<Weak<dyn IdleConnections>>>,
    /// Taken from the host.
    taken: Cell<usize>,
    /// Beyond what the host may ever have open.
    beyond: Cell<usize>,
}

/// The limit that the system sets.
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

    /// Where to close connections at rest.
    pub(crate) fn set_idle_connections(&self, idle: Weak<dyn IdleConnections>) {
        self.idle.replace(Some(idle));
    }

    /// From now on the host keeps an account, in which the runtime is entered.
    pub(crate) fn keep_account(&self, account: DescriptorAccount) {
        if self.account.replace(Some(account)).is_none() {
            for _ in 0..RUNTIME {
                self.reserve(&account);
            }
        }
    }

    /// A descriptor for a connection; none if there is none left, and no connection at rest to be closed for it.
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

    /// A descriptor for a cancel request, for which some are set aside.
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

    /// Cancelling is over: what was set aside for it is given back, though somebody may still wait for the end of a request.
    pub(crate) fn end_cancel(&self) {
        if let Some(account) = self.account.get() {
            while self.taken.get() > share(&account) && (self.close_lingering)() {}
        }
    }

    /// Takes what the host can do without, then what it could not have anyway, then up to two thirds of what it has.
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
        // One that the host has not counted is not given back to it.
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
    /// One that nobody counts.
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
