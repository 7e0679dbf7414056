#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| refrain_fuzz::http_json::http_json(data));
