//! The line that the server's log gets for a slow call.
#![forbid(unsafe_code)]

use super::watch::{End, Watch, Watched};
use crate::error::{Error, FunctionLabel, Report, sqlstate};
use crate::pg::report::{Level, emit};
use std::fmt::Write as _;
use std::time::Duration;

impl Watch {
    /// Logs the call if it has ended and was slow, once.
    pub(crate) fn log(&mut self, label: &FunctionLabel) -> Result<(), Error> {
        let (Some(from), Some((how, took))) = (self.slow_from, self.ended) else {
            return Ok(());
        };
        if took < from || std::mem::replace(&mut self.logged, true) {
            return Ok(());
        }
        let mut line = format!(
            "PL/Proxy function {}({}): duration {} ms, {} rows",
            label.name,
            label.nargs,
            Milliseconds(took),
            self.partitions.iter().map(|part| part.rows).sum::<u64>()
        );
        line.push_str(word(how));
        for watched in self.left.iter().chain(&self.partitions) {
            watched.describe(&mut line);
        }
        emit(Level::Log, &Report::new(sqlstate::SUCCESSFUL, line))
    }
}

impl Watched {
    fn describe(&self, line: &mut String) {
        let Some((end, took)) = self.ended else {
            return;
        };
        // Where there was no connection, all the time went into the attempt.
        let connecting = if self.connect_failed {
            took.saturating_sub(self.queued)
        } else {
            self.connecting
        };
        let first = self.first.unwrap_or(took);
        // A string takes everything.
        let _written = write!(
            line,
            "; {}: {}connect {} ms, wait {} ms, transfer {} ms, {} rows{}",
            self.partition.label(),
            Queued(self.queued),
            Milliseconds(connecting),
            Milliseconds(first.saturating_sub(self.queued + connecting)),
            Milliseconds(took.saturating_sub(first)),
            self.rows,
            word(end)
        );
    }
}

fn word(end: End) -> &'static str {
    match end {
        End::Done => "",
        End::Failed => ", failed",
        End::Canceled => ", canceled",
    }
}

/// How long it took until there was a connection to share, if it did.
struct Queued(Duration);

impl std::fmt::Display for Queued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_zero() {
            return Ok(());
        }
        write!(f, "queue {} ms, ", Milliseconds(self.0))
    }
}

/// As PostgreSQL's own log has durations.
struct Milliseconds(Duration);

impl std::fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{:03}", micros / 1000, micros % 1000)
    }
}
