//! `cargo +nightly fuzz run frames fuzz/seeds/frames`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| durable::fuzz::frames(bytes));
