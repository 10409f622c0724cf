//! What a refusal says of the form in which a statement was sent.

use crate::diagnostic::Diagnostic;

/// `duplicate_prepared_statement`: the name is another's.
pub(super) const TAKEN: &[u8; 5] = b"42P05";

/// Whether there is no such procedure; there may be a function of that name.
pub(super) fn is_missing(diagnostic: &Diagnostic) -> bool {
    matches!(&diagnostic.code, b"42809" | b"42883")
}

/// Whether a prepared statement that was refused before it ran may have been refused because it is out of date: it does not
/// exist any more, its result would have other columns now, or a type, a table or a function in it was created anew. Any other
/// error, such as one that a domain's check on a parameter raises, is reported: that check must not run twice.
pub(super) fn is_stale(diagnostic: &Diagnostic) -> bool {
    match &diagnostic.code {
        // invalid_sql_statement_name; undefined table, column, object, function, schema; datatype_mismatch, cannot_coerce.
        b"26000" | b"42P01" | b"42703" | b"42704" | b"42883" | b"3F000" | b"42804" | b"42846" => {
            true
        }
        // A parameter whose type was replaced. No user code runs in this function.
        b"22P02" => diagnostic.routine.as_deref() == Some("enum_in"),
        b"0A000" => {
            diagnostic.routine.as_deref() == Some("RevalidateCachedQuery")
                || diagnostic.message == "cached plan must not change result type"
        }
        b"XX000" => diagnostic.message.starts_with("cache lookup failed"),
        _ => false,
    }
}
