//! Makes a failing case smaller, for as long as it fails in the same way.
//!
//! A case is edited as JSON, so this file does not depend on the grammar: an edit whose result is
//! not a case is skipped. Rules:
//! 1. A smaller case is accepted only if it fails with the same rule and the same text, except for
//!    numbers and names. Any other failure is kept, but not shrunk.
//! 2. Each edit is tried with the same schedule, and then with newly drawn schedules of the same
//!    kind, because an edit shifts everything after it.
//! 3. The numbers of events and of operations of entities are left alone, because rules identify
//!    the operations by them, and because they increase with each operation of a client.
//! 4. The passes are: whole clients, sizes, operations, programs, values, and finally the schedule.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use durable::testing::sim::Choices;
use serde_json::Value;

use crate::case::Case;
use crate::client::Op;
use crate::failure::Kind;
use crate::search::now;

/// The maximum number of runs.
const RUNS_MAX: u32 = 2000;
/// The maximum time.
const TIME_MAX: Duration = Duration::from_mins(1);
/// The number of schedules that are drawn for an edit.
const REDRAWN: u64 = 3;

/// The result of a failing run: the failure, and the case with its schedule.
pub(crate) type Attempt = Option<(String, Case)>;

/// A case that is being made smaller.
pub(crate) struct Shrinker<R> {
    /// The smallest case so far, and its result.
    pub(crate) case: Case,
    pub(crate) failure: String,
    kind: Kind,
    run: R,
    pub(crate) runs: u32,
    began: Instant,
    /// Other failures that occurred, the first of each kind.
    pub(crate) others: BTreeMap<Kind, (String, Case)>,
}

impl<R: FnMut(&Case, Choices) -> Attempt> Shrinker<R> {
    pub(crate) fn new(case: Case, failure: String, run: R) -> Self {
        let kind = Kind::of(&failure);
        Self { case, failure, kind, run, runs: 0, began: now(), others: BTreeMap::new() }
    }

    /// Makes the case as small as possible.
    pub(crate) fn shrink(&mut self) {
        loop {
            let before = size(&self.json());
            self.shorten("/clients");
            self.shorten("/deployments");
            self.simplify_options();
            for client in 0..self.case.clients.len() {
                self.shorten(&format!("/clients/{client}"));
            }
            self.simplify_all();
            self.shorten_schedule();
            if size(&self.json()) >= before || self.is_over() {
                break;
            }
        }
    }

    fn json(&self) -> Value {
        serde_json::to_value(&self.case).unwrap_or_default()
    }

    fn is_over(&self) -> bool {
        self.runs >= RUNS_MAX || self.began.elapsed() > TIME_MAX
    }

    /// Accepts this case if it fails in the same way.
    fn accepts(&mut self, json: Value, redrawn: u64) -> bool {
        let Ok(case) = serde_json::from_value::<Case>(json) else { return false };
        if case == self.case || !keeps_numbers(&case, &self.case) {
            return false;
        }
        if self.fails(&case, case.choices()) {
            return true;
        }
        (0..redrawn).any(|number| {
            // The first one has the policy of the seed, the others have their own.
            let mut choices = Choices::new(case.seed.wrapping_add(number << 32));
            let _ = Case::draw(&mut choices, Some(case.options.nodes));
            self.fails(&case, choices)
        })
    }

    fn fails(&mut self, case: &Case, choices: Choices) -> bool {
        if self.is_over() {
            return false;
        }
        self.runs += 1;
        let Some((failure, case)) = (self.run)(case, choices) else { return false };
        let kind = Kind::of(&failure);
        if kind != self.kind {
            self.others.entry(kind).or_insert((failure, case));
            return false;
        }
        (self.case, self.failure) = (case, failure);
        true
    }

    /// Removes as many elements of a list as possible, large pieces first.
    fn shorten(&mut self, pointer: &str) {
        let length = |json: &Value| json.pointer(pointer).and_then(Value::as_array).map(Vec::len);
        let mut piece = length(&self.json()).unwrap_or(0);
        while piece > 0 {
            let mut from = 0;
            while from < length(&self.json()).unwrap_or(0) && !self.is_over() {
                let mut json = self.json();
                let Some(Value::Array(list)) = json.pointer_mut(pointer) else { return };
                list.drain(from..(from + piece).min(list.len()));
                if !self.accepts(json, REDRAWN) {
                    from += piece;
                }
            }
            piece /= 2;
        }
    }

