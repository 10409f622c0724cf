//! Which settings are changed when, and changed back.

use super::*;

const NEEDED: TextRequirements = TextRequirements {
    digits: true,
    zones: true,
};

fn style(dates: &str) -> TextStyle {
    TextStyle {
        dates: dates.into(),
        intervals: "postgres".into(),
    }
}

/// The values that a change of these settings would set.
fn values(settings: &SessionSettings, needs: TextRequirements, dates: &str) -> Vec<String> {
    let change = settings.change(needs, &style(dates), 7, BackendIdentity::Unknown);
    let sql = change.map(|change| change.sql).unwrap_or_default();
    let mut values = Vec::new();
    for part in sql.split("set_config('").skip(1) {
        values.push(part.split('\'').nth(2).unwrap().to_owned());
    }
    values
}

fn apply(
    settings: &mut SessionSettings,
    needs: TextRequirements,
    dates: &str,
    before: i32,
    done: [bool; 3],
) {
    let change = settings
        .change(needs, &style(dates), 7, BackendIdentity::Unknown)
        .unwrap();
    settings.changed(&change, before, done);
}

#[test]
fn right_settings_are_queried_and_pinned_once() {
    let mut settings = SessionSettings::default();
    assert!(values(&settings, TextRequirements::default(), "ISO, MDY").is_empty());
    assert_eq!(
        values(&settings, NEEDED, "ISO, MDY"),
        ["1", "ISO, MDY", "postgres"]
    );
    apply(&mut settings, NEEDED, "ISO, MDY", 1, [false, true, true]);
    assert!(values(&settings, NEEDED, "ISO, MDY").is_empty());
    assert!(values(&settings, TextRequirements::default(), "ISO, MDY").is_empty());
    assert!(values(&settings, NEEDED, "ISO, MDY").is_empty());
    settings.reset(true);
    assert_eq!(
        values(&settings, NEEDED, "ISO, MDY"),
        ["1", "ISO, MDY", "postgres"]
    );
}

#[test]
fn other_settings_are_changed_and_changed_back() {
    let mut settings = SessionSettings::default();
    assert_eq!(
        values(&settings, NEEDED, "German, DMY"),
        ["1", "ISO", "postgres"]
    );
    apply(&mut settings, NEEDED, "German, DMY", -15, [true; 3]);
    assert!(values(&settings, NEEDED, "ISO, DMY").is_empty());
    let none = TextRequirements::default();
    assert_eq!(values(&settings, none, "ISO, DMY"), ["-15", "German, DMY"]);
    apply(&mut settings, none, "ISO, DMY", 1, [true, true, false]);
    assert!(values(&settings, none, "German, DMY").is_empty());
    assert_eq!(
        values(&settings, NEEDED, "German, DMY"),
        ["1", "ISO", "postgres"]
    );
}

#[test]
fn the_interval_style_is_changed_and_changed_back() {
    let mut settings = SessionSettings::default();
    let style = |intervals: &str| TextStyle {
        dates: "ISO, MDY".into(),
        intervals: intervals.into(),
    };
    let sql = |settings: &SessionSettings, needs, intervals| {
        let change = settings.change(needs, &style(intervals), 7, BackendIdentity::Unknown);
        change.map(|change| change.sql).unwrap_or_default()
    };
    let change = settings.change(NEEDED, &style("sql_standard"), 7, BackendIdentity::Unknown);
    settings.changed(&change.unwrap(), 1, [false, true, true]);
    assert_eq!(sql(&settings, NEEDED, "postgres"), "");
    let back = sql(&settings, TextRequirements::default(), "postgres");
    assert!(back.contains("'intervalstyle', 'sql_standard'"), "{back}");
}

#[test]
fn the_date_style_is_changed_again_after_a_reset() {
    let mut settings = SessionSettings::default();
    apply(&mut settings, NEEDED, "SQL, DMY", 1, [false, true, true]);
    assert_eq!(values(&settings, NEEDED, "SQL, DMY"), ["ISO"]);
    assert!(values(&settings, TextRequirements::default(), "SQL, DMY").is_empty());
}

#[test]
fn float_digits_are_changed_again_after_a_partial_reset() {
    const DIGITS: TextRequirements = TextRequirements {
        digits: true,
        zones: false,
    };
    let none = TextRequirements::default();
    let mut settings = SessionSettings::default();
    apply(&mut settings, DIGITS, "ISO, MDY", 0, [true, false, false]);
    settings.reset(false);
    // It is changed in either case, however often.
    settings.reset(false);
    assert_eq!(values(&settings, none, "ISO, MDY"), ["0"]);
    assert_eq!(values(&settings, DIGITS, "ISO, MDY"), ["1"]);
    let mut other = SessionSettings {
        digits: settings.digits,
        ..SessionSettings::default()
    };
    apply(&mut other, none, "ISO, MDY", 3, [false; 3]);
    assert!(values(&other, none, "ISO, MDY").is_empty());
    apply(&mut settings, DIGITS, "ISO, MDY", 1, [false; 3]);
    assert!(values(&settings, DIGITS, "ISO, MDY").is_empty());
    apply(&mut settings, none, "ISO, MDY", 1, [true, false, false]);
    assert!(values(&settings, none, "ISO, MDY").is_empty());
    apply(&mut settings, DIGITS, "ISO, MDY", 0, [true, false, false]);
    settings.reset(true);
    assert!(values(&settings, none, "ISO, MDY").is_empty());
    assert_eq!(values(&settings, DIGITS, "ISO, MDY"), ["1"]);
}

#[test]
fn nothing_is_changed_through_a_pooler() {
    let settings = SessionSettings::default();
    let change = settings.change(NEEDED, &style("SQL, DMY"), 7, BackendIdentity::Mismatched);
    assert!(change.is_none());
}

#[test]
fn a_reported_setting_is_not_used_as_sql() {
    assert!(values(&SessionSettings::default(), NEEDED, "SQL', 'x").is_empty());
}
