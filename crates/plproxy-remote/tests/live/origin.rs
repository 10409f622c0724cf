//! Scripts on the server that a session was made to.

use std::cell::Cell;
use std::rc::Rc;

use plproxy_core::conninfo::{SystemEnvironment, parse};
use plproxy_remote::{Event, Outcome, Remote, Script, ScriptOptions, Step, Target};

use crate::harness::*;

fn one(remote: &Remote, target: Target) -> Outcome {
    let steps = vec![Step::Run("select 1".into())];
    let mut running = remote.scripts(vec![Script { target, steps }], &ScriptOptions::default());
    while !matches!(running.next(), Event::Finished) {}
    running.outcomes().remove(0)
}

#[test]
#[ignore = "needs PLPROXY_TEST_SERVER"]
fn it_is_reached_again_without_reading_the_connection_string() {
    let _turn = turn();
    let remote = remote();
    let (read, params) = (Rc::new(Cell::new(0)), parse(&server()).unwrap());
    let count = Rc::clone(&read);
    let reader = move || {
        count.set(count.get() + 1);
        params.resolve(&SystemEnvironment::new())
    };
    let endpoint = remote.endpoint("again", reader).unwrap();
    let session = one(&remote, Target::New(endpoint)).session.unwrap();
    let origin = session.origin().unwrap();
    let before = read.get();
    let kept = one(
        &remote,
        Target::SessionOrAgain(Some(session), origin.clone()),
    );
    let pid = kept.connection.as_ref().unwrap().process_id;
    drop(kept);
    let made = one(&remote, Target::SessionOrAgain(None, origin));
    assert!(made.last().is_ok(), "{made:?}");
    assert_ne!(made.connection.unwrap().process_id, pid);
    assert_eq!(read.get(), before);
}
