//! The fuzz targets of the public API on mutations of their committed seeds. Those of the log and
//! the tree are in `durable/src/store/sled/fuzz.rs`, those of the attributes in
//! `durable-macros/src/fuzz.rs`, and those of HTTP requests in `durable-http/tests/http/fuzz.rs`.

use std::path::Path;

#[path = "../../fuzz/mutate.rs"]
mod mutate;
#[path = "../../fuzz/targets.rs"]
mod targets;

fn run(name: &str, target: impl Fn(&[u8])) {
    mutate::run(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")), name, target);
}

#[test]
fn no_bytes_make_the_reader_of_records_panic() {
    run("records", targets::records);
}

#[test]
fn no_text_makes_the_reader_of_histories_panic() {
    run("histories", targets::histories);
}

#[test]
fn no_text_makes_the_check_of_ids_panic() {
    run("ids", targets::ids);
}

#[test]
fn no_cron_pattern_makes_a_schedule_panic() {
    run("cron", targets::cron);
}

#[test]
fn no_trace_context_makes_its_reader_panic() {
    run("traces", targets::traces);
}

#[test]
fn no_json_makes_the_reader_of_values_panic() {
    run("values", targets::values);
}
