//! Entry point of libFuzzer; what must hold stands in `judges/patch.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| judges::patch::judge(data));
