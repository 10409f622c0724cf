//! A look into SQL text with PostgreSQL's own grammar.

use super::error::Error;
use super::{encoding, guard, raw};
use core::ffi::CStr;
use pgrx::pg_sys::{self, NodeTag};

/// A statement of a text, as this server reads it.
pub(crate) struct Statement {
    pub(crate) text: String,
    /// Whether it begins, ends or otherwise controls a transaction.
    pub(crate) controls_transaction: bool,
    /// Whether it copies from or to the client.
    pub(crate) copies_with_client: bool,
}

/// The statements of a text, one by one. What is not SQL here is an error.
pub(crate) fn split(sql: &str) -> Result<Vec<Statement>, Error> {
    let text = encoding::cstring(sql)?;
    // SAFETY: a C string; the result is NIL or a list of RawStmt, each with a statement node.
    unsafe {
        let list =
            guard::catch(|| raw::raw_parser(text, pg_sys::RawParseMode::RAW_PARSE_DEFAULT as i32))?;
        if list.is_null() {
            return Ok(Vec::new());
        }
        let text = CStr::from_ptr(text).to_bytes();
        let count = usize::try_from((*list).length).unwrap_or(0);
        (0..count)
            .map(|i| {
                let statement: *mut pg_sys::RawStmt = (*(*list).elements.add(i)).ptr_value.cast();
                let (location, length) = ((*statement).stmt_location, (*statement).stmt_len);
                // Unknown is the beginning, and no length is all that is left.
                let rest = text.get(usize::try_from(location).unwrap_or(0)..);
                let rest = rest.unwrap_or_default();
                let own = match usize::try_from(length) {
                    Ok(length) if length > 0 => rest.get(..length).unwrap_or(rest),
                    _ => rest,
                };
                let node = (*statement).stmt;
                Ok(Statement {
                    text: encoding::to_string(own)?,
                    controls_transaction: (*node).type_ == NodeTag::T_TransactionStmt,
                    copies_with_client: (*node).type_ == NodeTag::T_CopyStmt
                        && (*node.cast::<pg_sys::CopyStmt>()).filename.is_null(),
                })
            })
            .collect()
    }
}
