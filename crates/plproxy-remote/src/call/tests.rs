//! Calls to the system, which block: what comes between two of them.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::*;
use crate::encoding::Encoding;
use crate::remote::Remote;

/// Enough that the last would be waited for in vain.
const MANY: usize = 8;

static FLAG: AtomicBool = AtomicBool::new(false);

thread_local! {
    static MADE: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A request that makes a blocking call, and is over then, or after a limit.
fn blocking(state: &CallState, limit: Duration, call: fn()) -> RequestFuture {
    let resolver = state.resolver.clone();
    Box::pin(async move {
        let blocking = resolver.call(move || {
            MADE.set(MADE.get() + 1);
            call();
        });
        let _ = tokio::time::timeout(limit, blocking).await;
    })
}

fn call<'a>(remote: &'a Remote, limit: Duration, call: fn()) -> Call<'a> {
    MADE.set(0);
    let state = CallState::new(None, false);
    let pending = (0..MANY).map(|_| blocking(&state, limit, call)).collect();
    Call::of_futures(remote.runtime(), remote.pool(), state, pending)
}

#[test]
fn an_interrupt_is_reported_between_two_blocking_calls() {
    let remote = Remote::new(|| FLAG.load(Relaxed), Encoding::UTF8).unwrap();
    let mut call = call(&remote, Duration::from_secs(60), || {
        FLAG.store(MADE.get() == 2, Relaxed)
    });
    assert!(matches!(call.next(), Ok(Event::Interrupted)));
    assert_eq!(MADE.get(), 2);
    // Cancelled, the rest is not made.
    FLAG.store(false, Relaxed);
    call.cancel(Duration::from_millis(10));
    assert!(matches!(call.next(), Ok(Event::Finished)));
    assert_eq!(MADE.get(), 2);
}

#[test]
fn a_timeout_ends_requests_whose_blocking_call_was_not_made() {
    let remote = Remote::new(|| false, Encoding::UTF8).unwrap();
    let limit = Duration::from_millis(50);
    let mut call = call(&remote, limit, || {
        std::thread::sleep(Duration::from_millis(70));
    });
    assert!(matches!(call.next(), Ok(Event::Finished)));
    assert!(MADE.get() <= 1, "{}", MADE.get());
}
