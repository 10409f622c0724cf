//! Notices that arrived outside of a statement, kept for the next one.

use crate::diagnostic::Diagnostic;

/// How many bytes of notices are kept.
pub(crate) const KEPT: usize = 64 * 1024;

/// See the module.
#[derive(Default)]
pub(crate) struct Notices {
    list: Vec<Diagnostic>,
    size: usize,
}

impl Notices {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// About how many bytes they take.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn push(&mut self, notice: Diagnostic) {
        self.size += notice.size();
        self.list.push(notice);
    }

    /// Takes all notices.
    pub(crate) fn take(&mut self) -> Vec<Diagnostic> {
        self.size = 0;
        std::mem::take(&mut self.list)
    }
}
