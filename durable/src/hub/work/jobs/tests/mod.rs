//! Jobs against a model, and the cases that it does not reach.

mod queue;

use std::collections::BTreeSet;

use super::*;
use crate::chance;
use crate::engine::ScheduledTask;
use crate::protocol::{InstanceId, Json, PartitionId, Tags};
use crate::store::Epoch;

fn key(number: i32) -> JobKey {
    (ExecutionId::from_u128(1), number)
}

fn job((execution_id, event_id): JobKey, name: &'static str) -> Arc<Job> {
    let instance_id = InstanceId::new("instance").unwrap();
    let task = ScheduledTask {
        event_id,
        attempt: AttemptId::FIRST,
        name: name.into(),
        version: None,
        input: Json::null(),
        timeout: None,
        tags: Tags::new(),
        trace_context: None,
    };
    Arc::new(Job { instance_id, execution_id, task })
}

fn add(jobs: &mut Jobs, number: i32, name: &'static str, at_most: Option<usize>) -> bool {
    let (owner, _mail) = Ownership::new(PartitionId(0), Epoch(1));
    jobs.add(job(key(number), name), &owner, at_most)
}

fn next(jobs: &mut Jobs) -> Option<(JobKey, Ticket)> {
    jobs.next().map(|(job, ticket)| (job.key(), ticket))
}

fn is_empty(jobs: &Jobs) -> bool {
    jobs.waiting == 0
        && jobs.running == 0
        && jobs.entries.iter().all(|(_, entry)| entry.stage.is_none())
        && jobs.queue.is_empty()
        && jobs.limited.values().all(|limited| limited.aside.is_empty())
}

#[test]
fn a_cancelled_job_leaves_no_trace() {
    let mut jobs = Jobs::default();
    (0..4).for_each(|number| assert!(add(&mut jobs, number, "limited", Some(1))));
    let (first, ticket) = next(&mut jobs).unwrap();
    assert!(next(&mut jobs).is_none(), "the others stand aside");
    add(&mut jobs, 4, "limited", Some(1));
    add(&mut jobs, 5, "free", None);
    jobs.cancel_all(ExecutionId::from_u128(1));
    assert!(is_empty(&jobs), "{jobs:?}");
    assert!(ticket.token.is_cancelled());
    assert!(!jobs.end(&first, &ticket, None), "nobody waits for its result");
}

#[test]
fn a_free_slot_goes_to_the_next_job_if_the_first_is_cancelled() {
    let mut jobs = Jobs::default();
    (0..3).for_each(|number| assert!(add(&mut jobs, number, "limited", Some(1))));
    let (first, ticket) = next(&mut jobs).unwrap();
    assert!(next(&mut jobs).is_none());
    jobs.end(&first, &ticket, None);
    jobs.cancel(&key(1));
    assert_eq!(next(&mut jobs).map(|(key, _)| key), Some(key(2)));
}

#[test]
fn a_known_job_is_not_added_again() {
    let mut jobs = Jobs::default();
    assert!(add(&mut jobs, 0, "a", None));
    assert!(!add(&mut jobs, 0, "a", None));
    let (key, ticket) = next(&mut jobs).unwrap();
    assert!(!add(&mut jobs, 0, "a", None), "it is running");
    jobs.end(&key, &ticket, None);
    assert!(add(&mut jobs, 0, "a", None));
}

#[test]
fn an_attempt_whose_result_is_in_flight_is_not_added_again() {
    let mut jobs = Jobs::default();
    add(&mut jobs, 0, "a", None);
    let (key, ticket) = next(&mut jobs).unwrap();
    assert!(jobs.end(&key, &ticket, Some(AttemptId::FIRST)));
    assert!(!add(&mut jobs, 0, "a", None));
    assert!(is_empty(&jobs), "{jobs:?}");
    jobs.finish(&key, AttemptId::FIRST);
    assert!(add(&mut jobs, 0, "a", None));
}

#[test]
fn an_attempt_after_a_rewind_is_added_while_the_result_of_one_before_is_in_flight() {
    let mut jobs = Jobs::default();
    add(&mut jobs, 0, "a", None);
    let (key, ticket) = next(&mut jobs).unwrap();
    assert!(jobs.end(&key, &ticket, Some(AttemptId::FIRST)));
    let mut again = job(key, "a");
    let attempt = AttemptId { rewinds: 1, ..AttemptId::FIRST };
    Arc::get_mut(&mut again).unwrap().task.attempt = attempt;
    let (owner, _mail) = Ownership::new(PartitionId(0), Epoch(1));
    assert!(jobs.add(again, &owner, None));
    jobs.finish(&key, AttemptId::FIRST);
    let (key, ticket) = next(&mut jobs).unwrap();
    assert!(jobs.end(&key, &ticket, Some(attempt)), "its result is wanted");
}

