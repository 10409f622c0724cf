//! What a refusal says of the form in which a statement was sent.

use crate::connection::Connection;
use crate::connection::exchange::Exchanged;
use crate::connection::statement_plan::Plan;
use crate::diagnostic::Diagnostic;
use crate::error::ErrorKind;
use crate::protocol::statement::Statement;

/// `duplicate_prepared_statement`: the name is another's.
const TAKEN: &[u8; 5] = b"42P05";

/// The form in which a statement was sent.
pub(super) struct Form {
    reused: bool,
    prepares: bool,
}

impl Form {
    pub(super) fn of(plan: &Plan) -> Form {
        Form {
            reused: matches!(plan, Plan::Prepared(_)),
            prepares: matches!(plan, Plan::Prepare(_)),
        }
    }

    /// Whether it was refused before the statement ran, so that nothing is executed twice. A statement that is only being
    /// prepared may be refused so, too: a pooler may have parsed it long ago, for another session.
    pub(super) fn was_refused(&self, statement: &Statement, exchanged: &Exchanged) -> bool {
        let Err(ErrorKind::Db(diagnostic)) = &exchanged.result else {
            return false;
        };
        !exchanged.bound
            && ((self.reused || self.prepares && exchanged.parsed) && is_stale(diagnostic)
                || self.prepares && diagnostic.code == *TAKEN
                // protocol_violation: another number of columns than before.
                || statement.is_typed() && diagnostic.code == *b"08P01")
    }

    /// Has the connection use it no more.
    pub(super) fn forget(&self, statement: &Statement, connection: &mut Connection) {
        if self.reused {
            connection.statements.forget(statement);
        } else if self.prepares {
            connection.statements.give_up(statement);
        }
        connection.described.remove(&statement.id());
    }
}

/// Whether there is no such procedure; there may be a function of that name.
pub(super) fn is_missing(diagnostic: &Diagnostic) -> bool {
    matches!(&diagnostic.code, b"42809" | b"42883")
}

/// Whether a prepared statement that was refused before it ran may have been refused because it is out of date: it does not
/// exist any more, its result would have other columns now, or a type, a table or a function in it was created anew. Any other
/// error, such as one that a domain's check on a parameter raises, is reported: that check must not run twice.
fn is_stale(diagnostic: &Diagnostic) -> bool {
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
