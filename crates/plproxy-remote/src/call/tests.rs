//! Questions to the system, which block: what comes between two of them.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::*;
use crate::encoding::Encoding;
use crate::remote::Remote;

/// Enough that the last would be waited for in vain.
const MANY: usize = 8;

static FLAG: AtomicBool = AtomicBool::new(false);

thread_local! {
    static ASKED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Work that asks a question, and is over then, or after a limit.
fn asking(state: &CallState, limit: Duration, question: fn()) -> Work {
    let outside = state.outside.clone();
    Box::pin(async move {
        let asking = outside.ask(move || {
            ASKED.set(ASKED.get() + 1);
            question();
        });
        let _ = tokio::time::timeout(limit, asking).await;
    })
}

fn call<'a>(remote: &'a Remote, limit: Duration, question: fn()) -> Call<'a> {
    ASKED.set(0);
    let state = CallState::new(None, false);
    let works = (0..MANY).map(|_| asking(&state, limit, question)).collect();
    Call::of_works(remote.runtime(), remote.pool(), state, works)
}

#[test]
fn an_interrupt_is_seen_between_two_questions() {
    let remote = Remote::new(|| FLAG.load(Relaxed), Encoding::UTF8).unwrap();
    let mut call = call(&remote, Duration::from_secs(60), || {
        FLAG.store(ASKED.get() == 2, Relaxed)
    });
    assert!(matches!(call.next(), Ok(Event::Interrupted)));
    assert_eq!(ASKED.get(), 2);
    // Cancelled, nobody asks the rest.
    FLAG.store(false, Relaxed);
    call.cancel(Duration::from_millis(10));
    assert!(matches!(call.next(), Ok(Event::Finished)));
    assert_eq!(ASKED.get(), 2);
}

#[test]
fn a_limit_of_time_ends_those_whose_question_was_not_asked() {
    let remote = Remote::new(|| false, Encoding::UTF8).unwrap();
    let limit = Duration::from_millis(50);
    let mut call = call(&remote, limit, || {
        std::thread::sleep(Duration::from_millis(70));
    });
    assert!(matches!(call.next(), Ok(Event::Finished)));
    assert!(ASKED.get() <= 1, "{}", ASKED.get());
}
