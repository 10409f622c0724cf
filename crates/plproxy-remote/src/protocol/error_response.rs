//! Reading an ErrorResponse or a NoticeResponse.

use plproxy_core::room::can_allocate;

use crate::diagnostic::Diagnostic;
use crate::encoding::Encoding;
use crate::error::ErrorKind;

/// From this size on it is checked first whether an error or a notice can be allocated.
const PROBED: usize = 1 << 15;
/// How many copies of its texts there are while PostgreSQL's own report is made of them; decoding may take three bytes for one.
const COPIES: usize = 8;

/// Reads the body of an error or a notice.
pub(crate) fn diagnostic(body: &[u8], encoding: Encoding) -> Result<Box<Diagnostic>, ErrorKind> {
    if body.len() > PROBED && !can_allocate(body.len().saturating_mul(COPIES)) {
        return Err(ErrorKind::no_memory_for_message());
    }
    Diagnostic::of_message(body, encoding)
        .map(Box::new)
        .ok_or_else(|| ErrorKind::protocol("server sent a malformed error or notice"))
}
