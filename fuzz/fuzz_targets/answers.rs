//! What a server sends, to calls of the remote crate.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| plproxy_fuzz::answers::check(data));
