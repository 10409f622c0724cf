//! Notices that wait for the next statement, as nobody asked when they came.

use crate::diagnostic::Diagnostic;

/// Bytes of notices that are kept for the next statement.
pub(crate) const KEPT: usize = 64 * 1024;

/// See the module.
#[derive(Default)]
pub(crate) struct Notices {
    list: Vec<Diagnostic>,
    size: usize,
}

impl Notices {
    /// About how many bytes they take.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn push(&mut self, notice: Diagnostic) {
        self.size += notice.size();
        self.list.push(notice);
    }

    /// Takes all of them out.
    pub(crate) fn take(&mut self) -> Vec<Diagnostic> {
        self.size = 0;
        std::mem::take(&mut self.list)
    }
}
