//! Jobs in the order of their arrival.
//!
//! Jobs are added at the back and taken from the front. A job that is removed in between leaves an
//! empty place, so no other job has to move; at most half of the places are empty.

use std::collections::VecDeque;

use crate::hub::work::job::JobKey;

#[derive(Debug, Default)]
pub(super) struct JobQueue {
    /// In the order of their numbers.
    places: VecDeque<Place>,
    /// The number of empty places.
    empty: usize,
}

#[derive(Debug)]
struct Place {
    /// The number of the job's arrival.
    number: u64,
    /// `None` if the job was removed.
    key: Option<JobKey>,
}

impl JobQueue {
    pub(super) fn insert(&mut self, number: u64, key: JobKey) {
        let place = Place { number, key: Some(key) };
        // Most jobs are the last to arrive; those that were set aside return near the front.
        if self.places.back().is_none_or(|last| last.number < number) {
            return self.places.push_back(place);
        }
        let index = self.places.partition_point(|other| other.number < number);
        self.places.insert(index, place);
    }

    pub(super) fn pop_first(&mut self) -> Option<(u64, JobKey)> {
        while let Some(Place { number, key }) = self.places.pop_front() {
            let Some(key) = key else {
                self.empty -= 1;
                continue;
            };
            self.compact();
            return Some((number, key));
        }
        None
    }

    /// Removes a job. Returns whether it was there.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        let found = self.places.binary_search_by_key(&number, |place| place.number);
        let place = found.ok().and_then(|index| self.places.get_mut(index));
        if place.and_then(|place| place.key.take()).is_none() {
            return false;
        }
        self.empty += 1;
        self.compact();
        true
    }

    /// Drops the empty places if they are more than half of all.
    fn compact(&mut self) {
        if self.empty > self.places.len() / 2 {
            self.places.retain(|place| place.key.is_some());
            self.empty = 0;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of jobs.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.empty
    }

    /// The number of places, with the empty ones.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
