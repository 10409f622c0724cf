//! Text of a database as a Rust string, whatever its encoding, and back without a loss.
//!
//! Names, function bodies and messages are taken apart by ASCII characters only, and no encoding of a database uses ASCII bytes
//! within other characters. So in a database that is not in UTF-8 a byte above ASCII is kept as one character of its own, out
//! of the last 128 of Unicode's private use, instead of being converted: not every code has a counterpart in Unicode, and
//! several may have the same. Characters of other origin (what is said of a connection string, text of a server that speaks UTF-8)
//! may stand beside them.

/// The character of byte 0 were it kept so.
const BASE: u32 = 0x10_ff00;

/// Text of a database that is not in UTF-8.
pub fn from_bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.to_owned(),
        _ => bytes.iter().map(|byte| from_byte(*byte)).collect(),
    }
}

/// The bytes of such a text. Characters of other origin are given to `convert`, as a string of them.
pub fn to_bytes<E>(
    text: &str,
    mut convert: impl FnMut(&str, &mut Vec<u8>) -> Result<(), E>,
) -> Result<Vec<u8>, E> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_other = |char: char| to_byte(char).is_none();
        let length = if is_other(first) {
            rest.find(|char| !is_other(char)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (piece, after) = rest.split_at(length);
        match to_byte(first) {
            Some(byte) => bytes.push(byte),
            None => convert(piece, &mut bytes)?,
        }
        rest = after;
    }
    Ok(bytes)
}

fn from_byte(byte: u8) -> char {
    if byte.is_ascii() {
        return char::from(byte);
    }
    char::from_u32(BASE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte that a character stands for: itself, or one that was kept.
fn to_byte(char: char) -> Option<u8> {
    match u32::from(char).checked_sub(BASE) {
        Some(byte @ 0x80..=0xff) => u8::try_from(byte).ok(),
        _ => u8::try_from(char).ok().filter(u8::is_ascii),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(text: &str) -> Vec<u8> {
        let convert = |text: &str, bytes: &mut Vec<u8>| {
            bytes.extend(format!("<{text}>").into_bytes());
            Ok::<(), ()>(())
        };
        to_bytes(text, convert).unwrap()
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        let text = from_bytes(&all);
        assert_eq!(text.chars().count(), 256);
        assert!(text.starts_with("\0\x01"));
        assert_eq!(back(&text), all);
        // Also where the bytes might be taken for UTF-8.
        assert_eq!(back(&from_bytes("ä".as_bytes())), "ä".as_bytes());
        assert_eq!(from_bytes(b"abc"), "abc");
        assert_eq!(back(""), b"");
    }

    #[test]
    fn characters_of_other_origin_are_converted_in_one_piece() {
        let mixed = format!("a{}äöü{}b", from_bytes(b"\xe4"), from_bytes(b"\xfc"));
        let wanted = [&b"a\xe4"[..], "<äöü>".as_bytes(), b"\xfcb"].concat();
        assert_eq!(back(&mixed), wanted);
    }

    #[test]
    fn what_stands_for_bytes_is_no_letter_or_blank() {
        for char in from_bytes(&(128..=255).collect::<Vec<u8>>()).chars() {
            assert!(!char.is_alphanumeric() && !char.is_whitespace() && !char.is_control());
        }
    }
}
