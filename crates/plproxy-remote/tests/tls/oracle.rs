//! What we say of a connection string, and what libpq says.

use std::process::Command;

use plproxy_core::conninfo::{SystemEnvironment, parse};
use plproxy_remote::{ErrorKind, Remote, Statement};

use crate::harness::*;

/// How a session is protected, as its server sees it.
pub const PROTECTION: &str = "select coalesce((select version from pg_catalog.pg_stat_ssl \
                              where pid = pg_catalog.pg_backend_pid() and ssl), 'plain')";

pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

/// The path of a file of the certificates.
pub fn file(name: &str) -> String {
    format!("{}/{name}", variable("PLPROXY_TEST_CERTIFICATES"))
}

/// The server with TLS, as that user.
pub fn with_tls(user: &str) -> String {
    format!("{} user={user}", variable("PLPROXY_TEST_SERVER"))
}

/// The server without.
pub fn without_tls() -> String {
    variable("PLPROXY_TEST_PLAIN")
}

/// Connects and asks; the answer, or the error in full.
pub fn ours(remote: &Remote, connstr: &str, sql: &str) -> Result<String, String> {
    let params = parse(connstr).map_err(|error| error.to_string())?;
    let endpoint = remote
        .endpoint(connstr, move || params.resolve(&SystemEnvironment::new()))
        .map_err(|error| error.to_string())?;
    let call = Statement::call(format!("{sql}::text"));
    let outcome = drain(remote.start(&call, vec![request(&endpoint, &[])], &unprepared()));
    match outcome.error {
        None => Ok(outcome.text()),
        Some(error) => {
            assert!(
                !matches!(error.kind, ErrorKind::QueryTimeout),
                "{connstr}: {error:?}"
            );
            Err(error.to_string())
        }
    }
}

/// The same by libpq.
pub fn theirs(connstr: &str, sql: &str) -> Result<String, String> {
    let output = Command::new(variable("PLPROXY_TEST_PSQL"))
        .args(["-XAtqw", "-d", connstr, "-c", sql])
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        let error = text(&output.stderr);
        Err(error.strip_prefix("psql: error: ").unwrap_or(&error).into())
    }
}

/// What we say, which libpq must say, too.
pub fn both_ask(connstr: &str, sql: &str) -> Result<String, String> {
    let (ours, theirs) = (ours(&remote(), connstr, sql), theirs(connstr, sql));
    let same = match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        (Err(ours), Err(theirs)) => same_words(ours, theirs),
        _ => false,
    };
    assert!(same, "{connstr}\nours:   {ours:?}\nlibpq's: {theirs:?}");
    ours
}

pub fn both(connstr: &str) -> Result<String, String> {
    both_ask(connstr, PROTECTION)
}

/// Whether it is the same error. We go on where libpq says only that a verification failed, and know the words of later
/// versions.
fn same_words(ours: &str, theirs: &str) -> bool {
    let newer = theirs.replace(
        "Either provide the file or change sslmode to disable server certificate verification.",
        "Either provide the file, use the system's trusted roots with sslrootcert=system, or change sslmode to disable \
         server certificate verification.",
    );
    // libpq 18 has other words for a connection that ends during the handshake.
    let newer = newer.replace(
        "SSL error: unexpected eof while reading",
        "SSL SYSCALL error: EOF detected",
    );
    let same = |(ours, theirs): (&str, &str)| {
        ours == theirs
            || theirs.ends_with("certificate verify failed")
                && ours.starts_with(&format!("{theirs}: "))
    };
    ours.lines().count() == newer.lines().count() && ours.lines().zip(newer.lines()).all(same)
}

/// That it fails, here and with libpq, with these words.
pub fn both_fail(connstr: &str, words: &str) {
    match both(connstr) {
        Err(error) => assert!(error.contains(words), "{connstr}: {error}"),
        Ok(answer) => panic!("{connstr}: {answer}"),
    }
}

/// That it fails here, with these words.
pub fn fails(connstr: &str, words: &str) {
    match ours(&remote(), connstr, PROTECTION) {
        Err(error) => assert!(error.contains(words), "{connstr}: {error}"),
        Ok(answer) => panic!("{connstr}: {answer}"),
    }
}
