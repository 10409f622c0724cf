//! The reset query: run after a call, before the connection becomes idle, so that the next call finds the session as if it were
//! new.

use std::rc::Rc;

use crate::sql_text::SqlText;

/// A reset query.
#[derive(Debug)]
pub struct Reset {
    sql: SqlText,
    discards: bool,
    restores: bool,
    reports_failure: bool,
}

impl Reset {
    /// One statement, or several with semicolons between them.
    pub fn new(sql: impl Into<SqlText>) -> Rc<Reset> {
        let sql = sql.into();
        let words = String::from_utf8_lossy(sql.host()).to_ascii_lowercase();
        Rc::new(Reset {
            sql,
            discards: ["discard", "deallocate"]
                .iter()
                .any(|word| words.contains(word)),
            restores: matches!(
                words.trim_matches(|char: char| char.is_whitespace() || char == ';'),
                "discard all" | "reset all"
            ),
            reports_failure: true,
        })
    }

    /// `discard all`.
    pub fn all() -> Rc<Reset> {
        Rc::new(Reset {
            sql: "discard all".into(),
            discards: true,
            restores: true,
            reports_failure: false,
        })
    }

    pub(crate) fn sql(&self) -> &SqlText {
        &self.sql
    }

    /// Whether to report its failure: the author of the query would otherwise only see slow calls.
    pub(crate) fn reports_failure(&self) -> bool {
        self.reports_failure
    }

    /// Whether it seems to drop prepared statements, so that preparing does not pay. If it drops them unnoticed, the server refuses
    /// their names, and the statements are sent unnamed.
    pub(crate) fn discards(&self) -> bool {
        self.discards
    }

    /// Whether it is certain to restore all settings.
    pub(crate) fn restores(&self) -> bool {
        self.restores
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_queries_are_trusted_to_restore_settings() {
        for (sql, restores) in [
            ("discard all", true),
            ("\n RESET ALL ; ", true),
            ("discard temp", false),
            ("deallocate all", false),
            ("set extra_float_digits = 3; reset all", false),
            ("reset all; set extra_float_digits = 3", false),
        ] {
            assert_eq!(Reset::new(sql).restores(), restores, "{sql}");
        }
    }

    #[test]
    fn queries_that_drop_prepared_statements_are_recognized() {
        for (sql, discards) in [
            ("discard all", true),
            ("DISCARD ALL", true),
            ("Deallocate All; reset all", true),
            ("reset all", false),
            ("select pg_advisory_unlock_all(); unlisten *", false),
        ] {
            assert_eq!(Reset::new(sql).discards(), discards, "{sql}");
        }
    }
}
