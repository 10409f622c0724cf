//! Running scripts on partitions, beside each other and to their end.
#![forbid(unsafe_code)]

use crate::cancel::{CANCEL_BOUND, interrupted};
use crate::error::{Error, Report, sqlstate};
use crate::pg::allocator;
use crate::pg::interrupts;
use crate::pg::report::{Level, emit};
use crate::remote::remote;
use plproxy_remote::{Diagnostic, Errand, ErrandOptions, Errands, Event, Outcome};

/// What an errand takes until something is sent, besides what is sent.
const ERRAND: usize = 8192;

/// Runs errands and waits for all of them; `report` makes one of a partition's notice, and
/// `on_end` is called before an interrupt ends them. What came of each is handed over. Should
/// an error end them, or the process, those that are over by then are handed over before.
pub(crate) fn run_errands(
    report: &dyn Fn(&str, &Diagnostic) -> Report,
    errands: Vec<Errand>,
    options: &ErrandOptions,
    on_end: &dyn Fn(),
    each: &mut dyn FnMut(usize, Outcome),
) -> Result<(), Error> {
    let _room = allocator::hold(errands.len().saturating_mul(ERRAND))?;
    let names: Vec<String> = errands.iter().map(dbname).collect();
    let mut running = remote()?.errands(errands, options);
    loop {
        let event = running.next();
        if matches!(event, Event::Finished) {
            hand_over(&mut running, each);
            return Ok(());
        }
        let mut cancel = || {
            on_end();
            running.cancel(CANCEL_BOUND);
            hand_over(&mut running, each);
        };
        let result = match event {
            Event::Interrupted => interrupted(cancel),
            Event::Notice { request, notice } => {
                let dbname = names.get(request).map_or("", String::as_str);
                let report = report(dbname, &notice);
                interrupts::or_at_the_end(&mut cancel, || emit(level_of(&notice), &report))
            }
            Event::Warning { warning, .. } => {
                let report = Report::new(sqlstate::WARNING, warning);
                interrupts::or_at_the_end(&mut cancel, || emit(Level::Warning, &report))
            }
            // Errands tell of their failures by their outcomes.
            Event::Rows { .. } | Event::RequestDone { .. } | Event::RequestFailed { .. } => Ok(()),
            Event::Finished => Ok(()),
        };
        if let Err(error) = result {
            running.cancel(CANCEL_BOUND);
            hand_over(&mut running, each);
            return Err(error);
        }
    }
}

/// Hands over what came of the errands that are over.
fn hand_over(running: &mut Errands<'_>, each: &mut dyn FnMut(usize, Outcome)) {
    for (number, outcome) in running.take_outcomes() {
        each(number, outcome);
    }
}

/// How loud a partition's notice is here: as loud as there, unlike in calls. Warnings have their class of SQLSTATEs.
fn level_of(notice: &Diagnostic) -> Level {
    if notice.code.starts_with(b"01") {
        Level::Warning
    } else {
        Level::Notice
    }
}

/// The database that an errand goes to, for messages.
fn dbname(errand: &Errand) -> String {
    use plproxy_remote::On;
    let endpoint = match &errand.on {
        On::New(endpoint) | On::SessionOrNew(_, endpoint) => Some(endpoint),
        On::Session(session) | On::SessionOrAgain(Some(session), _) => session.endpoint(),
        On::SessionOrAgain(None, _) => None,
    };
    endpoint.map_or(String::new(), |endpoint| endpoint.label().to_string())
}
