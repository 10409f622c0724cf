//! What a connection runs after a call, before it rests, so that the next call finds the session as if it were new.

use std::rc::Rc;

/// The cluster's own words for that.
#[derive(Debug)]
pub struct Reset {
    sql: String,
    discards: bool,
    told: bool,
}

impl Reset {
    /// One statement, or several with semicolons between them.
    pub fn new(sql: &str) -> Rc<Reset> {
        let words = sql.to_ascii_lowercase();
        Rc::new(Reset {
            sql: sql.to_owned(),
            discards: ["discard", "deallocate"]
                .iter()
                .any(|word| words.contains(word)),
            told: true,
        })
    }

    /// PostgreSQL's own words for it.
    pub fn all() -> Rc<Reset> {
        Rc::new(Reset {
            sql: "discard all".to_owned(),
            discards: true,
            told: false,
        })
    }

    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }

    /// Whether to tell of its failure: the one who wrote it would otherwise see no more than slow calls.
    pub(crate) fn is_told(&self) -> bool {
        self.told
    }

    /// Whether prepared statements do not outlive it, so that preparing does not pay. It is no more than a guess: what is
    /// gone without our knowing is refused by its name, and then sent unnamed.
    pub(crate) fn discards(&self) -> bool {
        self.discards
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
