//! The crate against live servers: a real one, named by `PLPROXY_TEST_SERVER` (a connection string of a superuser), and
//! some that misbehave. The tests take turns, as some measure the process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod branches;
mod connecting;
mod encodings;
mod faults;
mod harness;
mod hostile;
mod interrupts;
mod limits;
mod origin;
mod pool;
mod prepared;
mod resets;
mod rest;
mod results;
mod scripted;
mod scripts;
mod select;
mod settings;
mod tolerant;
