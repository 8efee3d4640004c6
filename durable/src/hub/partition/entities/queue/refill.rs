//! Reads messages that were left in the store.

use std::ops::Range;

use super::backlog::NextRead;
use super::queued::bytes_of;
use crate::hub::sizes::QueueSizes;
use crate::protocol::TaskMessage;

/// The result of a refill.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) messages: Vec<TaskMessage>,
    /// Their places: from the first to one past the last.
    pub(crate) places: Option<Range<u64>>,
}

impl NextRead {
    /// Reads from a store. `page` reads the first messages at the given places, up to a limit.
    pub(crate) fn read<E>(
        self,
        sizes: &QueueSizes,
        page: impl Fn(Range<u64>, usize) -> Result<Vec<(u64, TaskMessage)>, E>,
    ) -> Result<Found, E> {
        let Self { mut from, mut skip, count, bytes: bytes_max } = self;
        let (mut found, mut bytes, mut at_once) = (Found::default(), 0, sizes.first_read);
        while found.messages.len() < count && bytes < bytes_max {
            let page = page(from..u64::MAX, at_once)?;
            if page.is_empty() {
                break;
            }
            let size = page.iter().map(|(_, message)| bytes_of(message)).sum::<usize>();
            at_once = (bytes_max / size * page.len()).clamp(1, sizes.read);
            for (place, message) in page {
                from = place + 1;
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                if found.messages.len() == count || bytes >= bytes_max {
                    break;
                }
                let first = found.places.map_or(place, |places| places.start);
                found.places = Some(first..place + 1);
                bytes += bytes_of(&message);
                found.messages.push(message);
            }
        }
        Ok(found)
    }
}
