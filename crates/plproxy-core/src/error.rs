//! What is wrong with a function's body, and how PL/Proxy says it.
//!
//! Pure data: whoever knows the function's name renders the message and raises it.

use std::fmt;

/// A mistake found while a body is parsed or compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileError {
    /// The line at which the parser noticed, counted from 1. A few mistakes are not told with a line.
    pub line: Option<u32>,
    /// The mistake itself, without any prefix.
    pub message: String,
    /// More about it, as whole sentences.
    pub detail: Option<String>,
}

impl CompileError {
    /// A mistake at a line of the body.
    pub fn at(line: u32, message: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            message: message.into(),
            detail: None,
        }
    }

    /// A mistake of the function as a whole.
    pub fn whole(message: impl Into<String>) -> Self {
        Self {
            line: None,
            message: message.into(),
            detail: None,
        }
    }

    /// The same with more about it.
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// The complete message, for a function given by its quoted, qualified name and its number of arguments.
    pub fn render(&self, function: &str, nargs: usize) -> String {
        format!("PL/Proxy function {function}({nargs}): {self}")
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "Compile error at line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for CompileError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_carry_function_and_line() {
        assert_eq!(
            CompileError::at(2, "syntax error").render("public.f", 1),
            "PL/Proxy function public.f(1): Compile error at line 2: syntax error"
        );
        assert_eq!(
            CompileError::whole("RUN ON ALL requires set-returning function").render("s.\"F\"", 0),
            "PL/Proxy function s.\"F\"(0): RUN ON ALL requires set-returning function"
        );
    }
}
