//! The session's settings that decide how exact values are as text.
//!
//! With `extra_float_digits` below 1 floating-point numbers lack digits; in a `DateStyle` other than ISO a time zone is an
//! abbreviation, which elsewhere means another zone or none; and `IntervalStyle` sql_standard is ambiguous for other readers.
//! A statement whose results would suffer is preceded, in the same flight, by one that changes the settings, and the next
//! statement that does without by one that changes them back, so that a statement does not see what ran before it. Where the
//! settings are right, as the defaults are, all this is one query per connection: the styles are set to their own values, so
//! that a change of the server's configuration does not change them between two rows. Through a pooler other clients use the
//! session, too: nothing is changed there.

mod shared;

use crate::connection::backend_identity::BackendIdentity;
use crate::protocol::row::Row;
use crate::protocol::text_style::TextRequirements;
use crate::protocol::text_style::TextStyle;

/// What is known of a session.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SessionSettings {
    digits: Digits,
    /// The session's own `DateStyle`, while it is changed.
    own_dates: Option<String>,
    /// The session's own `IntervalStyle`, while it is changed.
    own_intervals: Option<String>,
    /// Both were set in the session, so that a change of the server's configuration does not change them.
    pinned: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Digits {
    #[default]
    Unknown,
    /// Values have all digits, or as many as can be asked for.
    Enough,
    /// The session's own setting leaves too few. `raised`: whether it is changed; not known after a reset of other things.
    Few { own: i32, raised: Option<bool> },
}

/// A statement that changes settings.
#[derive(Debug)]
pub(crate) struct Change {
    sql: String,
    process_id: i32,
    needs: TextRequirements,
    /// The styles before the change.
    style: TextStyle,
}

impl Change {
    /// The number of columns of the result.
    pub(crate) const COLUMNS: usize = 5;

    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }
}

impl SessionSettings {
    /// The session was reset, all of it or not. The server reports `DateStyle`.
    pub(crate) fn reset(&mut self, all: bool) {
        self.pinned = false;
        self.digits = match self.digits {
            Digits::Unknown | Digits::Enough => Digits::Unknown,
            Digits::Few { own, raised } => Digits::Few {
                own,
                raised: if all {
                    Some(false)
                } else {
                    raised.filter(|raised| !raised)
                },
            },
        };
    }

    /// The change to be sent before a statement with these requirements; mostly none.
    pub(crate) fn change(
        &self,
        needs: TextRequirements,
        style: &TextStyle,
        process_id: i32,
        backend: BackendIdentity,
    ) -> Option<Change> {
        if backend == BackendIdentity::Mismatched {
            return None;
        }
        let digits = match (self.digits, needs.digits) {
            (Digits::Enough, _) | (Digits::Unknown, false) => None,
            (Digits::Unknown, true) => Some(1),
            // The setting is right.
            (Digits::Few { raised, .. }, wanted) if raised == Some(wanted) => None,
            (Digits::Few { .. }, true) => Some(1),
            (Digits::Few { own, .. }, false) => Some(own),
        };
        let dates = match (&self.own_dates, needs.zones, style.has_iso_dates()) {
            (_, true, false) => Some("ISO"),
            (_, true, true) if !self.pinned => Some(style.dates.as_str()),
            (Some(own), false, true) => Some(own.as_str()),
            _ => None,
        };
        let intervals = match (
            &self.own_intervals,
            needs.zones,
            style.has_plain_intervals(),
        ) {
            (_, true, false) => Some("postgres"),
            (_, true, true) if !self.pinned => Some(style.intervals.as_str()),
            (Some(own), false, true) => Some(own.as_str()),
            _ => None,
        };
        // A setting that the server does not report is not changed.
        let (dates, intervals) = (
            dates.filter(|value| !value.is_empty()),
            intervals.filter(|value| !value.is_empty()),
        );
        let nothing = digits.is_none() && dates.is_none() && intervals.is_none();
        if nothing || !is_plain(&style.dates) || !is_plain(&style.intervals) {
            return None;
        }
        // Only in the process that the log-in named: through a pooler the session would be anybody's.
        let set = |condition: &str, name: &str, value: &str| {
            format!(
                "case when {condition}pg_catalog.pg_backend_pid() = {process_id} \
                 then pg_catalog.set_config('{name}', '{value}', false) end"
            )
        };
        let digits = digits.map(|value| {
            let condition = match self.digits {
                _ if needs.digits => "d::pg_catalog.int4 < 1 and ",
                // Only if it is the value set here: the reset may have set another one.
                Digits::Few { raised: None, .. } => "d::pg_catalog.int4 = 1 and ",
                _ => "",
            };
            set(condition, "extra_float_digits", &value.to_string())
        });
        let dates = dates.map(|value| set("", "datestyle", value));
        let intervals = intervals.map(|value| set("", "intervalstyle", value));
        let or_null = |change: Option<String>| change.unwrap_or_else(|| "null".into());
        Some(Change {
            sql: format!(
                "select pg_catalog.pg_backend_pid(), d, {}, {}, {} \
                 from pg_catalog.current_setting('extra_float_digits') d",
                or_null(digits),
                or_null(dates),
                or_null(intervals)
            ),
            process_id,
            needs,
            style: style.clone(),
        })
    }

    /// Learns from the result. Gives whether the process is the one that the log-in named, if that is known.
    pub(crate) fn learn(&mut self, change: &Change, answer: Row<'_>) -> Option<BackendIdentity> {
        let value = |column| answer.get(column);
        let number = |column| answer.number(column);
        let done = [2, 3, 4].map(|column| value(column).is_some());
        self.changed(change, number(1)?, done);
        Some(if number(0)? == change.process_id {
            BackendIdentity::Confirmed
        } else {
            BackendIdentity::Mismatched
        })
    }

    fn changed(&mut self, change: &Change, before: i32, [digits, dates, intervals]: [bool; 3]) {
        self.digits = match self.digits {
            _ if digits && change.needs.digits => Digits::Few {
                own: before,
                raised: Some(true),
            },
            // Changed back, or it was right.
            Digits::Few { own, raised } if digits || raised.is_none() => Digits::Few {
                own,
                raised: Some(change.needs.digits),
            },
            Digits::Unknown if change.needs.digits => Digits::Enough,
            other => other,
        };
        let (needed, before) = (change.needs.zones, &change.style);
        let own = |value: &String, plain: bool| (needed && !plain).then(|| value.clone());
        if dates && !(needed && before.has_iso_dates()) {
            self.own_dates = own(&before.dates, before.has_iso_dates());
        }
        if intervals && !(needed && before.has_plain_intervals()) {
            self.own_intervals = own(&before.intervals, before.has_plain_intervals());
        }
        if dates || intervals {
            self.pinned = needed;
        }
    }

    /// The statement was refused: it is not sent again.
    pub(crate) fn refused(&mut self) {
        if self.digits == Digits::Unknown {
            self.digits = Digits::Enough;
        }
    }
}

/// Whether a server's setting can be put between quotes.
fn is_plain(dates: &str) -> bool {
    dates
        .chars()
        .all(|char| char.is_ascii_alphanumeric() || matches!(char, ',' | ' ' | '_'))
}

#[cfg(test)]
mod tests;
