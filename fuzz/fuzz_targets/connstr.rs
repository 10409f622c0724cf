//! Connection strings of keywords and values.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| plproxy_fuzz::texts::connstr(text));
