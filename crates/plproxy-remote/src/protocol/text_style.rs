//! How a server writes values as text, and what results require of that.

/// The server's settings for the text form of values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextStyle {
    /// Its `DateStyle`.
    pub dates: String,
    /// Its `IntervalStyle`.
    pub intervals: String,
}

impl TextStyle {
    /// Takes the body of a ParameterStatus: name and value, each with a zero byte at its end. Whether it is one of these
    /// settings.
    pub(crate) fn learn(&mut self, report: &[u8]) -> bool {
        let mut parts = report.split(|byte| *byte == 0);
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            return false;
        };
        let slot = match name {
            b"DateStyle" => &mut self.dates,
            b"IntervalStyle" => &mut self.intervals,
            _ => return false,
        };
        *slot = String::from_utf8_lossy(value).into_owned();
        true
    }

    /// Whether text of one style is read alike in the other.
    pub(crate) fn is_like(&self, other: &TextStyle) -> bool {
        let iso = self.has_iso_dates() && other.has_iso_dates();
        let plain = self.has_plain_intervals() && other.has_plain_intervals();
        (iso || self.dates == other.dates) && (plain || self.intervals == other.intervals)
    }

    /// Whether a reader must know the settings to read the text.
    pub(crate) fn is_nonstandard(&self) -> bool {
        !self.has_iso_dates() || !self.has_plain_intervals()
    }

    /// Whether intervals are read alike under every setting.
    pub(crate) fn has_plain_intervals(&self) -> bool {
        self.intervals != "sql_standard"
    }

    /// Whether dates are written as in ISO 8601, time zones as offsets.
    pub(crate) fn has_iso_dates(&self) -> bool {
        self.dates.is_empty() || self.dates.starts_with("ISO")
    }
}

/// What results as text require of the server's settings to be exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextRequirements {
    /// All digits of floating-point numbers.
    pub digits: bool,
    /// Dates as in ISO 8601 and time zones as offsets, from the first row to the last.
    pub zones: bool,
}

impl TextRequirements {
    /// Whatever the results are.
    pub(crate) const ALL: TextRequirements = TextRequirements {
        digits: true,
        zones: true,
    };
}
