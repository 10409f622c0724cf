//! The options of servers and of the wrapper.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| plproxy_fuzz::texts::server_options(text));
