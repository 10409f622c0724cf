//! What is told of attempts to connect that failed.

/// With so many bytes there are enough of them.
const MOST: usize = 64 * 1024;

/// Where there are too many to tell all: the first ones and the last.
#[derive(Default)]
pub(super) struct Texts {
    texts: Vec<String>,
    size: usize,
}

impl Texts {
    pub(super) fn push(&mut self, text: String) {
        if self.size > MOST {
            self.size -= self.texts.pop().map_or(0, |text| text.len());
        }
        self.size += text.len();
        self.texts.push(text);
    }

    pub(super) fn join(&self) -> String {
        self.texts.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ones_and_the_last_are_told() {
        let mut texts = Texts::default();
        for text in ["a", "b"] {
            texts.push(text.to_owned());
        }
        assert_eq!(texts.join(), "a\nb");
        for number in 0..10_000 {
            texts.push(format!("{number:0100}"));
        }
        let told = texts.join();
        assert!(
            told.starts_with("a\nb\n") && told.ends_with("0009999"),
            "{told}"
        );
        assert!(told.len() < MOST + 1000, "{}", told.len());
    }
}
