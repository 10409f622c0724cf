//! Which request may queue events when.

use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Wake;

use super::*;
use crate::encoding::Encoding;
use crate::protocol::batch::{Batch, Reading, RowRanges};
use crate::protocol::columns::Format;

#[test]
fn a_request_that_is_done_keeps_no_other_waiting() {
    let events = EventQueue::default();
    let mut cx = Context::from_waker(Waker::noop());
    events.event(Event::Interrupted, BUDGET);
    assert!(events.poll_room(0, false, &mut cx).is_pending());
    assert!(events.poll_room(1, false, &mut cx).is_pending());
    events.ends(0);
    assert!(events.take().is_some());
    assert!(events.poll_room(1, false, &mut cx).is_ready());
}

fn rows(request: usize) -> Event {
    let batch = Batch::new(
        Vec::new(),
        RowRanges::new(),
        Rc::from([]),
        Reading {
            formats: Format::Text.into(),
            style: None,
            encoding: Encoding::UTF8,
        },
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
fn reading_ahead_goes_on_only_while_the_current_request_is_idle() {
    let events = EventQueue::default();
    let mut cx = Context::from_waker(Waker::noop());
    events.event(rows(0), 1);
    assert!(
        events.poll_room(1, false, &mut cx).is_ready(),
        "its first rows"
    );
    assert!(events.poll_room(1, true, &mut cx).is_pending());
    assert!(events.has_read_ahead());
    assert!(events.poll_room(0, true, &mut cx).is_ready());
    events.current_is_idle();
    assert!(events.poll_room(1, true, &mut cx).is_ready());
    // It waits for room when the turn has something again: then it waits for that, and in nobody's way.
    events.event(rows(1), BUDGET);
    assert!(events.poll_room(1, true, &mut cx).is_pending());
    events.event(rows(0), 1);
    assert!(events.poll_room(0, true, &mut cx).is_pending());
    while events.take().is_some() {}
    assert!(events.poll_room(1, true, &mut cx).is_pending());
    assert!(events.poll_room(0, true, &mut cx).is_ready());
    // The next in turn when the first is over; what is over already is passed.
    events.ends(1);
    events.ends(0);
    assert!(events.poll_room(2, true, &mut cx).is_ready());
    assert!(events.poll_room(3, true, &mut cx).is_pending());
}

/// Requests whose servers send so many pieces each, one at a time. Returns how often one was polled.
fn polls(requests: usize, pieces: usize) -> usize {
    struct Woken(Arc<Mutex<Vec<usize>>>, usize);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.lock().unwrap().push(self.1);
        }
    }
    let woken = Arc::new(Mutex::new((0..requests).collect::<Vec<_>>()));
    let wakers: Vec<Waker> = (0..requests)
        .map(|request| Arc::new(Woken(woken.clone(), request)).into())
        .collect();
    let events = EventQueue::default();
    let (mut told, mut over, mut polls) = (vec![0; requests], 0, 0);
    let mut waits_for_server = Vec::new();
    let mut sent = 0;
    while over < requests {
        // The servers are as fast as we.
        sent = (sent + 1).min(pieces);
        woken.lock().unwrap().append(&mut waits_for_server);
        let mut ready = std::mem::take(&mut *woken.lock().unwrap());
        ready.sort_unstable();
        ready.dedup();
        ready.retain(|request| told[*request] < pieces);
        for request in ready {
            let mut cx = Context::from_waker(&wakers[request]);
            loop {
                polls += 1;
                let handed_over = told[request] > 0;
                if events.poll_room(request, handed_over, &mut cx).is_pending() {
                    break;
                }
                if told[request] == sent {
                    waits_for_server.push(request);
                    break;
                }
                told[request] += 1;
                events.event(rows(request), BUDGET / 32);
                if told[request] == pieces {
                    over += 1;
                    events.ends(request);
                    break;
                }
            }
        }
        while events.take().is_some() {}
        if woken.lock().unwrap().is_empty()
            && waits_for_server.is_empty()
            && events.has_read_ahead()
        {
            events.current_is_idle();
        }
    }
    polls
}

#[test]
fn the_cost_of_waiting_does_not_grow_with_the_number_of_requests() {
    let (few, many) = (polls(32, 5), polls(1024, 5));
    assert!(many < few * 32 * 2, "{few}, {many}");
}
