//! The application patterns of Durable Functions as Microsoft documents them: chaining, fan-out, monitors,
//! human interaction, eternal orchestrations.

use std::collections::BTreeMap;

use durable::RuntimeStatus;
use durable::client::StartError;
use durable::prelude::*;
use durable::task::{Race2, Race3};
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};

use crate::common::{DAY, HOUR, MINUTE, SECOND, World, act, on_every_hub, on_unverified_hubs};

#[orchestrator]
async fn e1_hello_sequence(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let mut outputs = Vec::new();
    for city in ["Tokyo", "Seattle", "London"] {
        outputs.push(act(format!("Hello {city}!")).await?);
        ctx.set_custom_status(&city)?;
    }
    Ok(outputs)
}

#[tokio::test]
async fn e1_greets_three_cities_and_reports_its_progress() -> Result<()> {
    on_every_hub(async |hub, _| {
        let run = hub.start(e1_hello_sequence()).await?;
        assert_eq!(run.result().await?, ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]);
        assert_eq!(run.custom_status::<String>().await?.as_deref(), Some("London"));
        Ok(())
    })
    .await
}

#[activity]
async fn e2_get_file_list(root: &str) -> Vec<String> {
    (0..20).map(|n| format!("{root}/{n}")).collect()
}

#[activity]
fn e2_copy_file_to_blob(world: State<World>, path: &str) -> u64 {
    world.log(format!("copied {path}"));
    path.len() as u64
}

#[orchestrator]
async fn e2_backup_site_content(ctx: &OrchestrationContext, root: String) -> Result<u64> {
    let files = e2_get_file_list(&root).await?;
    let copies = files.iter().map(|file| e2_copy_file_to_blob(file));
    Ok(durable::try_join_all(copies).await?.iter().sum())
}

#[tokio::test]
async fn e2_backs_up_a_folder_and_returns_the_bytes() -> Result<()> {
    on_every_hub(async |hub, world| {
        let run = hub.start(e2_backup_site_content("/home".into())).await?;
        assert_eq!(run.result().await?, 10 * 7 + 10 * 8);
        assert_eq!(world.count("copied"), 20);
        Ok(())
    })
    .await
}

#[derive(Serialize, Deserialize)]
struct MonitorRequest {
    city: String,
    phone: Option<String>,
}

#[activity]
async fn get_is_clear(world: State<World>, city: &str) -> bool {
    world.log(format!("looked at {city}"));
    world.count("looked") >= 4
}

#[orchestrator]
async fn e3_monitor(ctx: &OrchestrationContext, request: MonitorRequest) -> Result<bool> {
    let end = ctx.current_utc_datetime() + 6 * HOUR;
    while ctx.current_utc_datetime() < end {
        if get_is_clear(&request.city).await? {
            if let Some(phone) = &request.phone {
                act(format!("good weather alert to {phone}")).await?;
            }
            return Ok(true);
        }
        ctx.create_timer(30 * MINUTE).await;
    }
    Ok(false)
}

#[tokio::test]
async fn e3_checks_every_half_hour_until_the_weather_is_clear() -> Result<()> {
    on_every_hub(async |hub, world| {
        let began = hub.now();
        let request = MonitorRequest { city: "Seattle".into(), phone: Some("555".into()) };
        let run = hub.start(e3_monitor(request)).await?;
        assert!(run.result().await?);
        assert_eq!(hub.now(), began + 90 * MINUTE);
        assert_eq!(world.count("good weather alert to 555"), 1);
        Ok(())
    })
    .await
}

#[orchestrator]
async fn e4_sms_phone_verification(ctx: &OrchestrationContext, phone: String) -> Result<bool> {
    act(format!("challenge 1234 to {phone}")).await?;
    let mut expiry = ctx.create_timer(90 * SECOND);
    for _ in 0..3 {
        let answer = ctx.wait_for_external_event::<u32>("SmsChallengeResponse");
        match durable::race((answer, &mut expiry)).await {
            Race2::First(answer) => {
                if answer? == 1234 {
                    return Ok(true);
                }
            }
            Race2::Second(()) => return Ok(false),
        }
    }
    Ok(false)
}

