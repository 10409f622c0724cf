//! The frame of a message: its tag, its length, and how long it may be.

use std::ops::Range;

/// The tag and the length.
pub(crate) const HEADER: usize = 5;

/// The longest row: PostgreSQL's limit for a value, and room for the rest of the row.
const MESSAGE_LIMIT: usize = (1 << 30) + (1 << 24);
/// Errors, notices and notifications, which may hold a statement's text.
const REPORT_LIMIT: usize = 1 << 26;
/// All other messages; a result has at most 1664 columns to describe.
const SHORT_LIMIT: usize = 1 << 22;

/// How long a message with that tag may be.
pub(crate) fn limit(tag: u8) -> usize {
    match tag {
        b'D' | b'd' => MESSAGE_LIMIT,
        b'E' | b'N' | b'A' => REPORT_LIMIT,
        _ => SHORT_LIMIT,
    }
}

/// A message.
pub(crate) struct Frame {
    pub(crate) tag: u8,
    /// Where its body is.
    pub(crate) body: Range<usize>,
}

/// Whether a message with that tag is an asynchronous one: a notification, a notice, or a parameter status.
pub(crate) fn is_async(tag: u8) -> bool {
    matches!(tag, b'A' | b'N' | b'S')
}
