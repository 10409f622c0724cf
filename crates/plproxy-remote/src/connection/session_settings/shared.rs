//! What is known of a session's settings, for other processes that use it.

use super::{Digits, SessionSettings};
use crate::shared::bytes::{Reader, Writer};

impl SessionSettings {
    pub(crate) fn write(&self, out: &mut Writer) {
        let (kind, own, raised) = match self.digits {
            Digits::Unknown => (0, 0, None),
            Digits::Enough => (1, 0, None),
            Digits::Few { own, raised } => (2, own, raised),
        };
        out.number(kind);
        out.number(own.cast_unsigned());
        out.number(raised.map_or(2, u32::from));
        out.maybe(self.own_dates.as_deref());
        out.maybe(self.own_intervals.as_deref());
        out.number(u32::from(self.pinned));
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Option<SessionSettings> {
        let (kind, own, raised) = (from.number()?, from.number()?, from.number()?);
        Some(SessionSettings {
            digits: match kind {
                0 => Digits::Unknown,
                1 => Digits::Enough,
                _ => Digits::Few {
                    own: own.cast_signed(),
                    raised: (raised < 2).then_some(raised == 1),
                },
            },
            own_dates: from.maybe()?,
            own_intervals: from.maybe()?,
            pinned: from.flag()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_what_they_were() {
        let text = |text: &str| Some(text.to_owned());
        for digits in [
            Digits::Unknown,
            Digits::Enough,
            Digits::Few {
                own: -15,
                raised: None,
            },
            Digits::Few {
                own: 0,
                raised: Some(true),
            },
            Digits::Few {
                own: 0,
                raised: Some(false),
            },
        ] {
            for (own_dates, own_intervals) in
                [(None, None), (text("German, DMY"), text("sql_standard"))]
            {
                let settings = SessionSettings {
                    digits,
                    own_dates,
                    own_intervals,
                    pinned: true,
                };
                let mut out = Writer::default();
                settings.write(&mut out);
                let bytes = out.bytes();
                assert_eq!(
                    SessionSettings::read(&mut Reader::new(&bytes)),
                    Some(settings)
                );
            }
        }
    }
}
