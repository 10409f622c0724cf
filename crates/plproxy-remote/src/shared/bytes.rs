//! Values as bytes, one after the other, for other processes.

use plproxy_core::room::{copy, reserve_exact};

/// Bytes, one value after the other.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn number(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.piece(text.as_bytes());
    }

    pub(crate) fn piece(&mut self, bytes: &[u8]) {
        self.number(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(bytes);
    }

    /// With room for so many bytes.
    pub(crate) fn of(room: usize) -> Option<Writer> {
        let mut bytes = Vec::new();
        reserve_exact(&mut bytes, room).ok()?;
        Some(Writer(bytes))
    }

    pub(crate) fn maybe(&mut self, text: Option<&str>) {
        self.number(u32::from(text.is_some()));
        self.text(text.unwrap_or_default());
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The same, read. What is not there makes all of it none.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    /// How much is not read yet.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        self.number().map(|number| number != 0)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        String::from_utf8(copy(self.piece()?).ok()?).ok()
    }

    pub(crate) fn piece(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (piece, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(piece)
    }

    pub(crate) fn maybe(&mut self) -> Option<Option<String>> {
        let is_there = self.flag()?;
        let text = self.text()?;
        Some(is_there.then_some(text))
    }
}
