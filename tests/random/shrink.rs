//! Makes a failing case smaller, for as long as it fails in the same way.

use crate::check::check;
use crate::program::{
    Action, Activity, Case, Child, Held, Node, Options, Profile, Program, SECOND,
};
use crate::run::{Finding, HANGS, Way};

/// The most smaller cases that are tried. A case that hangs counts several times, because it takes
/// long.
const TRIED_MAX: usize = 400;
const HANGING: usize = 40;

/// A smaller case with the same kind of finding, and that finding.
pub(crate) async fn shrink(
    mut case: Case,
    way: Way,
    seed: u64,
    mut found: Finding,
) -> (Case, Finding) {
    let mut ways = vec![Way::all()[0]];
    if way != ways[0] {
        ways.push(way);
    }
    let mut tried = 0;
    'smaller: loop {
        for candidate in smaller_cases(&case) {
            if tried >= TRIED_MAX {
                return (case, found);
            }
            let checked = check(&candidate, &ways, seed).await;
            let hangs = matches!(&checked, Err((_, other)) if other.kind == HANGS);
            tried += if hangs { HANGING } else { 1 };
            if let Err((_, other)) = checked
                && other.kind == found.kind
            {
                (case, found) = (candidate, other);
                continue 'smaller;
            }
        }
        return (case, found);
    }
}

fn smaller_cases(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    for program in smaller_programs(&case.program) {
        all.push(Case { program, ..case.clone() });
    }
    let is_mended = |n: usize| case.script[..=n].iter().any(|step| step.1 == Action::Mend);
    for n in 0..case.script.len() {
        // The profile promises an end only if the world is repaired before the last rewind.
        if case.profile == Profile::Rewound && is_mended(n) {
            break;
        }
        let mut smaller = case.clone();
        let (_, action) = smaller.script.remove(n);
        // Every suspended instance is resumed.
        if action == Action::Suspend && n < smaller.script.len() {
            if let Some(resume) =
                smaller.script[n..].iter().position(|step| step.1 == Action::Resume)
            {
                smaller.script.remove(n + resume);
            }
        } else if action == Action::Resume {
            continue;
        }
        all.push(smaller);
    }
    if case.partitions > 1 {
        all.push(Case { partitions: 1, ..case.clone() });
    }
    all
}

fn smaller_programs(program: &Program) -> Vec<Program> {
    let mut all = Vec::new();
    if program.generations > 0 {
        all.push(Program { generations: program.generations / 2, ..program.clone() });
        all.push(Program { generations: program.generations - 1, ..program.clone() });
    }
    let bodies = smaller_nodes(&program.body).into_iter();
    all.extend(bodies.map(|body| Program { body, ..program.clone() }));
    all
}

fn smaller_lists(nodes: &[Node]) -> Vec<Vec<Node>> {
    let mut all = Vec::new();
    for n in 0..nodes.len() {
        let mut fewer = nodes.to_vec();
        fewer.remove(n);
        all.push(fewer);
    }
    for n in 0..nodes.len() {
        for node in smaller_nodes(&nodes[n]) {
            let mut nodes = nodes.to_vec();
            nodes[n] = node;
            all.push(nodes);
        }
    }
    all
}

fn smaller_boxes(node: &Node) -> impl Iterator<Item = Box<Node>> {
    smaller_nodes(node).into_iter().map(Box::new)
}

/// The replacements of a statement: one of its parts, or itself with a smaller part.
fn smaller_nodes(node: &Node) -> Vec<Node> {
    let mut all: Vec<Node> = match node {
        // A statement of another instance cannot replace one of this instance.
        Node::Child(_) => Vec::new(),
        node => node.parts().into_iter().cloned().collect(),
    };
    match node {
        Node::Seq(nodes) => all.extend(smaller_lists(nodes).into_iter().map(Node::Seq)),
        Node::Join(nodes, most) => {
            all.extend(most.map(|_| Node::Join(nodes.clone(), None)));
            let lists = smaller_lists(nodes).into_iter();
            all.extend(lists.map(|nodes| Node::Join(nodes, *most)));
        }
        Node::TryJoin(nodes) => all.extend(smaller_lists(nodes).into_iter().map(Node::TryJoin)),
        Node::Select(nodes) => all.extend(smaller_lists(nodes).into_iter().map(Node::Select)),
        Node::Completed(nodes, wanted, pause) => {
            let lists = smaller_lists(nodes).into_iter();
            all.extend(lists.map(|nodes| Node::Completed(nodes, *wanted, *pause)));
        }
        Node::Race(one, two) => {
            let ones = smaller_boxes(one);
            all.extend(ones.map(|one| Node::Race(one, two.clone())));
            let twos = smaller_boxes(two);
            all.extend(twos.map(|two| Node::Race(one.clone(), two)));
        }
        Node::Catch(one) => all.extend(smaller_boxes(one).map(Node::Catch)),
        Node::Last(one) => all.extend(smaller_boxes(one).map(Node::Last)),
        Node::Bomb(one) => all.extend(smaller_boxes(one).map(Node::Bomb)),
        Node::Timeout(limit, one) => {
            all.extend(smaller_boxes(one).map(|one| Node::Timeout(*limit, one)));
        }
        Node::Held(held) => {
            let meanwhile = smaller_boxes(&held.meanwhile);
            let held = |meanwhile| Node::Held(Held { meanwhile, ..held.clone() });
            all.extend(meanwhile.map(held));
        }
        Node::Activity(call) => {
            let options = smaller_options(&call.options).into_iter();
            all.extend(options.map(|options| Node::Activity(Activity { options, ..call.clone() })));
        }
        Node::Child(call) => {
            let options = smaller_options(&call.options).into_iter();
            all.extend(options.map(|options| Node::Child(Child { options, ..call.clone() })));
            let programs = smaller_programs(&call.program).into_iter().map(Box::new);
            all.extend(programs.map(|program| Node::Child(Child { program, ..call.clone() })));
        }
        Node::Section(keys, pause) if keys.len() > 1 => {
            all.push(Node::Section(keys[..1].to_vec(), *pause));
        }
        // Round times are easier to read.
        Node::Timer(time) if time % SECOND != 0 && *time > SECOND => {
            all.push(Node::Timer(time / SECOND * SECOND));
        }
        _ => {}
    }
    all
}

fn smaller_options(options: &Options) -> Vec<Options> {
    let mut all = Vec::new();
    if options.retry.is_some() {
        all.push(Options { retry: None, ..options.clone() });
    }
    if options.timeout.is_some() {
        all.push(Options { timeout: None, ..options.clone() });
    }
    if options.attempt_timeout.is_some() {
        all.push(Options { attempt_timeout: None, ..options.clone() });
    }
    all
}