#[tokio::test]
async fn e4_allows_three_attempts_and_ninety_seconds() -> Result<()> {
    on_every_hub(async |hub, _| {
        let right = hub.start(e4_sms_phone_verification("1".into())).await?;
        let wrong = hub.start(e4_sms_phone_verification("2".into())).await?;
        for code in [1, 2, 3_u32] {
            wrong.raise_event("SmsChallengeResponse", &code).await?;
            let code = if code == 3 { 1234 } else { code };
            right.raise_event("smschallengeresponse", &code).await?;
        }
        assert!(right.result().await?);
        assert!(!wrong.result().await?);
        let began = hub.now();
        let silent = hub.start(e4_sms_phone_verification("3".into())).await?;
        assert!(!silent.result().await?);
        assert_eq!(hub.now(), began + 90 * SECOND);
        assert_eq!(right.status().await?.next_due, None, "the expiry is cancelled");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn manual_start_starts_from_a_queue_and_waits_for_the_end() -> Result<()> {
    on_every_hub(async |hub, _| {
        let id = hub.start(e1_hello_sequence()).await?.instance_id().clone();
        let record = hub.instance(id.as_str())?.wait_for_completion().await?;
        assert_eq!(record.runtime_status, RuntimeStatus::Completed);
        let details = hub.instance(id.as_str())?.details().await?;
        assert_eq!(
            details.output.unwrap().as_str(),
            r#"["Hello Tokyo!","Hello Seattle!","Hello London!"]"#
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn http_start_single_rejects_a_second_start_while_the_first_runs() -> Result<()> {
    on_every_hub(async |hub, _| {
        let ended = [RuntimeStatus::Completed, RuntimeStatus::Failed, RuntimeStatus::Terminated];
        let call = || e4_sms_phone_verification("1".into()).instance_id("single").replace_if(ended);
        let first = hub.start(call()).await?;
        let Err(StartError::AlreadyExists { status, .. }) = hub.start(call()).await else {
            panic!("it is a conflict")
        };
        assert_eq!(status, RuntimeStatus::Running);
        first.terminate("").await?;
        hub.start(call()).await?.terminate("").await?;
        Ok(())
    })
    .await
}

#[orchestrator]
async fn sms_reminder(ctx: &OrchestrationContext, phone: String, days: u32) -> Result<()> {
    for day in 0..days {
        ctx.create_timer(ctx.current_utc_datetime() + DAY).await;
        act(format!("reminder {day} to {phone}")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn sms_reminder_sends_one_a_day() -> Result<()> {
    on_every_hub(async |hub, world| {
        let run = hub.start(sms_reminder("555".into(), 10)).await?;
        hub.advance(3 * DAY).await;
        assert_eq!(world.count("reminder"), 3);
        run.result().await?;
        assert_eq!(world.lines().last().unwrap(), "reminder 9 to 555");
        Ok(())
    })
    .await
}

#[orchestrator]
async fn periodic_cleanup_loop(ctx: &OrchestrationContext, round: u32) -> Result<()> {
    act(format!("cleanup {round}")).await?;
    ctx.create_timer(HOUR).await;
    ctx.continue_as_new(periodic_cleanup_loop(round + 1)).await
}

#[tokio::test]
async fn periodic_cleanup_runs_forever_with_a_short_history() -> Result<()> {
    on_unverified_hubs(cleans_up).await
}

#[tokio::test]
async fn periodic_cleanup_passes_a_shadow_replay() -> Result<()> {
    on_every_hub(cleans_up).await
}

async fn cleans_up(hub: &TestHub, world: &World) -> Result<()> {
    let run = hub.start(periodic_cleanup_loop(0)).await?;
    hub.advance(100 * HOUR + MINUTE).await;
    assert_eq!(world.count("cleanup"), 101);
    assert!(run.status().await?.history_len < 10);
    run.terminate("enough").await?;
    hub.advance(100 * HOUR).await;
    assert_eq!(world.count("cleanup"), 101);
    Ok(())
}

#[orchestrator(name = "eternal_orchestration", version = "1")]
async fn eternal_one(ctx: &OrchestrationContext, round: u32) -> Result<String> {
    ctx.create_timer(DAY).await;
    if round == 2 {
        return ctx.continue_as_new(eternal_two(round + 1, "migrated".into())).await;
    }
    ctx.continue_as_new(eternal_one(round + 1)).await
}

#[orchestrator(name = "eternal_orchestration", version = "2")]
async fn eternal_two(ctx: &OrchestrationContext, round: u32, note: String) -> Result<String> {
    Ok(format!("{note} in round {round} to {}", ctx.version().unwrap_or("none")))
}

#[tokio::test]
async fn an_eternal_orchestration_migrates_to_a_new_version() -> Result<()> {
    on_every_hub(async |hub, _| {
        let run = hub.start(eternal_one(0)).await?;
        assert_eq!(run.result().await?, "migrated in round 3 to 2");
        assert_eq!(run.status().await?.version.as_deref(), Some("2"));
        Ok(())
    })
    .await
}

#[orchestrator]
async fn billing_issuer(ctx: &OrchestrationContext, customer: String) -> Result<()> {
    for day in 0..10 {
        let deadline = ctx.current_utc_datetime() + chrono::TimeDelta::days(1);
        ctx.create_timer(deadline).await;
        act(format!("bill {day} for {customer}")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn billing_issuer_sends_ten_bills_in_ten_days() -> Result<()> {
    on_every_hub(async |hub, world| {
        let began = hub.now();
        hub.start(billing_issuer("c".into())).await?.result().await?;
        assert_eq!((world.count("bill"), hub.now()), (10, began + 10 * DAY));
        Ok(())
    })
    .await
}

#[orchestrator]
async fn get_quote(ctx: &OrchestrationContext, part: String) -> Result<u64> {
    Ok(ctx.wait_for_external_event(&format!("quote for {part}")).await?)
}

#[orchestrator]
async fn try_get_quote(ctx: &OrchestrationContext, part: String) -> Result<Option<u64>> {
    let child = get_quote(part.clone()).instance_id(format!("quote-{part}"));
    match durable::timeout(30 * SECOND, child).await {
        Ok(price) => Ok(Some(price?)),
        Err(_elapsed) => Ok(None),
    }
}

#[tokio::test]
async fn try_get_quote_gives_up_after_thirty_seconds() -> Result<()> {
    on_every_hub(async |hub, _| {
        let bolt = hub.start(try_get_quote("bolt".into())).await?;
        let nut = hub.start(try_get_quote("nut".into())).await?;
        hub.settle().await;
        hub.instance("quote-bolt")?.raise_event("Quote for BOLT", &25).await?;
        assert_eq!(bolt.result().await?, Some(25));
        assert_eq!(nut.result().await?, None);
        hub.settle().await;
        let abandoned = hub.instance("quote-nut")?.status().await?;
        assert_eq!(abandoned.runtime_status, RuntimeStatus::Terminated);
        Ok(())
    })
    .await
}

#[durable::event]
#[derive(Serialize, Deserialize)]
struct ApprovalEvent(bool);

#[orchestrator]
async fn approval_workflow(ctx: &OrchestrationContext) -> Result<String> {
    act("request approval".into()).await?;
    let due = ctx.create_timer(72 * HOUR);
    let what = match durable::race((ctx.wait_for_event::<ApprovalEvent>(), due)).await {
        Race2::First(Ok(ApprovalEvent(approved))) => act(format!("process {approved}")).await?,
        Race2::First(Err(wrong)) => return Err(wrong.into()),
        Race2::Second(()) => act("escalate".into()).await?,
    };
    Ok(what)
}

#[tokio::test]
async fn an_approval_is_processed_or_escalated_after_three_days() -> Result<()> {
    on_every_hub(async |hub, _| {
        let run = hub.start(approval_workflow()).await?;
        hub.advance(71 * HOUR).await;
        run.raise(&ApprovalEvent(true)).await?;
        assert_eq!(run.result().await?, "process true");
        assert_eq!(hub.start(approval_workflow()).await?.result().await?, "escalate");
        let run = hub.start(approval_workflow()).await?;
        run.raise_event("ApprovalEvent", &BTreeMap::from([("approved", "yes")])).await?;
        let wrong = run.result().await.unwrap_err().to_string();
        assert!(wrong.contains("external event `ApprovalEvent` failed"), "{wrong}");
        Ok(())
    })
    .await
}

#[orchestrator]
async fn select_any_of_three(ctx: &OrchestrationContext) -> Result<String> {
    let event = |name| ctx.wait_for_external_event::<f64>(name);
    match durable::race((event("Event1"), event("Event2"), event("Event3"))).await {
        Race3::First(value) => Ok(format!("1: {}", value?)),
        Race3::Second(value) => Ok(format!("2: {}", value?)),
        Race3::Third(value) => Ok(format!("3: {}", value?)),
    }
}

#[orchestrator]
async fn new_building_permit(ctx: &OrchestrationContext, id: u32) -> Result<String> {
    let gate = |name| ctx.wait_for_external_event::<()>(name);
    let gates = (gate("CityPlanning"), gate("FireDept"), gate("BuildingDept"));
    durable::try_join(gates).await?;
    act(format!("permit {id}")).await?;
    Ok(format!("permit {id}"))
}

#[tokio::test]
async fn select_takes_any_of_three_and_a_permit_needs_all() -> Result<()> {
    on_every_hub(async |hub, world| {
        let run = hub.start(select_any_of_three()).await?;
        run.raise_event("event3", &0.5).await?;
        assert_eq!(run.result().await?, "3: 0.5");

        let permit = hub.start(new_building_permit(7)).await?;
        for gate in ["BuildingDept", "CityPlanning"] {
            permit.raise_event(gate, &()).await?;
        }
        hub.advance(DAY).await;
        assert_eq!(permit.status().await?.runtime_status, RuntimeStatus::Running);
        assert_eq!(world.count("permit"), 0);
        permit.raise_event("FireDept", &()).await?;
        assert_eq!(permit.result().await?, "permit 7");
        Ok(())
    })
    .await
}
