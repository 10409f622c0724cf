//! The body of an error or a notice, as it comes from a server.

use plproxy_core::room::is_room_for;

use crate::diagnostic::Diagnostic;
use crate::encoding::Encoding;
use crate::error::ErrorKind;

/// From that size on it is seen first whether there is memory for an error or a notice.
const PROBED: usize = 1 << 15;
/// So often its texts are there at once while PostgreSQL's own report is made of them. Bytes that are no text take three times
/// their room.
const COPIES: usize = 8;

/// An error or a notice.
pub(crate) fn diagnostic(body: &[u8], encoding: Encoding) -> Result<Box<Diagnostic>, ErrorKind> {
    if body.len() > PROBED && !is_room_for(body.len().saturating_mul(COPIES)) {
        return Err(ErrorKind::no_memory_for_message());
    }
    Diagnostic::of_message(body, encoding)
        .map(Box::new)
        .ok_or_else(|| ErrorKind::protocol("server sent a malformed error or notice"))
}
