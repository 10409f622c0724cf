//! What pg_stat_activity shows of calls that wait.

use plproxy_test_kit::{Tally, until_is};

use crate::servers::Servers;

/// The type and the event of the session's wait.
fn shows(servers: &Servers, tally: &mut Tally, what: &str, statement: &str, event: &str) {
    let session = servers.proxy.session("postgres");
    session.send(statement);
    let wait = format!(
        "select wait_event_type || ' ' || wait_event from pg_stat_activity where pid = {} and query = '{statement}'",
        session.process.0
    );
    let wanted = format!("Extension {event}");
    let seen = until_is(&wanted, || servers.ask(&[&wait]));
    tally.check(&format!("{what} shows {event}"), seen == wanted, &seen);
    session.cancel();
    session.end();
}

pub fn run(tally: &mut Tally, servers: &Servers) {
    let (connecting, executing) = match servers.proxy.major() {
        ..=16 => ("Extension", "Extension"),
        _ => ("PlproxyConnect", "PlproxyExecute"),
    };
    shows(
        servers,
        tally,
        "a call that waits for its partition",
        "select sleeps(600)",
        executing,
    );
    // A server that is stopped has its connections accepted by the kernel, and never answers.
    let silent = servers.silent.postmaster().expect("a postmaster");
    silent.stop();
    shows(
        servers,
        tally,
        "one that connects",
        "select from_silent()",
        connecting,
    );
    silent.go_on();
    tally.same(
        "and none is left over",
        "t",
        servers.ask_last(&[
            "select one_part(1)",
            "select wait_event is null from pg_stat_activity where pid = pg_backend_pid()",
        ]),
    );
}
