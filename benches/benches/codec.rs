//! What it costs to write the stored types as `MessagePack`, as stores do, and to read them back.

use criterion::{Criterion, Throughput};
use durable::protocol::{
    EventKind, ExecutionId, HistoryEvent, InstanceId, InstanceRecord, Json, Tags, Timestamp,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let events =
        [completed(), scheduled(), HistoryEvent::new(time(), EventKind::OrchestratorStarted)];
    both(&mut criterion, "instance record", &record());
    both(&mut criterion, "events of a step", &events.to_vec());
    both(&mut criterion, "payload of 200 bytes", &payload());
    criterion.final_summary();
}

fn both<T: Serialize + DeserializeOwned>(criterion: &mut Criterion, name: &str, value: &T) {
    let bytes = rmp_serde::to_vec(value).expect("what is stored can be encoded");
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    let mut buffer = Vec::with_capacity(bytes.len());
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            buffer.clear();
            rmp_serde::encode::write(&mut buffer, value)
        });
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| rmp_serde::from_slice::<T>(&bytes));
    });
    group.finish();
}

fn time() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000).unwrap_or_default()
}

fn payload() -> Json {
    Json::parse(&format!("\"{}\"", "x".repeat(198))).expect("this is JSON")
}

fn record() -> InstanceRecord {
    let id = InstanceId::new("0123456789abcdef0123456789abcdef").expect("this is an id");
    InstanceRecord::new(id, ExecutionId::from_u128(17), "checkout", None, time())
}

fn completed() -> HistoryEvent {
    let kind = EventKind::task_result(6, Ok(payload()));
    HistoryEvent::new(time(), kind)
}

fn scheduled() -> HistoryEvent {
    let kind = EventKind::TaskScheduled {
        name: "charge".to_owned(),
        version: None,
        input: payload(),
        source: Some("src/order.rs:17".to_owned()),
        tags: Tags::new(),
    };
    HistoryEvent::action(7, time(), kind)
}
