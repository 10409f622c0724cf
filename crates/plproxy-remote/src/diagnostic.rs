//! An error or a notice of a server, field by field.

use plproxy_core::room::join;

use crate::encoding::Encoding;

/// An error or a notice of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostic {
    /// As the server words it: it may be in the server's language.
    pub severity: String,
    /// Whether the server ends the session with it (FATAL, PANIC).
    pub fatal: bool,
    /// The SQLSTATE, five digits or capital letters whatever the server sent.
    pub code: [u8; 5],
    /// The message.
    pub message: String,
    /// The detail.
    pub detail: Option<String>,
    /// The hint.
    pub hint: Option<String>,
    /// The context.
    pub context: Option<String>,
    /// Where in the statement, in characters from 1.
    pub position: Option<u32>,
    /// Where in the internal query, in characters from 1.
    pub internal_position: Option<u32>,
    /// The internal query.
    pub internal_query: Option<String>,
    /// The schema concerned.
    pub schema: Option<String>,
    /// The table concerned.
    pub table: Option<String>,
    /// The column concerned.
    pub column: Option<String>,
    /// The data type concerned.
    pub datatype: Option<String>,
    /// The constraint concerned.
    pub constraint: Option<String>,
    /// The server's source file.
    pub file: Option<String>,
    /// The line in that file.
    pub line: Option<u32>,
    /// The server's routine.
    pub routine: Option<String>,
}

/// Used in place of a malformed SQLSTATE: `internal_error`.
const NO_CODE: [u8; 5] = *b"XX000";

impl Diagnostic {
    /// The SQLSTATE as text.
    pub fn sqlstate(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or("XX000")
    }

    /// Reads the body of an ErrorResponse or a NoticeResponse in that encoding; it must have an SQLSTATE and a message.
    pub(crate) fn of_message(body: &[u8], encoding: Encoding) -> Option<Diagnostic> {
        let mut diagnostic = Diagnostic::default();
        let (mut sqlstate, mut message, mut plain_severity) = (None, None, None);
        let mut rest = body;
        loop {
            let (tag, field) = rest.split_first()?;
            if *tag == 0 {
                break;
            }
            let end = field.iter().position(|byte| *byte == 0)?;
            let text = encoding.decode(field.get(..end)?);
            rest = field.get(end + 1..)?;
            match tag {
                b'S' => diagnostic.severity = text,
                b'V' => plain_severity = Some(text),
                b'C' => sqlstate = Some(code(&text)),
                b'M' => message = Some(text),
                b'D' => diagnostic.detail = Some(text),
                b'H' => diagnostic.hint = Some(text),
                b'W' => diagnostic.context = Some(text),
                b'P' => diagnostic.position = text.parse().ok(),
                b'p' => diagnostic.internal_position = text.parse().ok(),
                b'q' => diagnostic.internal_query = Some(text),
                b's' => diagnostic.schema = Some(text),
                b't' => diagnostic.table = Some(text),
                b'c' => diagnostic.column = Some(text),
                b'd' => diagnostic.datatype = Some(text),
                b'n' => diagnostic.constraint = Some(text),
                b'F' => diagnostic.file = Some(text),
                b'L' => diagnostic.line = text.parse().ok(),
                b'R' => diagnostic.routine = Some(text),
                // Fields of later protocols are ignored.
                _ => {}
            }
        }
        diagnostic.code = sqlstate?;
        diagnostic.message = message?;
        // The one that is not localized, unless the server is too old for it.
        let severity = plain_severity.as_deref().unwrap_or(&diagnostic.severity);
        diagnostic.fatal = matches!(severity, "FATAL" | "PANIC");
        Some(diagnostic)
    }

    /// About how much memory this takes: notices count against a call's budget.
    pub(crate) fn size(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        size_of::<Diagnostic>()
            + self.message.len()
            + text(&self.detail)
            + text(&self.hint)
            + text(&self.context)
            + text(&self.internal_query)
            + text(&self.schema)
            + text(&self.table)
            + text(&self.column)
            + text(&self.datatype)
            + text(&self.constraint)
            + text(&self.file)
            + text(&self.routine)
            + self.severity.len()
    }

    /// The lines that libpq prints for it.
    pub fn lines(&self) -> String {
        let mut pieces = vec![self.severity.as_str(), ":  ", &self.message];
        for (label, text) in [("\nDETAIL:  ", &self.detail), ("\nHINT:  ", &self.hint)] {
            pieces.extend(text.iter().flat_map(|text| [label, text]));
        }
        join(&pieces)
    }
}

/// The message of an error in the form of the protocol before 3.0, which the postmaster sends when it cannot start a process: text
/// up to a zero byte, or the end.
pub(crate) fn words_of_old(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).trim_end().to_owned()
}

fn code(text: &str) -> [u8; 5] {
    match <[u8; 5]>::try_from(text.as_bytes()) {
        Ok(code)
            if code
                .iter()
                .all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) =>
        {
            code
        }
        _ => NO_CODE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_always_five_letters_or_digits() {
        for (text, expected) in [
            ("22012", "22012"),
            ("P0001", "P0001"),
            ("", "XX000"),
            ("2201", "XX000"),
            ("220123", "XX000"),
            ("22 12", "XX000"),
            ("äöa", "XX000"),
        ] {
            let diagnostic = Diagnostic {
                code: code(text),
                ..Diagnostic::default()
            };
            assert_eq!(diagnostic.sqlstate(), expected, "{text}");
        }
    }
}
