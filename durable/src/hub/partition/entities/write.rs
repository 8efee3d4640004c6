//! Writes entities.

use super::live::Live;
use crate::hub::commit::write::{Content, Effect};
use crate::hub::partition::core::Core;
use crate::store::EpisodeWrite;

/// Writes `content` and `effects`, and also the entity if it has changed. An entity with neither
/// state nor lock that is not set aside is removed from the store.
pub(super) fn write_entity(
    core: &mut Core,
    live: &mut Live,
    is_changed: bool,
    mut content: Content,
    effects: Vec<Effect>,
) {
    live.last_write = core.outbox.next_write();
    live.fired.forget(|write| core.outbox.is_durable(write));
    for signal in content.purged.iter().filter(|id| id.is_scheduled_signal()) {
        live.fired.remove(signal, live.last_write);
    }
    let id = live.entity_id.instance_id().clone();
    if is_changed {
        match live.written_form(core.now()) {
            Some((record, event)) => {
                let replaces = live.is_now_stored();
                let (partition, events) = (core.env.partition, vec![event]);
                content.episode = Some(EpisodeWrite { partition, record, events, replaces });
            }
            None if live.is_now_removed() => content.purged.push(id),
            None => {}
        }
    }
    core.write(content, effects);
}
