//! A look into SQL text with PostgreSQL's own grammar.

use super::{encoding, guard, raw};
use crate::error::Error;
use pgrx::pg_sys::{self, NodeTag};

/// Whether one of the statements begins, ends or otherwise controls a transaction. Text that is not SQL here is an error.
pub(crate) fn control_transactions(sql: &str) -> Result<bool, Error> {
    // SAFETY: any statement begins with its tag.
    any(sql, |statement| unsafe {
        (*statement).type_ == NodeTag::T_TransactionStmt
    })
}

/// Whether one of the statements copies from or to the client. Text that is not SQL here is an error.
pub(crate) fn copy_with_the_client(sql: &str) -> Result<bool, Error> {
    // SAFETY: the cast follows a look at the tag.
    any(sql, |statement| unsafe {
        (*statement).type_ == NodeTag::T_CopyStmt
            && (*statement.cast::<pg_sys::CopyStmt>()).filename.is_null()
    })
}

/// Whether one of the statements passes a test, which gets a live statement node.
fn any(sql: &str, test: impl Fn(*mut pg_sys::Node) -> bool) -> Result<bool, Error> {
    let text = encoding::cstring(sql)?;
    // SAFETY: a C string; the result is NIL or a list of RawStmt, each with a statement node.
    unsafe {
        let list =
            guard::catch(|| raw::raw_parser(text, pg_sys::RawParseMode::RAW_PARSE_DEFAULT as i32))?;
        if list.is_null() {
            return Ok(false);
        }
        let count = usize::try_from((*list).length).unwrap_or(0);
        Ok((0..count).any(|i| {
            let statement: *mut pg_sys::RawStmt = (*(*list).elements.add(i)).ptr_value.cast();
            test((*statement).stmt)
        }))
    }
}
