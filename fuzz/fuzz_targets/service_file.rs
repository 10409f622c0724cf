//! Service files.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| plproxy_fuzz::texts::service_file(data));
