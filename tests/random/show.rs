//! A case in readable form: the program almost as it would be written, and its script.

use std::fmt::Write;

use crate::program::{Case, ChildId, Held, Micros, Node, Options, Program, SECOND};

pub(crate) fn show(case: &Case) -> String {
    let mut text = format!("  {:?}, {} partition(s)\n", case.profile, case.partitions);
    program(&mut text, &case.program, 1);
    for (at, action) in &case.script {
        writeln!(text, "  at {}: {action:?}", time(*at)).expect("a text takes all");
    }
    text
}

fn time(time: Micros) -> String {
    let (seconds, micros) = (time / SECOND, time % SECOND);
    if micros == 0 { format!("{seconds}s") } else { format!("{seconds}.{micros:06}s") }
}

fn program(text: &mut String, program: &Program, depth: usize) {
    if program.generations > 0 {
        line(text, depth, &format!("continues as new {} times:", program.generations));
    }
    node(text, &program.body, depth);
}

fn line(text: &mut String, depth: usize, what: &str) {
    writeln!(text, "{:1$}{what}", "", 2 * depth).expect("a text takes all");
}

fn block(text: &mut String, depth: usize, head: &str, nodes: &[Node]) {
    line(text, depth, &format!("{head} {{"));
    for part in nodes {
        node(text, part, depth + 1);
    }
    line(text, depth, "}");
}

fn node(text: &mut String, which: &Node, depth: usize) {
    use std::slice::from_ref;
    match which {
        Node::Timer(of) => line(text, depth, &format!("timer({})", time(*of))),
        Node::Activity(call) => {
            line(text, depth, &format!("activity({:?}){}", call.does, options(&call.options)));
        }
        Node::Child(call) => {
            let id = if call.id == ChildId::Generated {
                String::new()
            } else {
                format!("{:?}", call.id)
            };
            line(text, depth, &format!("child({id}){} {{", options(&call.options)));
            program(text, &call.program, depth + 1);
            line(text, depth, "}");
        }
        Node::Event(name, limit) => {
            let limit = limit.map(|limit| format!(" for {}", time(limit))).unwrap_or_default();
            line(text, depth, &format!("event({name}){limit}"));
        }
        Node::Section(keys, pause) => {
            line(text, depth, &format!("lock({keys:?}) for {}", time(*pause)));
        }
        Node::Seq(nodes) => block(text, depth, "", nodes),
        Node::Last(one) => block(text, depth, "in the last generation", from_ref(one)),
        Node::Catch(one) => block(text, depth, "catch", from_ref(one)),
        Node::Join(nodes, None) => block(text, depth, "join_all", nodes),
        Node::Join(nodes, Some(most)) => {
            block(text, depth, &format!("join_all at_most {most}"), nodes);
        }
        Node::TryJoin(nodes) => block(text, depth, "try_join_all", nodes),
        Node::Race(one, two) => block(text, depth, "race", &[(**one).clone(), (**two).clone()]),
        Node::Select(nodes) => block(text, depth, "select_all", nodes),
        Node::Completed(nodes, wanted, pause) => {
            let head = format!("as_completed, the first {wanted}, {} after each", time(*pause));
            block(text, depth, &head, nodes);
        }
        Node::Timeout(limit, one) => {
            block(text, depth, &format!("timeout({})", time(*limit)), from_ref(one));
        }
        Node::Held(Held { wait, limit, meanwhile, is_awaited }) => {
            block(text, depth, &format!("let wait, awaited for {}", time(*limit)), from_ref(wait));
            block(text, depth, "then", from_ref(meanwhile));
            line(text, depth, if *is_awaited { "wait.await" } else { "drop(wait)" });
        }
        Node::Bomb(one) => block(text, depth, "with a destructor that panics", from_ref(one)),
        other => line(text, depth, &format!("{other:?}")),
    }
}

fn options(options: &Options) -> String {
    let mut text = String::new();
    if let Some(retry) = &options.retry {
        write!(text, ".retry({} times, {}", retry.attempts, time(retry.first))
            .expect("it takes all");
        text += if retry.doubles { ", doubled" } else { "" };
        for (name, limit) in [("at most", retry.max_interval), ("within", retry.timeout)] {
            let limit = limit.map(|limit| format!(", {name} {}", time(limit)));
            text += &limit.unwrap_or_default();
        }
        text += ")";
    }
    for (name, limit) in
        [("timeout", options.timeout), ("attempt_timeout", options.attempt_timeout)]
    {
        let limit = limit.map(|limit| format!(".{name}({})", time(limit)));
        text += &limit.unwrap_or_default();
    }
    text
}
