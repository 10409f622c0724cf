//! The bodies of functions.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| plproxy_fuzz::texts::function_body(text));
