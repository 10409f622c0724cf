//! Maps by OID, for what every call looks up: servers choose OIDs, so a hash that resists an attacker is not needed.
#![forbid(unsafe_code)]

use core::hash::{BuildHasherDefault, Hasher};
use pgrx::pg_sys::Oid;
use std::collections::HashMap;

pub(crate) type OidMap<V> = HashMap<Oid, V, BuildHasherDefault<OidHasher>>;

/// Fibonacci hashing: one multiplication spreads neighbouring OIDs over all bits.
#[derive(Debug, Default)]
pub(crate) struct OidHasher(u64);

impl Hasher for OidHasher {
    fn write_u32(&mut self, oid: u32) {
        self.0 = (self.0 ^ u64::from(oid)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
