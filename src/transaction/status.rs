//! How a transaction ended, here or on a partition, by the word of `pg_xact_status`.
#![forbid(unsafe_code)]

use crate::error::{Error, sqlstate};
use crate::pg::expr::Arg;
use crate::pg::spi::{self, Plan};
use crate::pg::xact;
use pgrx::pg_sys;
use plproxy_remote::{ErrorKind, Step, StepResult};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Committed,
    RolledBack,
    InProgress,
    /// The server does not know it any more, as its commit log does not go back as far, or not yet.
    Unknown,
}

impl Status {
    /// Asks a partition for it.
    pub(crate) fn question(transaction: u64) -> Step {
        let question =
            format!("select pg_catalog.pg_xact_status('{transaction}'::pg_catalog.xid8)");
        Step::Run(question.into())
    }

    /// Reads the answer; an error that says nothing of the transaction is given back.
    pub(crate) fn of(answer: Result<StepResult, ErrorKind>) -> Result<Self, ErrorKind> {
        match answer {
            Ok(StepResult::Ran { value, .. }) => Ok(Self::read(value.flatten().as_deref())),
            // A number that was not given yet.
            Err(ErrorKind::Db(d)) if d.code == sqlstate::INVALID_PARAMETER_VALUE => {
                Ok(Self::Unknown)
            }
            Ok(StepResult::Described(_)) => Ok(Self::Unknown),
            Err(kind) => Err(kind),
        }
    }

    /// Asks here. A transaction that never ran counts as rolled back.
    pub(crate) fn here(transaction: u64) -> Result<Self, Error> {
        const STATUS: &str = "select pg_catalog.pg_xact_status($1::pg_catalog.xid8)";
        if transaction >= xact::next_id()? {
            return Ok(Self::RolledBack);
        }
        let arg = [Arg::Whole(Some(spi::text_datum(&transaction.to_string())?))];
        let mut status = Self::Unknown;
        Plan::prepare(STATUS, &[pg_sys::TEXTOID])?.run(&arg, |row| {
            status = Self::read(row.value(1)?.map(spi::text).transpose()?.as_deref());
            Ok(())
        })?;
        Ok(status)
    }

    fn read(word: Option<&str>) -> Self {
        match word {
            Some("committed") => Self::Committed,
            Some("aborted") => Self::RolledBack,
            Some("in progress") => Self::InProgress,
            _ => Self::Unknown,
        }
    }
}
