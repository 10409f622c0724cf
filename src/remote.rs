//! This backend's one [`Remote`].
#![forbid(unsafe_code)]

use crate::error::{Error, Report};
use crate::gucs;
use crate::pause::joined;
use crate::pg::{descriptors, encoding, exit, interrupts, waits};
use core::cell::OnceCell;
use plproxy_remote::Remote;
use std::time::Duration;

/// How long an administrative function tries to connect where nothing is set.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

thread_local! {
    // Leaked on purpose: it lives as long as the process, and a call borrows it.
    static REMOTE: OnceCell<&'static Remote> = const { OnceCell::new() };
}

/// The runtime and the pool, made on first use: never in the postmaster.
pub(crate) fn remote() -> Result<&'static Remote, Error> {
    REMOTE.with(|slot| {
        if let Some(remote) = slot.get() {
            return Ok(*remote);
        }
        waits::register()?;
        let remote = Remote::new(interrupts::pending, encoding::database()).map_err(|error| {
            Report::internal(format!("PL/Proxy: could not start its runtime: {error}"))
        })?;
        remote.keep_account(descriptors::ACCOUNT);
        interrupts::register()?;
        exit::at_exit(terminate)?;
        remote.show_waits(waits::show);
        let remote = *slot.get_or_init(|| Box::leak(Box::new(remote)));
        // Where the library was preloaded the session's own settings were not looked at yet.
        gucs::warn_of_misspelt()?;
        Ok(remote)
    })
}

/// The same where nothing may be made: at a transaction's end.
pub(crate) fn remote_if_made() -> Option<&'static Remote> {
    REMOTE.with(|slot| slot.get().copied())
}

/// The transaction ends: closes the connections that nothing needs any more: of replaced credentials, of dropped servers, of
/// connection strings that came once, those that have rested for too long, and more than were needed lately.
pub(crate) fn end_transaction() {
    joined::end_transaction();
    if let Some(remote) = remote_if_made() {
        remote.end_transaction();
    }
}

/// Takes leave of all partitions.
fn terminate() {
    if let Some(remote) = remote_if_made() {
        remote.terminate();
    }
}
