//! As much of JSON as a request for embeddings needs: the strings of its array `input`.

use std::iter::Peekable;
use std::str::Chars;

/// The texts of `{"input": ["…", …], …}`; nothing where there is no such array of strings.
pub fn input_texts(body: &str) -> Option<Vec<String>> {
    // A key called input within a text has its quotes escaped, so this finds none but the real one.
    let (_, rest) = body.split_once("\"input\"")?;
    let mut chars = rest.chars().peekable();
    expect(&mut chars, ':')?;
    expect(&mut chars, '[')?;
    let mut texts = Vec::new();
    skip_blanks(&mut chars);
    if chars.next_if_eq(&']').is_some() {
        return Some(texts);
    }
    loop {
        expect(&mut chars, '"')?;
        texts.push(quoted(&mut chars)?);
        skip_blanks(&mut chars);
        match chars.next()? {
            ',' => {}
            ']' => return Some(texts),
            _ => return None,
        }
    }
}

fn skip_blanks(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
}

fn expect(chars: &mut Peekable<Chars<'_>>, wanted: char) -> Option<char> {
    skip_blanks(chars);
    chars.next_if_eq(&wanted)
}

/// What is between the quotes, of which the first has been read.
fn quoted(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => text.push(match chars.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => unicode(chars)?,
                plain @ ('"' | '\\' | '/') => plain,
                _ => return None,
            }),
            plain => text.push(plain),
        }
    }
}

/// `\uXXXX`, or the two of a surrogate pair.
fn unicode(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    let high = unit(chars)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high);
    }
    chars.next_if_eq(&'\\')?;
    chars.next_if_eq(&'u')?;
    let low = unit(chars)?
        .checked_sub(0xdc00)
        .filter(|low| *low < 0x400)?;
    char::from_u32(0x10000 + ((high - 0xd800) << 10) + low)
}

fn unit(chars: &mut Peekable<Chars<'_>>) -> Option<u32> {
    let digits: String = chars.by_ref().take(4).collect();
    u32::from_str_radix(&digits, 16).ok()
}

/// A text as JSON.
pub fn string(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::{input_texts, string};

    #[test]
    fn texts_are_read_as_they_were_written() {
        for (body, wanted) in [
            (r#"{"input": ["a", "b"]}"#, Some(vec!["a", "b"])),
            (r#"{"model":"m","input":[]}"#, Some(vec![])),
            (r#"{"input":["\u00e9\n\"\\\/"]}"#, Some(vec!["é\n\"\\/"])),
            (r#"{"input":["\ud83d\ude00 ü"]}"#, Some(vec!["😀 ü"])),
            (r#"{"input":["\ud83d"]}"#, None),
            (r#"{"input":[1]}"#, None),
            (r#"{"input":["a""#, None),
            (r#"{"other":["a"]}"#, None),
        ] {
            let wanted = wanted.map(|texts| texts.iter().map(ToString::to_string).collect());
            assert_eq!(input_texts(body), wanted, "{body}");
        }
    }

    #[test]
    fn quotes_are_escaped() {
        assert_eq!(string("a\"\\\n"), r#""a\"\\\u000a""#);
    }
}
