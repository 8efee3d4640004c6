//! The clock of the hub, on a machine whose wall clock is adjusted.
//!
//! I15: "While the clock is behind, time goes on a little slower" (`docs/design.md`): it never goes back,
//! never stands still, and is right again once the wall clock has caught up.

use std::time::Duration;

use durable::protocol::Timestamp;
use durable::testing::sim::{Choices, HubClock, Stream};

/// The amounts by which the wall clock is adjusted, or by which it advances between two reads.
const AMOUNTS: [Duration; 7] = [
    Duration::from_micros(1),
    Duration::from_micros(999),
    Duration::from_millis(40),
    Duration::from_secs(3),
    Duration::from_mins(2),
    Duration::from_hours(5),
    Duration::from_hours(24 * 365),
];

/// Time may run slower by this fraction.
const SLOWER_BY: u32 = 16;

/// Timestamps have microseconds.
const ROUNDED: Duration = Duration::from_micros(2);

/// Sets the clocks of a machine as a seed chooses, and checks the time of the hub.
pub(crate) fn run(seed: u64) -> Result<(), String> {
    let mut choices = Choices::new(seed);
    let amount = |choices: &mut Choices| choices.one_of(Stream::Time, &AMOUNTS);
    let mut clock = HubClock::new();
    let mut calendar = Timestamp::from_micros(1_800_000_000_000_000).unwrap_or_default();
    let mut passed = Duration::ZERO;
    let mut last = clock.now(calendar, passed);
    for _ in 0..5 + choices.below(Stream::Time, 30) {
        match choices.below(Stream::Time, 4) {
            0 => calendar = Timestamp::new(calendar.to_datetime() - amount(&mut choices)),
            1 => calendar = calendar.after(amount(&mut choices)),
            _ => {}
        }
        // A change of the wall clock between two reads cannot be told from the passing of time.
        last = last.max(clock.now(calendar, passed));
        let step = amount(&mut choices);
        passed += step;
        calendar = calendar.after(step);
        let now = clock.now(calendar, passed);
        let slowest = last.after(step.saturating_sub(step / SLOWER_BY).saturating_sub(ROUNDED));
        if now < slowest {
            return Err(format!(
                "I15 the hub's clock goes from {last} to {now} while {step:?} pass"
            ));
        }
        if now > calendar.max(last.after(step + ROUNDED)) {
            return Err(format!("I15 the hub's clock shows {now}, and the machine's {calendar}"));
        }
        last = now;
    }
    Ok(())
}
