//! What users of a shared connection change of its session, as bytes that other processes read.

use crate::connection::backend_identity::BackendIdentity;
use crate::connection::session_settings::SessionSettings;
use crate::protocol::text_style::TextStyle;
use crate::shared::bytes::{Reader, Writer};

/// What users of a session change.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SharedFacts {
    pub(crate) style: TextStyle,
    pub(crate) settings: SessionSettings,
    pub(crate) backend: BackendIdentity,
}

impl SharedFacts {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.text(&self.style.dates);
        out.text(&self.style.intervals);
        out.number(match self.backend {
            BackendIdentity::Unknown => 0,
            BackendIdentity::Confirmed => 1,
            BackendIdentity::Mismatched => 2,
        });
        self.settings.write(&mut out);
        out.bytes()
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<SharedFacts> {
        let mut from = Reader::new(bytes);
        let style = TextStyle {
            dates: from.text()?,
            intervals: from.text()?,
        };
        let backend = match from.number()? {
            0 => BackendIdentity::Unknown,
            1 => BackendIdentity::Confirmed,
            _ => BackendIdentity::Mismatched,
        };
        Some(SharedFacts {
            style,
            backend,
            settings: SessionSettings::read(&mut from)?,
        })
    }
}