    /// Sets sizes to their production values and options to the simplest ones, unless that hides
    /// the failure.
    fn simplify_options(&mut self) {
        for all_at_once in [true, false] {
            let names: Vec<_> = self.case.sizes.keys().cloned().collect();
            if all_at_once {
                let mut json = self.json();
                json["sizes"] = Value::Object(serde_json::Map::new());
                if self.accepts(json, REDRAWN) {
                    break;
                }
                continue;
            }
            for name in names {
                let mut json = self.json();
                if let Some(sizes) = json["sizes"].as_object_mut() {
                    sizes.remove(&name);
                }
                self.accepts(json, 1);
            }
        }
        for (option, simplest) in [
            ("nodes", 1),
            ("partitions", 1),
            ("live", 1000),
            ("activities", 100),
            ("entities", 100),
        ] {
            let mut json = self.json();
            json["options"][option] = simplest.into();
            self.accepts(json, 1);
        }
    }

    /// Simplifies each part of the programs and operations, from the outside in.
    fn simplify_all(&mut self) {
        let mut at = 0;
        loop {
            let json = self.json();
            let mut pointers = Vec::new();
            collect(&json["clients"], "/clients", &mut pointers);
            let Some(pointer) = pointers.get(at).filter(|_| !self.is_over()) else { return };
            if !self.simplify(&json, pointer) {
                at += 1;
            }
        }
    }

    /// Tries simpler values in place of a value.
    fn simplify(&mut self, json: &Value, pointer: &str) -> bool {
        let Some(value) = json.pointer(pointer) else { return false };
        let mut json = json.clone();
        simpler(value).into_iter().any(|simpler| {
            if let Some(place) = json.pointer_mut(pointer) {
                *place = simpler;
            }
            self.accepts(json.clone(), 1)
        })
    }

    /// Removes choices that the schedule does not need, whole streams first.
    fn shorten_schedule(&mut self) {
        let mut streams: Vec<_> = self.case.deviations.iter().map(|it| it.0.clone()).collect();
        streams.dedup();
        for stream in streams {
            let deviations = self.case.deviations.iter().filter(|it| it.0 != stream).cloned();
            let case = Case { deviations: deviations.collect(), ..self.case.clone() };
            self.fails(&case, case.choices());
        }
        let mut piece = self.case.deviations.len();
        while piece > 0 {
            let mut from = 0;
            while from < self.case.deviations.len() && !self.is_over() {
                let mut case = self.case.clone();
                case.deviations.drain(from..(from + piece).min(case.deviations.len()));
                let choices = case.choices();
                if !self.fails(&case, choices) {
                    from += piece;
                }
            }
            piece /= 2;
        }
    }
}

/// Whether an edit added no numbers of operations and kept their order.
fn keeps_numbers(edited: &Case, case: &Case) -> bool {
    let mut before = numbers(case);
    numbers(edited).all(|number| before.any(|it| it == number))
}

/// The numbers of the clients' operations.
fn numbers(case: &Case) -> impl Iterator<Item = u64> {
    case.clients.iter().flatten().filter_map(Op::number)
}

/// Simpler values, the simplest first: a part of a list, a part in place of the whole, nothing,
/// smaller numbers, other names.
fn simpler(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match value {
        Value::Array(list) => {
            for index in 0..list.len() {
                let mut shorter = list.clone();
                shorter.remove(index);
                all.push(Value::Array(shorter));
            }
            parts(value, &mut all);
        }
        Value::Object(_) => {
            all.push(Value::Null);
            parts(value, &mut all);
        }
        Value::Number(number) => {
            all.push(Value::Null);
            let number = number.as_u64().unwrap_or(0);
            // Some numbers are counted from 1, and 0 means nothing.
            let smaller =
                [1, number / 2].into_iter().filter(|smaller| (1..number).contains(smaller));
            all.extend(smaller.map(Value::from));
        }
        Value::String(name) if name != "Second" => all.extend([Value::Null, "Second".into()]),
        Value::Bool(true) => all.push(false.into()),
        _ => {}
    }
    all
}

