//! What a connection runs after a call, before it rests, so that the next call finds the session as if it were new.

use std::rc::Rc;

use crate::sql_text::SqlText;

/// The cluster's own words for that.
#[derive(Debug)]
pub struct Reset {
    sql: SqlText,
    discards: bool,
    restores: bool,
    told: bool,
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
            told: true,
        })
    }

    /// PostgreSQL's own words for it.
    pub fn all() -> Rc<Reset> {
        Rc::new(Reset {
            sql: "discard all".into(),
            discards: true,
            restores: true,
            told: false,
        })
    }

    pub(crate) fn sql(&self) -> &SqlText {
        &self.sql
    }

    /// Whether to tell of its failure: the one who wrote it would otherwise see no more than slow calls.
    pub(crate) fn reports_failure(&self) -> bool {
        self.told
    }

    /// Whether prepared statements do not outlive it, so that preparing does not pay. It is no more than a guess: what is
    /// gone without our knowing is refused by its name, and then sent unnamed.
    pub(crate) fn discards(&self) -> bool {
        self.discards
    }

    /// Whether all settings are the session's own again for certain.
    pub(crate) fn restores(&self) -> bool {
        self.restores
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_plain_is_trusted_with_settings() {
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
    fn what_ends_prepared_statements_is_known() {
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
