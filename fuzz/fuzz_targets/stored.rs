//! `cargo +nightly fuzz run stored fuzz/seeds/stored`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| durable::fuzz::stored(bytes));
