//! Continue-as-new: runs the next generations of an instance, many in one write.

use std::time::Duration;

use super::core::Environment;
use super::episode::{first_episode, verified};
use super::resident::Resident;
use crate::engine::{Episode, Outcome};
use crate::hub::commit::write::{Content, Effect};

/// The maximum number of generations of an instance in one turn, so that other instances get their
/// turns: `usual`, or more.
///
/// The last generation of a turn is written with all unread events. If each generation reads one
/// event and a turn had a fixed length, a large backlog would be written again and again, so a turn
/// grows with the backlog: writing eight events takes about as long as running one generation, so
/// such a turn takes no longer than the write that ends it.
fn generations_per_turn(unread: usize, usual: usize) -> usize {
    (unread / 8).clamp(usual, 16_384)
}

/// Runs generations until one does not continue as new, or the turn is over. Returns the first
/// episode of the last one; the actions of those before it are added to `content` and `effects`.
pub(super) fn continue_as_new(
    env: &Environment,
    resident: &mut Resident,
    mut episode: Episode,
    content: &mut Content,
    effects: &mut Vec<Effect>,
) -> Episode {
    let mut turn = 0;
    while let Outcome::ContinuedAsNew(continuation) = episode.outcome {
        turn += 1;
        for action in episode.actions {
            resident.act(action, content, effects);
        }
        let Some((mut started, unread)) = resident.next_generation(*continuation) else {
            return Episode::nothing();
        };
        started.properties = env.settings.properties.as_ref().clone();
        let now = env.clock.now();
        if turn > generations_per_turn(unread.len(), env.settings.sizes.generations) {
            mark!("generations: the next one waits for another turn");
            // Due immediately, but after the instances that are waiting now.
            started.scheduled_start = Some(now.after(Duration::from_micros(1)));
        }
        resident.reset_for(&started);
        let first = first_episode(env, resident, started, unread, now);
        episode = verified(env, resident, first);
    }
    episode
}

#[cfg(test)]
mod tests {
    use super::generations_per_turn;
    use crate::hub::sizes::Sizes;

    /// Counts the written events while a backlog is read, one event per generation.
    fn written(backlog: usize) -> usize {
        let (mut unread, mut turn, mut written) = (backlog, 0, 0);
        while unread > 0 {
            unread -= 1;
            turn += 1;
            if turn > generations_per_turn(unread, Sizes::PRODUCTION.generations) {
                (turn, written) = (0, written + unread);
            }
        }
        written
    }

    #[test]
    fn a_backlog_is_written_in_proportion_to_its_length() {
        for backlog in [1, 100, 1_000, 10_000, 100_000, 1_000_000] {
            let written = written(backlog);
            assert!(written <= 32 * backlog, "{written} events for a backlog of {backlog}");
        }
    }
}
