//! TLS against live servers, and against some played by the test. scripts/test.d/25-tls.sh makes what they need: two
//! servers (`PLPROXY_TEST_SERVER` with TLS, `PLPROXY_TEST_PLAIN` without), certificates (`PLPROXY_TEST_CERTIFICATES`), and
//! a psql (`PLPROXY_TEST_PSQL`), whose libpq is asked wherever it knows the keyword.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod binding;
mod certificates;
mod clients;
#[path = "../live/harness.rs"]
#[allow(dead_code)]
mod harness;
mod modes;
mod names;
mod negotiation;
mod oracle;
mod relay;
mod transport;
