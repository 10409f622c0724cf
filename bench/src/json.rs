//! JSON, as far as the results need it: written only.

use std::fmt;

/// A value.
pub enum Json {
    Null,
    Text(String),
    Number(f64),
    Bool(bool),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub fn numbers(values: impl IntoIterator<Item = f64>) -> Self {
        Self::List(values.into_iter().map(Self::Number).collect())
    }

    /// Objects and lists of objects span lines; lists of plain values do not.
    fn write(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Text(text) => write_text(f, text),
            // What is no number has no place in JSON.
            Self::Number(number) if !number.is_finite() => f.write_str("null"),
            Self::Number(number) => write!(f, "{}", significant(*number)),
            Self::Bool(value) => write!(f, "{value}"),
            Self::List(items) => {
                let plain = !items
                    .iter()
                    .any(|item| matches!(item, Self::List(_) | Self::Object(_)));
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "," })?;
                    match (plain, index) {
                        (true, 0) => {}
                        (true, _) => f.write_str(" ")?,
                        (false, _) => new_line(f, indent + 2)?,
                    }
                    item.write(f, indent + 2)?;
                }
                if !plain {
                    new_line(f, indent)?;
                }
                f.write_str("]")
            }
            Self::Object(fields) => {
                f.write_str("{")?;
                for (index, (name, value)) in fields.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "," })?;
                    new_line(f, indent + 2)?;
                    write_text(f, name)?;
                    f.write_str(": ")?;
                    value.write(f, indent + 2)?;
                }
                new_line(f, indent)?;
                f.write_str("}")
            }
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

/// Six significant digits: more than is measured.
pub fn significant(number: f64) -> f64 {
    format!("{number:.5e}").parse().unwrap_or(number)
}

fn new_line(f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
    write!(f, "\n{:indent$}", "")
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_parsers_read() {
        let json = Json::Object(vec![
            ("a", Json::text("x\"\\\n")),
            ("b", Json::numbers([1.0, 2.5, f64::NAN])),
            (
                "c",
                Json::List(vec![Json::Object(vec![("d", Json::Bool(true))])]),
            ),
            ("e", Json::Number(123_456.789)),
            ("f", Json::List(vec![])),
        ]);
        let expected = "{\n  \"a\": \"x\\\"\\\\\\u000a\",\n  \"b\": [1, 2.5, null],\n  \"c\": [\n    {\n      \
                        \"d\": true\n    }\n  ],\n  \"e\": 123457,\n  \"f\": []\n}";
        assert_eq!(json.to_string(), expected);
    }
}