#[test]
fn the_jobs_of_a_lost_partition_are_forgotten() {
    let mut jobs = Jobs::default();
    let (lost, _mail) = Ownership::new(PartitionId(0), Epoch(1));
    for number in 0..3 {
        assert!(jobs.add(job(key(number), "a"), &lost, None));
    }
    let (reported, ticket) = next(&mut jobs).unwrap();
    assert!(jobs.end(&reported, &ticket, Some(AttemptId::FIRST)));
    let (running, ticket) = next(&mut jobs).unwrap();
    lost.lose();
    jobs.forget_lost();
    assert!(jobs.entries.iter().next().is_none() && is_empty(&jobs), "{jobs:?}");
    assert!(ticket.token.is_cancelled());
    for number in 0..3 {
        assert!(add(&mut jobs, number, "a", None), "the next owner runs it");
    }
    assert!(!jobs.end(&running, &ticket, Some(AttemptId::FIRST)), "nobody waits for the result");
}

#[test]
fn a_lost_partition_adds_no_job() {
    let mut jobs = Jobs::default();
    let (lost, _mail) = Ownership::new(PartitionId(0), Epoch(1));
    lost.lose();
    jobs.forget_lost();
    assert!(!jobs.add(job(key(0), "a"), &lost, None), "it has not noticed its loss yet");
    assert!(add(&mut jobs, 0, "a", None), "the next owner runs it");
}

/// The model: jobs in the order of arrival, and running jobs.
#[derive(Default)]
struct Truth {
    waiting: Vec<(JobKey, &'static str, Option<usize>)>,
    running: Vec<(JobKey, &'static str, Ticket)>,
    cancelled: BTreeSet<JobKey>,
}

impl Truth {
    /// The oldest job that may run.
    fn next(&mut self) -> Option<(JobKey, &'static str)> {
        let running = |name| self.running.iter().filter(|(_, it, _)| *it == name).count();
        let may_run = |&(_, name, at_most): &(_, &'static str, Option<usize>)| {
            at_most.is_none_or(|at_most| running(name) < at_most)
        };
        let place = self.waiting.iter().position(may_run)?;
        let (key, name, _) = self.waiting.remove(place);
        Some((key, name))
    }
}

#[test]
fn jobs_begin_in_order_within_their_limits() {
    for seed in 0..200 {
        let mut drawn = 0;
        let mut below = |end| {
            drawn += 1;
            usize::try_from(chance::number(seed, drawn) % end).unwrap()
        };
        let (mut jobs, mut truth) = (Jobs::default(), Truth::default());
        for number in 0..400 {
            match below(7) {
                0..3 => {
                    let (name, at_most) = [("a", None), ("b", Some(1)), ("c", Some(2))][below(3)];
                    add(&mut jobs, number, name, at_most);
                    truth.waiting.push((key(number), name, at_most));
                }
                3..5 => {
                    let begun = next(&mut jobs);
                    let expected = truth.next();
                    assert_eq!(begun.as_ref().map(|it| it.0), expected.map(|it| it.0), "{seed}");
                    if let (Some((key, ticket)), Some((_, name))) = (begun, expected) {
                        truth.running.push((key, name, ticket));
                    }
                }
                5 if !truth.running.is_empty() => {
                    let place = below(truth.running.len() as u64);
                    let (key, _, ticket) = truth.running.remove(place);
                    let is_wanted = !truth.cancelled.contains(&key);
                    assert_eq!(jobs.end(&key, &ticket, None), is_wanted, "{seed}");
                }
                _ => {
                    let key =
                        key(i32::try_from(below(u64::from(number.unsigned_abs()) + 1)).unwrap());
                    jobs.cancel(&key);
                    truth.waiting.retain(|(it, ..)| *it != key);
                    truth.cancelled.insert(key);
                }
            }
            assert_eq!(jobs.waiting, truth.waiting.len(), "{seed}");
            let running = jobs.entries.iter().filter_map(|(_, entry)| entry.running()).count();
            assert_eq!(jobs.running, running, "{seed}");
            let aside = jobs.limited.values().map(|limited| limited.aside.len()).sum::<usize>();
            assert_eq!(jobs.queue.len() + aside, jobs.waiting, "{seed}");
        }
    }
}
