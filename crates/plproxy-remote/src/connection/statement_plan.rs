//! How a statement is run: prepared, to be prepared, or unnamed.

use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::protocol::columns::ColumnDescription;

/// What time it is, and how long prepared statements are used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Age {
    pub(crate) now: Duration,
    pub(crate) lifetime: Duration,
}

impl Age {
    /// By the clock that all processes share.
    pub(crate) fn of(lifetime: Option<Duration>) -> Age {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Age {
            now: now.unwrap_or_default(),
            lifetime: lifetime.unwrap_or(Duration::MAX),
        }
    }

    /// Whether what was prepared then is to be prepared anew. A clock that was put back tells nothing.
    pub(crate) fn is_over(&self, since: Duration) -> bool {
        let age = self.now.checked_sub(since).unwrap_or(Duration::MAX);
        age >= self.lifetime && self.lifetime != Duration::MAX
    }
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
