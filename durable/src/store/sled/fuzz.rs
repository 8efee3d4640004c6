//! Reading arbitrary bytes as what a folder contains: the log, and the values of the tree.
//!
//! The functions must neither panic nor hang. `cargo fuzz` calls them, and so does the test below.

use bytes::Bytes;

use super::stored::Stored;
use super::{body, creation, log, packed, stored};
use crate::protocol::InstanceId;

/// A segment of the log, and the body of a frame.
pub fn frames(bytes: &[u8]) {
    let segment = Bytes::copy_from_slice(bytes);
    let frames = log::fuzz::frames(&segment).into_iter().chain(log::fuzz::with_body(bytes));
    frames.for_each(|frame| body::changes(&frame).for_each(drop));
}

/// A value of the tree.
pub fn stored(bytes: &[u8]) {
    let id = InstanceId::of_hub("order-17");
    drop(stored::head(&id, bytes));
    if let Ok(Stored { first, tail, .. }) = Stored::read(&id, bytes) {
        drop(stored::blocks(&id, first, tail));
    }
    drop(stored::read_chunk(&id, bytes));
    drop(stored::blocks(&id, 0, Bytes::copy_from_slice(bytes)));
    drop(packed::read(id.as_str().as_bytes(), bytes));
    drop(creation::read_block(bytes));
}

#[cfg(test)]
#[path = "../../../../fuzz/mutate.rs"]
mod mutate;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::body::{self, Change};
    use super::super::overlay::Block;
    use super::{Stored, frames, log, mutate, stored};

    fn repository() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
    }

    #[test]
    fn no_bytes_of_a_log_make_its_reader_panic() {
        mutate::run(repository(), "frames", frames);
    }

    /// Makes seeds of records and of the tree from those of the log.
    #[test]
    #[ignore = "writes the seeds"]
    fn record() {
        let seeds = repository().join("fuzz/seeds");
        for entry in fs::read_dir(seeds.join("frames")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let frame = log::fuzz::with_body(&fs::read(&path).unwrap()).unwrap();
            for (number, change) in body::changes(&frame).flatten().enumerate() {
                let write = |kind: &str, what: &str, bytes: &[u8]| {
                    let file = seeds.join(kind).join(format!("{name}_{number}_{what}"));
                    fs::write(file, bytes).unwrap();
                };
                match change {
                    Change::Hub(bytes) => write("records", "hub", &bytes),
                    Change::Message(_, _, bytes) => write("records", "message", &bytes),
                    Change::Episode(episode) => {
                        write("records", "instance", &episode.record);
                        write("records", "events", &episode.events);
                        let id = super::InstanceId::of_hub("order-17");
                        let mut tail = Vec::new();
                        let (first, count) = (episode.first, episode.count);
                        let events = episode.events.clone();
                        super::stored::push(&mut tail, &Block { first, count, events });
                        write("stored", "chunk", &super::stored::write_chunk(&tail));
                        write("stored", "tail", &tail);
                        let (head, record) = (episode.head, episode.record);
                        let (tail, is_long) = (tail.into(), false);
                        let value = Stored { sequence: 1, head, record, first, tail, is_long };
                        write("stored", "value", &value.write(&id));
                    }
                    Change::Epoch(..) | Change::Purge(_) | Change::Consume(..) => {}
                }
            }
        }
    }

    #[test]
    fn no_bytes_of_the_tree_make_their_reader_panic() {
        mutate::run(repository(), "stored", stored);
    }
}
