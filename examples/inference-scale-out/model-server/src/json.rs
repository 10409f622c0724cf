//! A request for embeddings: the strings of its array `input`.

use serde_json::Value;

/// The texts of `{"input": ["…", …], …}`; nothing where there is no such array of strings.
pub fn input_texts(body: &str) -> Option<Vec<String>> {
    let request: Value = serde_json::from_str(body).ok()?;
    let texts = request.get("input")?.as_array()?;
    (texts.iter())
        .map(|text| Some(text.as_str()?.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::input_texts;

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
}
