//! What a connection that sessions share is besides.

use plproxy_core::shared::Held;

use crate::connection::shared_facts::SharedFacts;
use crate::options::SharedOptions;
use crate::shared::lease::Lease;

/// See the module.
pub(crate) struct SharedPart {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
    /// While it is in use.
    pub(crate) lease: Option<Lease>,
    /// What is known to all.
    pub(crate) facts: SharedFacts,
    pub(crate) version: u64,
    /// Its share of a lifetime.
    pub(crate) share: u32,
    pub(crate) most: u32,
    /// How often it had been used when we had it last: nobody else has, if that is still so.
    pub(crate) uses: u64,
}

impl SharedPart {
    pub(crate) fn new(
        lease: Lease,
        held: Held,
        facts: SharedFacts,
        version: u64,
        share: u32,
        options: &SharedOptions,
    ) -> SharedPart {
        SharedPart {
            slot: held.slot,
            generation: held.generation,
            lease: Some(lease),
            facts,
            version,
            share,
            most: options.most,
            uses: 0,
        }
    }
}
