//! The names of prepared transactions, and the lock that their session holds.
#![forbid(unsafe_code)]

use crate::error::Error;
use crate::pg::{lock, xact};
use core::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

thread_local! {
    static LAST_TIME: Cell<u64> = const { Cell::new(0) };
}

/// The name of a prepared transaction: `plproxy_<database oid>_<pid>_<number>_<partition>`. The number is unlike any other
/// that was or will be: this server's identifier, and the time, 16 digits of microseconds.
pub(super) struct Gid {
    process: i32,
    time: u64,
}

impl Gid {
    /// One that is in use by nobody; its lock is held when this returns.
    pub(super) fn take() -> Result<Self, Error> {
        let (_, _, process) = xact::identity()?;
        loop {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let now = now.map_or(0, |now| u64::try_from(now.as_micros()).unwrap_or(0));
            let time = now.max(LAST_TIME.get() + 1);
            LAST_TIME.set(time);
            let this = Self { process, time };
            if this.lock()? {
                return Ok(this);
            }
        }
    }

    pub(super) fn text(&self, partition: usize) -> Result<String, Error> {
        Ok(format!(
            "{}{:016}_{partition}",
            Self::prefix(&self.process.to_string())?,
            self.time
        ))
    }

    /// How the names of a process begin.
    fn prefix(process: &str) -> Result<String, Error> {
        let (system, database, _) = xact::identity()?;
        Ok(format!("plproxy_{database}_{process}_{system}"))
    }

    /// The regular expression of all names that this server's database has given.
    pub(super) fn pattern() -> Result<String, Error> {
        Ok(format!("^{}[0-9]{{16}}_[0-9]+$", Self::prefix("[0-9]+")?))
    }

    /// Reads a name that fits the pattern.
    pub(super) fn parse(gid: &str) -> Option<Self> {
        let mut parts = gid.split('_').skip(2);
        let process = parts.next()?.parse().ok()?;
        let number = parts.next()?;
        let time = number.get(number.len().checked_sub(16)?..)?.parse().ok()?;
        Some(Self { process, time })
    }

    /// Takes the lock that its session holds while the transaction runs. Two may share one, which only makes the recovery
    /// more careful.
    pub(super) fn lock(&self) -> Result<bool, Error> {
        lock::try_lock(self.time ^ u64::from(self.process.unsigned_abs()).rotate_left(40))
    }
}
