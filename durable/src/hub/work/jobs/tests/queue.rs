//! The queue against a map that is in order.

use std::collections::BTreeMap;

use super::key;
use crate::chance;
use crate::hub::work::jobs::queue::JobQueue;

#[test]
fn it_holds_what_a_map_holds_and_is_at_most_half_empty() {
    for seed in 0..200 {
        let mut drawn = 0;
        let mut below = |end| {
            drawn += 1;
            chance::number(seed, drawn) % end
        };
        let (mut queue, mut map) = (JobQueue::default(), BTreeMap::new());
        for number in 1..400_u64 {
            match below(6) {
                0..3 => {
                    let key = key(i32::try_from(number).unwrap());
                    queue.insert(number, key);
                    map.insert(number, key);
                }
                3 => assert_eq!(queue.pop_first(), map.pop_first(), "{seed}"),
                // It returns, as a job does that was set aside.
                4 => {
                    let (queued, expected) = (queue.pop_first(), map.pop_first());
                    assert_eq!(queued, expected, "{seed}");
                    let Some((first, key)) = queued else { continue };
                    if let Some(second) = queue.pop_first() {
                        queue.insert(second.0, second.1);
                    }
                    queue.insert(first, key);
                    map.insert(first, key);
                }
                _ => {
                    let number = below(number + 1);
                    assert_eq!(queue.remove(number), map.remove(&number).is_some(), "{seed}");
                }
            }
            assert_eq!((queue.len(), queue.is_empty()), (map.len(), map.is_empty()), "{seed}");
            assert!(queue.places() <= 2 * queue.len(), "{seed}");
        }
    }
}
