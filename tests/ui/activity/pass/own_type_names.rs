//! Types of the user's own that are named like those that a signature treats specially.

#![deny(warnings)]

use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Path {
    nodes: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
struct State<T>(T);

#[activity]
async fn walk(path: &Path, first: Path) -> usize {
    path.nodes.len() + first.nodes.len()
}

#[activity]
async fn look(state: &State<u32>, next: State<u32>) -> u32 {
    state.0 + next.0
}

mod graph {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Path(pub u32);
}

mod imported {
    use durable::prelude::*;

    use super::graph::Path;

    #[activity]
    pub async fn measure(path: &Path) -> u32 {
        path.0
    }
}

mod usual {
    use std::path::Path;

    use durable::prelude::*;

    #[activity]
    pub async fn open(path: &Path, state: &State<u32>) -> bool {
        path.is_absolute() && **state > 1
    }
}

#[entity]
impl Path {
    fn join(&mut self, path: &Path, state: &State<u32>) -> Path {
        self.nodes.extend(&path.nodes);
        self.nodes.push(state.0);
        Path { nodes: self.nodes.clone() }
    }
}

fn main() {
    let (path, state) = (Path::default(), State(1));
    let _ = (walk(&path, Path::default()), look(&state, State(2)));
    let _ = Path::at("a").join(&path, &state);
    let _ = (imported::measure(&graph::Path(1)), usual::open("/".as_ref()));
}
