//! The folder of an open store is moved away, and another store takes its place.
//!
//! The old store no longer acknowledges anything, and does not modify the new one.

use std::path::Path;

use durable::store::MemoryStore;
use durable::testing::sim::Stream;

use super::work::{Author, Step};
use super::{HUB, Run, chain, compare};

pub(super) fn run(run: &mut Run) -> Result<(), String> {
    let old = run.open()?;
    for _ in 0..run.below(Stream::Client(0), 6) {
        let before = run.author.clone();
        let step = run.author.commit(&mut run.choices);
        run.step_after(&old, &step, before)?;
    }
    run.disk.move_folder(Path::new(HUB), Path::new("/moved"));
    let beside = run.disk.beside();
    let new = run.open_at(&beside, HUB);
    let new = new.map_err(|error| format!("I22 a new store does not open: {}", chain(&error)))?;
    let (model, mut author) = (MemoryStore::default(), Author::new(&mut run.choices));
    let hub = Step::Create(author.hub());
    let claims: Vec<_> = author.all_partitions().map(|partition| author.claim(partition)).collect();
    let mut steps = vec![hub];
    steps.extend(claims);
    for _ in 0..3 + run.below(Stream::Client(0), 12) {
        steps.push(author.commit(&mut run.choices));
    }
    for step in steps {
        let mut lost = run.author.clone();
        let of_old = lost.commit(&mut run.choices);
        if run.choices.one_in(Stream::World, 2) && of_old.apply(&old).is_ok() {
            return Err("I1 a store acknowledges a commit after its folder was moved".to_owned());
        }
        step.apply(&new)
            .map_err(|error| format!("I22 the new store refuses a commit: {}", chain(&error)))?;
        step.apply(&model).map_err(|error| format!("the model refuses a step: {error}"))?;
    }
    drop(old);
    drop(new);
    run.disk = run.disk.restart(false);
    let new = run.open_at(&run.disk, HUB);
    let new = new.map_err(|error| format!("I22 the new store is damaged: {}", chain(&error)))?;
    let read = compare::all(&new, &model, &author, &mut run.choices);
    read.map_err(|wrong| format!("I1 the new store has lost something: {wrong}"))?;
    let old = run.open_at(&run.disk, "/moved");
    let old = old.map_err(|error| format!("I22 the moved store is damaged: {}", chain(&error)))?;
    let read = compare::all(&old, &run.model, &run.author, &mut run.choices);
    read.map_err(|wrong| format!("I1 the moved store has lost something: {wrong}"))
}
