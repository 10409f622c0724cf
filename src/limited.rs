//! Texts that may not be longer than makes sense.
#![forbid(unsafe_code)]

use crate::error::{Error, FunctionLabel};
use crate::pg::spi;
use core::fmt;
use pgrx::pg_sys::Datum;

/// A text that may not be longer than makes sense: it is kept, in copies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limited {
    pub(crate) name: &'static str,
    /// In bytes, of the database's encoding or of UTF-8.
    pub(crate) most: usize,
}

impl Limited {
    /// The text of a value.
    pub(crate) fn read(self, label: &FunctionLabel, value: Datum) -> Result<String, Error> {
        match spi::text_up_to(value, self.most)? {
            Some(text) => Ok(text),
            None => Err(label.error(self)),
        }
    }

    /// Sees to a text that is there.
    pub(crate) fn check(self, label: &FunctionLabel, text: &str) -> Result<(), Error> {
        if text.len() > self.most {
            return Err(label.error(self));
        }
        Ok(())
    }
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, most } = self;
        write!(f, "{name} is too long (maximum {most} bytes)")
    }
}
