//! Application patterns: chains, sagas, human interaction, aggregation, versioned entities.

#![deny(warnings, missing_docs, unreachable_pub)]

use std::collections::BTreeMap;
use std::time::Duration;

use durable::task::Race2;
use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Trip {
    town: String,
    nights: u32,
}

#[activity]
async fn book(what: &str, trip: &Trip) -> Result<String> {
    Ok(format!("{what} in {} for {}", trip.town, trip.nights))
}

#[activity]
async fn cancel(booking: &str) -> Result<()> {
    println!("cancelled: {booking}");
    Ok(())
}

#[orchestrator]
async fn chain(ctx: &OrchestrationContext, trip: Trip) -> Result<String> {
    let flight = book("flight", &trip).await?;
    let hotel = book("hotel", &trip).await?;
    Ok(format!("{flight}, {hotel}"))
}

/// What was booked is cancelled if the rest cannot be.
#[orchestrator]
async fn saga(ctx: &OrchestrationContext, trip: Trip) -> Result<Vec<String>> {
    let mut booked = Vec::new();
    for what in ["flight", "hotel", "car"] {
        match book(what, &trip).await {
            Ok(booking) => booked.push(booking),
            Err(error) => {
                for booking in booked.iter().rev() {
                    cancel(booking).await?;
                }
                return Err(error.into());
            }
        }
    }
    Ok(booked)
}

#[orchestrator]
async fn held_until_paid(ctx: &OrchestrationContext, trip: Trip) -> Result<Option<String>> {
    let booking = book("hotel", &trip).await?;
    let paid = ctx.wait_for_external_event::<u64>("Paid");
    let three_days = ctx.create_timer(Duration::from_hours(72));
    match durable::race((paid, three_days)).await {
        Race2::First(cents) => Ok(Some(format!("{booking}, paid: {}", cents?))),
        Race2::Second(()) => {
            cancel(&booking).await?;
            Ok(None)
        }
    }
}

#[orchestrator]
async fn by_town(ctx: &OrchestrationContext, trips: Vec<Trip>) -> Result<BTreeMap<String, u32>> {
    let _ = durable::try_join_all(trips.iter().map(|trip| book("hotel", trip))).await?;
    let mut nights = BTreeMap::new();
    for Trip { town, nights: more } in trips {
        *nights.entry(town).or_default() += more;
    }
    Ok(nights)
}

#[durable::helper]
async fn book_both(trip: &Trip) -> Result<(String, String)> {
    Ok(durable::try_join((book("flight", trip), book("hotel", trip))).await?)
}

#[durable::deterministic]
fn longest(trips: &[Trip]) -> Option<&Trip> {
    trips.iter().max_by_key(|trip| trip.nights)
}

#[orchestrator]
async fn with_helpers(ctx: &OrchestrationContext, trips: Vec<Trip>) -> Result<String> {
    let Some(trip) = longest(&trips) else { return Ok(String::new()) };
    let (flight, hotel) = book_both(trip).await?;
    Ok(format!("{flight}, {hotel}"))
}

/// Each trip has a task of its own, and blocks take several steps.
#[orchestrator]
async fn every_trip(ctx: &OrchestrationContext, trips: Vec<Trip>) -> Result<Vec<String>> {
    let both = |trip: Trip| async move {
        let flight = book("flight", &trip).await?;
        Result::<String>::Ok(format!("{flight}, {}", book("hotel", &trip).await?))
    };
    durable::try_join_all(trips.into_iter().map(both)).at_most(3).await
}

fn main() {}
