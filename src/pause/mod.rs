//! What this session knows of pauses, and what its transaction has under way: below everything that knows clusters.
#![forbid(unsafe_code)]

pub(crate) mod joined;
pub(crate) mod seen;
