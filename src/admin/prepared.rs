//! What a partition says is prepared there.
#![forbid(unsafe_code)]

use crate::error::words;
use crate::transaction::site::Site;
use plproxy_remote::{ErrorKind, Outcome, Session, StepResult};

/// What is prepared on a partition.
pub(super) struct Listed {
    pub(super) partition: usize,
    pub(super) session: Session,
    pub(super) site: Site,
    pub(super) prepared: Vec<String>,
}

impl Listed {
    /// What a partition has answered.
    pub(super) fn read(partition: usize, outcome: Outcome) -> Result<Self, String> {
        if let Some(kind) = outcome.error() {
            return Err(words(kind));
        }
        let unclear = || words(&ErrorKind::Protocol("server did not answer".to_owned()));
        let at = outcome.connection.map_err(|kind| words(&kind))?;
        let mut answers = outcome.steps.into_iter().map(|step| match step.result {
            Ok(StepResult::Ran { value, .. }) => value.flatten(),
            _ => None,
        });
        let site = answers.next().flatten();
        let site = site.and_then(|answer| Site::read(&answer, &at));
        let prepared = answers.next().flatten();
        match (site, prepared, outcome.session) {
            (Some(site), _, _) if site.is_standby() => Err("the server is a standby".to_owned()),
            (Some(site), Some(prepared), Some(session)) => Ok(Self {
                partition,
                session,
                site,
                prepared: prepared.split_whitespace().map(str::to_owned).collect(),
            }),
            _ => Err(unclear()),
        }
    }
}
