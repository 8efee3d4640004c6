//! I6: events reach waits in order.
//!
//! "The waits for one name receive its events in order: the oldest wait gets the oldest event"
//! (`ExternalEventWait`).

use durable::protocol::{EventKind, HistoryEvent, InstanceRecord};

use crate::trace::ORDERED;

/// A custom status lists what some waits got, the oldest wait first.
pub(super) fn events_in_order(
    record: &InstanceRecord,
    history: &[HistoryEvent],
) -> Result<(), String> {
    let status = record.custom_status.as_ref();
    let Some(Ok((what, name, got))) =
        status.map(durable::protocol::Json::read::<(String, String, Vec<u64>)>)
    else {
        return Ok(());
    };
    if what != ORDERED {
        return Ok(());
    }
    let raised: Vec<u64> = history
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::EventRaised { name: raised, input } if *raised == name => input.read().ok(),
            _ => None,
        })
        .collect();
    // Orchestrations send 0, which does not show the order.
    let places = got
        .iter()
        .filter(|number| **number > 0)
        .filter_map(|number| raised.iter().position(|it| it == number));
    if places.is_sorted() {
        return Ok(());
    }
    Err(format!("I6 {} gets {got:?}, and they came as {raised:?}", record.instance_id))
}
