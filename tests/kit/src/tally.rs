//! Checks, told and counted as scripts/tally.sh does.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// What was checked.
#[derive(Debug, Default)]
pub struct Tally {
    passed: u32,
    failed: u32,
}

impl Tally {
    /// Runs a test and ends with the line that scripts/test.sh counts by; a test that stops has failed.
    pub fn count(test: impl FnOnce(&mut Self)) -> ExitCode {
        let mut tally = Self::default();
        if catch_unwind(AssertUnwindSafe(|| test(&mut tally))).is_err() {
            tally.check(
                "the test comes to its end",
                false,
                "it has stopped, see above",
            );
        }
        say(&format!("{} passed, {} failed", tally.passed, tally.failed));
        if tally.failed == 0 && tally.passed > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    /// Whether something has failed.
    pub fn has_failed(&self) -> bool {
        self.failed > 0
    }

    /// That it is as wanted.
    pub fn same(&mut self, what: &str, wanted: impl AsRef<str>, got: impl AsRef<str>) {
        let (wanted, got) = (wanted.as_ref(), got.as_ref());
        if wanted == got {
            self.passed += 1;
            say(&format!("ok      {what}"));
        } else {
            self.failed += 1;
            say(&format!(
                "FAILED  {what}\n    wanted: {wanted}\n    got:    {got}"
            ));
        }
    }

    /// That it holds; what is shown if it does not.
    pub fn check(&mut self, what: &str, holds: bool, shown: &str) {
        if holds {
            self.passed += 1;
            say(&format!("ok      {what}"));
        } else {
            self.failed += 1;
            say(&format!("FAILED  {what}: {shown}"));
        }
    }

    /// Something to read.
    pub fn note(&self, what: &str) {
        say(&format!("            {what}"));
    }
}

fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}
