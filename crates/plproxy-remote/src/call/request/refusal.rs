//! What a refusal says of the form in which a statement was sent.

use crate::diagnostic::Diagnostic;

/// `duplicate_prepared_statement`: the name is another's.
pub(super) const TAKEN: &[u8; 5] = b"42P05";

/// Whether there is no such procedure, be it that there is a function of that name.
pub(super) fn is_missing(diagnostic: &Diagnostic) -> bool {
    matches!(&diagnostic.code, b"42809" | b"42883")
}

/// Whether a prepared statement, refused before it ran, may have been refused for what it is: it is gone, its result would
/// have other columns now, or a type, a table or a function that it names was made anew. Anything else, such as what a
/// domain's check on a parameter raises, is reported: that check must not run twice.
pub(super) fn is_stale(diagnostic: &Diagnostic) -> bool {
    match &diagnostic.code {
        // invalid_sql_statement_name; undefined table, column, object, function, schema; datatype_mismatch, cannot_coerce.
        b"26000" | b"42P01" | b"42703" | b"42704" | b"42883" | b"3F000" | b"42804" | b"42846" => {
            true
        }
        // A parameter of a type that another one has taken the place of. No code of a user's runs there.
        b"22P02" => diagnostic.routine.as_deref() == Some("enum_in"),
        b"0A000" => {
            diagnostic.routine.as_deref() == Some("RevalidateCachedQuery")
                || diagnostic.message == "cached plan must not change result type"
        }
        b"XX000" => diagnostic.message.starts_with("cache lookup failed"),
        _ => false,
    }
}
