//! A request's part in a transaction of several calls.

use std::rc::Rc;

use crate::connection::Connection;
use crate::connection::branch::{Branch, Loan};
use crate::error::ErrorKind;

/// See the module.
pub(super) struct Part {
    pub(super) loan: Loan,
    /// The transaction begins with the request, on a connection like those that other requests get.
    pub(super) begins: bool,
}

impl Part {
    /// Takes part in a transaction. Also gives its connection, if it has begun.
    pub(super) fn take(branch: &Rc<Branch>) -> Result<(Part, Option<Box<Connection>>), ErrorKind> {
        let (loan, open) = branch.lend()?;
        let begins = open.is_none();
        Ok((Part { loan, begins }, open))
    }
}
