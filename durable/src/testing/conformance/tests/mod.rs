//! Tests of the suite: it matches the contract, accepts a correct store and finds each fault.

mod faulty;

use std::panic;

use self::faulty::{Fault, Place};
use super::POINTS;

/// The names in the numbered points of the contract, in the doc comment of `Store`.
fn contract() -> Vec<&'static str> {
    let source = include_str!("../../../store/mod.rs");
    let doc = source.split_once("# Contract").unwrap().1.split_once("# Threads").unwrap().0;
    let point = |(number, line): (usize, &'static str)| {
        let (said, rest) = line.split_once(". `").unwrap();
        assert_eq!(said, (number + 1).to_string(), "the points are numbered in order: {line}");
        rest.split_once('`').unwrap().0
    };
    let lines = doc.lines().filter_map(|line| line.strip_prefix("/// "));
    let begins_a_point = |line: &&str| line.starts_with(|first: char| first.is_ascii_digit());
    lines.filter(begins_a_point).enumerate().map(point).collect()
}

#[test]
fn the_suite_has_the_points_of_the_contract() {
    let points: Vec<&str> = POINTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(points, contract());
}

#[test]
fn a_correct_store_passes() {
    for (_, point) in POINTS {
        point(&Place::of(Fault::None));
    }
}

/// Runs each fault against the point that it breaks.
#[test]
fn every_fault_is_found_by_its_point() {
    let mut missed = Vec::new();
    for (fault, breaks) in Fault::ALL {
        let (_, point) = POINTS.iter().find(|(name, _)| name == breaks).unwrap();
        let run = panic::AssertUnwindSafe(|| point(&Place::of(*fault)));
        if panic::catch_unwind(run).is_ok() {
            missed.push((fault, breaks));
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}

#[test]
fn every_point_is_broken_by_a_fault() {
    for (name, _) in POINTS {
        assert!(Fault::ALL.iter().any(|(_, breaks)| breaks == name), "no fault breaks {name}");
    }
}
