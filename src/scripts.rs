//! Running scripts on partitions, beside each other and to their end.
#![forbid(unsafe_code)]

use crate::cancel::{CANCEL_BOUND, interrupted};
use crate::error::{Error, Report, sqlstate};
use crate::pg::allocator;
use crate::pg::interrupts;
use crate::pg::report::{Level, emit};
use crate::remote::remote;
use plproxy_remote::{Diagnostic, Event, Outcome, Script, ScriptOptions, Scripts};

/// What a script takes until something is sent, besides what is sent.
const SCRIPT: usize = 8192;

/// Runs scripts and waits for all of them; `report` makes one of a partition's notice, and
/// `on_end` is called before an interrupt ends them. What came of each is handed over. Should
/// an error end them, or the process, those that are over by then are handed over before.
pub(crate) fn run_scripts(
    report: &dyn Fn(&str, &Diagnostic) -> Report,
    scripts: Vec<Script>,
    options: &ScriptOptions,
    on_end: &dyn Fn(),
    each: &mut dyn FnMut(usize, Outcome),
) -> Result<(), Error> {
    let _room = allocator::hold(scripts.len().saturating_mul(SCRIPT))?;
    let names: Vec<String> = scripts.iter().map(dbname).collect();
    let mut running = remote()?.scripts(scripts, options);
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
            // Scripts tell of their failures by their outcomes.
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

/// Hands over what came of the scripts that are over.
fn hand_over(running: &mut Scripts<'_>, each: &mut dyn FnMut(usize, Outcome)) {
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

/// The database that a script goes to, for messages.
fn dbname(script: &Script) -> String {
    use plproxy_remote::Target;
    let endpoint = match &script.target {
        Target::New(endpoint) | Target::SessionOrNew(_, endpoint) => Some(endpoint),
        Target::Session(session) | Target::SessionOrAgain(Some(session), _) => session.endpoint(),
        Target::SessionOrAgain(None, _) => None,
    };
    endpoint.map_or(String::new(), |endpoint| endpoint.label().to_string())
}
