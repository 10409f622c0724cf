//! Who speaks when.

use super::*;
use crate::rows::{Batch, Format, Places};

#[test]
fn who_has_ended_keeps_nobody_waiting() {
    let outbox = Outbox::default();
    let mut cx = Context::from_waker(Waker::noop());
    outbox.event(Event::Interrupted, BUDGET);
    assert!(outbox.poll_room(0, false, &mut cx).is_pending());
    assert!(outbox.poll_room(1, false, &mut cx).is_pending());
    outbox.ends(0);
    assert!(outbox.take().is_some());
    assert!(outbox.poll_room(1, false, &mut cx).is_ready());
}

fn rows(request: usize) -> Event {
    let batch = Batch::new(
        Vec::new(),
        Places::new(),
        Rc::from([]),
        Format::Text.into(),
        None,
        0,
        "".into(),
    );
    Event::Rows {
        request,
        batch,
        done: false,
    }
}

#[test]
fn who_is_ahead_goes_on_only_while_the_turn_has_nothing() {
    let outbox = Outbox::default();
    let mut cx = Context::from_waker(Waker::noop());
    outbox.event(rows(0), 1);
    assert!(
        outbox.poll_room(1, false, &mut cx).is_ready(),
        "its first rows"
    );
    assert!(outbox.poll_room(1, true, &mut cx).is_pending());
    assert!(outbox.has_ahead());
    assert!(outbox.poll_room(0, true, &mut cx).is_ready());
    outbox.falls_idle();
    assert!(outbox.poll_room(1, true, &mut cx).is_ready());
    // It waits for room when the turn has something again: then it waits for that, and in nobody's way.
    outbox.event(rows(1), BUDGET);
    assert!(outbox.poll_room(1, true, &mut cx).is_pending());
    outbox.event(rows(0), 1);
    assert!(outbox.poll_room(0, true, &mut cx).is_pending());
    while outbox.take().is_some() {}
    assert!(outbox.poll_room(1, true, &mut cx).is_pending());
    assert!(outbox.poll_room(0, true, &mut cx).is_ready());
    // The next in turn when the first is over; what is over already is passed.
    outbox.ends(1);
    outbox.ends(0);
    assert!(outbox.poll_room(2, true, &mut cx).is_ready());
    assert!(outbox.poll_room(3, true, &mut cx).is_pending());
}
