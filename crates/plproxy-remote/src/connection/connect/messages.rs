//! The messages of attempts to connect that have failed.

/// How many bytes of messages are kept, about.
const MOST: usize = 64 * 1024;

/// The messages; where they are too many, the first ones and the last.
#[derive(Default)]
pub(super) struct FailureMessages {
    messages: Vec<String>,
    size: usize,
}

impl FailureMessages {
    pub(super) fn push(&mut self, text: String) {
        if self.size > MOST {
            self.size -= self.messages.pop().map_or(0, |text| text.len());
        }
        self.size += text.len();
        self.messages.push(text);
    }

    pub(super) fn join(&self) -> String {
        self.messages.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_messages_and_the_last_are_kept() {
        let mut messages = FailureMessages::default();
        for text in ["a", "b"] {
            messages.push(text.to_owned());
        }
        assert_eq!(messages.join(), "a\nb");
        for number in 0..10_000 {
            messages.push(format!("{number:0100}"));
        }
        let told = messages.join();
        assert!(
            told.starts_with("a\nb\n") && told.ends_with("0009999"),
            "{told}"
        );
        assert!(told.len() < MOST + 1000, "{}", told.len());
    }
}
