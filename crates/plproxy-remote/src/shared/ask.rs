//! Asking the keeper.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::error::ErrorKind;
use crate::shared::sharing::Sharing;

/// How long the keeper may take to answer.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);
/// How long to wait where there is no room for a question.
const PAUSE: Duration = Duration::from_millis(1);

/// Sends the keeper something; where there is no room for it, or no keeper at the moment, again.
pub(crate) async fn ask(
    sharing: Sharing,
    send: impl Fn() -> std::io::Result<bool>,
) -> Result<(), ErrorKind> {
    let since = Instant::now();
    loop {
        if sharing.table.header.keeper.load(Relaxed) != 0
            && send().map_err(|error| ErrorKind::from_io(&error))?
        {
            return Ok(());
        }
        if since.elapsed() > ANSWER {
            return Err(no_keeper());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub(crate) fn no_keeper() -> ErrorKind {
    ErrorKind::Unsupported(
        "the keeper of shared connections does not answer; it is one of max_worker_processes"
            .to_owned(),
    )
}
