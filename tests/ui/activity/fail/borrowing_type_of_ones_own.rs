use durable::prelude::*;

struct Line<'a>(&'a str);

#[activity]
async fn first(text: &str) -> Option<Line<'_>> {
    text.lines().next().map(Line)
}

fn main() {}
