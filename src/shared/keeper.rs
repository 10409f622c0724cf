//! The keeper's work.
#![forbid(unsafe_code)]

use crate::pg::keeper::{interrupted, wait};
use plproxy_core::shared::Table;
use plproxy_remote::{Channel, Keeper};

/// Keeps connections until the worker is to end, and then shuts them down.
pub(crate) fn run(table: Table, channel: &'static Channel) {
    let mut keeper = Keeper::new(table, channel, interrupted);
    loop {
        keeper.step();
        let patience = keeper.patience();
        let patience = keeper.relay(patience);
        if !wait(keeper.socket(), patience) {
            return;
        }
    }
}
