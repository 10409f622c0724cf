//! Numbers as options have them.

use std::time::Duration;

use super::error::OptionError;

/// The number of `p<number>` or `partition_<number>`: a sign and blanks before it are allowed, and no number at all
/// is 0. A number beyond reason is the greatest.
pub(super) fn partition_number(key: &str) -> Option<i64> {
    let text = key
        .strip_prefix("partition_")
        .or_else(|| key.strip_prefix('p'))?;
    if text.is_empty() {
        return Some(0);
    }
    let (number, rest) = integer(text)?;
    rest.is_empty().then_some(number)
}

/// The number that a text begins with, 0 if it begins with none: what the C library makes of it.
pub(super) fn leading_integer(text: &str) -> i64 {
    integer(text).map_or(0, |(number, _)| number)
}

/// The integer at the start of a text, behind white space, saturated, and the rest of the text.
fn integer(text: &str) -> Option<(i64, &str)> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let negative = text.starts_with('-');
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(length)?;
    if digits.is_empty() {
        return None;
    }
    let number = digits.parse().unwrap_or(i64::MAX);
    Some((if negative { -number } else { number }, rest))
}

/// A time in seconds; 0 and less mean none. Bounded by what any clock can add, some 68 years.
pub(super) fn seconds(number: i64) -> Option<Duration> {
    let seconds = u64::try_from(number).ok()?.min(i32::MAX as u64);
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// A time in milliseconds, of digits only. Bounded by what PostgreSQL takes.
pub(super) fn milliseconds(digits: &str) -> Option<Duration> {
    let number = digits.parse::<u64>().unwrap_or(u64::MAX);
    (!digits.is_empty()).then(|| Duration::from_millis(number.min(i32::MAX as u64)))
}

/// So many are more than any server takes.
const MOST_SHARED_CONNECTIONS: u32 = 10_000;

/// How many connections are shared; nothing is none.
pub(super) fn shared_connections(value: &str) -> Result<u32, OptionError> {
    let is_number = value.bytes().all(|b| b.is_ascii_digit());
    let number = match value {
        "" => Some(0),
        _ if !is_number => None,
        _ => value
            .parse()
            .ok()
            .filter(|number| *number <= MOST_SHARED_CONNECTIONS),
    };
    number.ok_or_else(|| {
        OptionError::plain(format!(
            "shared_connections: Expect a number from 0 to {MOST_SHARED_CONNECTIONS}, got '{value}'"
        ))
    })
}
