//! What an entry is found by.
#![forbid(unsafe_code)]

/// All that tells an entry from others, and what is shown of it.
pub(super) struct Name<'a> {
    pub(super) database: u32,
    pub(super) number: u32,
    /// Of everything, as names may be cut where they are kept.
    pub(super) hash: u64,
    pub(super) cluster: &'a str,
    pub(super) dbname: &'a str,
    pub(super) host: &'a str,
    pub(super) port: u32,
}

impl Name<'_> {
    /// What it is found by.
    pub(super) fn key(&self) -> (u32, u32, u64) {
        (self.database, self.number, self.hash)
    }
}
