//! How a statement is run: prepared, to be prepared, or unnamed.

use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::protocol::columns::ColumnDescription;

/// How long a prepared statement is used before it is prepared anew.
pub(crate) const LIFETIME: Duration = Duration::from_secs(1);

/// The time that statements are prepared by: all processes have the same.
pub(crate) fn clock() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// A statement that a connection has prepared.
#[derive(Clone)]
pub(crate) struct PreparedStatement {
    pub(crate) name: Rc<str>,
    pub(crate) columns: Columns,
}

/// What is known of the columns of a statement's result.
#[derive(Debug, Clone, Default)]
pub(crate) enum Columns {
    #[default]
    Unknown,
    /// There are none.
    None,
    Some(Rc<[ColumnDescription]>),
}

impl Columns {
    pub(crate) fn described(self) -> Option<Rc<[ColumnDescription]>> {
        match self {
            Columns::Some(columns) => Some(columns),
            Columns::None | Columns::Unknown => None,
        }
    }
}

/// How to run a statement this time.
pub(crate) enum Plan {
    /// By its prepared form.
    Prepared(PreparedStatement),
    /// Prepare it under that name, and run it.
    Prepare(Rc<str>),
    /// Without a name.
    Unnamed,
    /// Without a name, and query the server's process id.
    UnnamedAndAsk,
}