/// The objects and names inside a value, which may replace it.
fn parts(value: &Value, all: &mut Vec<Value>) {
    let inner: Vec<&Value> = match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    };
    for inner in inner {
        if matches!(inner, Value::Object(_)) {
            all.push(inner.clone());
        }
        if all.len() < 40 {
            parts(inner, all);
        }
    }
}

/// The JSON pointers of all values, outer values before inner ones.
fn collect(value: &Value, pointer: &str, all: &mut Vec<String>) {
    all.push(pointer.to_owned());
    match value {
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                collect(value, &format!("{pointer}/{index}"), all);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                collect(value, &format!("{pointer}/{name}"), all);
            }
        }
        _ => {}
    }
}

/// The size of a value: the number of its parts.
pub(crate) fn size(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(size).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(size).sum::<usize>(),
        Value::Number(number) => 1 + usize::from(number.as_u64() != Some(0)),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use durable::testing::sim::Deviation;

    use super::*;

    fn text(case: &Case) -> String {
        serde_json::to_string(&case.clients).unwrap()
    }

    /// A case with all the conditions of `fails`, and much else.
    fn large() -> Case {
        let drawn = (0..).map(|seed| Case::draw(&mut Choices::new(seed), None));
        let is_large = |case: &Case| {
            let text = text(case);
            case.nodes() > 50 && text.contains("\"Terminate\"") && text.contains("\"Activity\"")
        };
        let case = drawn.into_iter().find(is_large).unwrap();
        let deviation = |at| Deviation("schedule".to_owned(), at, 1);
        Case { deviations: (0..100).map(deviation).collect(), ..case }
    }

    /// Fails if something is terminated, an activity is called, and one choice was not the simplest.
    fn fails(case: &Case) -> Option<String> {
        let text = text(case);
        let has_all = text.contains("\"Terminate\"") && text.contains("\"Activity\"");
        let is_chosen = case.deviations.iter().any(|deviation| deviation.1 == 42);
        match (has_all, is_chosen) {
            (true, true) => Some(format!("I1 instance i{} is lost", text.len())),
            (true, false) if case.clients.len() == 1 => Some("I2 another failure".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn only_what_a_failure_needs_is_left() {
        let case = large();
        let failure = fails(&case).unwrap();
        let run = |case: &Case, _| fails(case).map(|failure| (failure, case.clone()));
        let mut shrinker = Shrinker::new(case, failure, run);
        shrinker.shrink();
        let case = &shrinker.case;
        assert!(shrinker.failure.starts_with("I1"), "it follows no other failure");
        let operations: usize = case.clients.iter().map(Vec::len).sum();
        assert!(operations <= 2 && case.nodes() <= 3, "{}", text(case));
        assert_eq!(case.deviations, [Deviation("schedule".to_owned(), 42, 1)]);
        assert!(case.sizes.is_empty());
        assert!(shrinker.runs < RUNS_MAX);
    }

    #[test]
    fn operations_keep_their_numbers() {
        let drawn = (0..).map(|seed| Case::draw(&mut Choices::new(seed), None));
        let case = drawn.into_iter().find(|case| numbers(case).count() > 20).unwrap();
        let original: Vec<u64> = numbers(&case).collect();
        // Only the number of operations matters to the failure.
        let fails = |case: &Case| numbers(case).count() > 4;
        let run = |case: &Case, _| fails(case).then(|| ("I1 lost".to_owned(), case.clone()));
        let mut shrinker = Shrinker::new(case, "I1 lost".to_owned(), run);
        shrinker.shrink();
        let left: Vec<u64> = numbers(&shrinker.case).collect();
        assert_eq!(left.len(), 5);
        let mut original = original.iter();
        assert!(left.iter().all(|number| original.any(|it| it == number)), "{left:?}");
    }
}
