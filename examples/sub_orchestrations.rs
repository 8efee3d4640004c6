//! Sub-orchestrations: provisions many devices in parallel, each by an orchestration of its own.
//!
//! ```text
//! cargo run -p examples --bin sub_orchestrations -- --hub /tmp/devices
//! ```
//! For each device a package is created and sent, and the device acknowledges it with an event. One
//! device never answers, and the package of another cannot be created: the parent reports both, and
//! the other devices are provisioned.
//!
//! Kill it in the middle (`kill -9`) and run the same command again: it continues, and devices that
//! are provisioned are left alone. Time passes while it is down: a device has three seconds in
//! total. After the end, the same command shows the recorded report. With another `--hub` it starts
//! over, and without one it runs in memory.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use comfy_table::{Table, presets};
use durable::client::{InstanceQuery, ManageError};
use durable::prelude::*;
use durable::{RuntimeStatus, TaskFailed};
use serde::{Deserialize, Serialize};

/// Provisions devices, durably.
#[derive(Parser)]
struct Arguments {
    /// The folder of the task hub; in memory if not given.
    #[arg(long)]
    hub: Option<PathBuf>,
    /// How many devices there are.
    #[arg(long, default_value_t = 20)]
    devices: u32,
}

/// How many devices are provisioned at once.
const AT_ONCE: usize = 8;
/// How long a device has to acknowledge its package.
const PATIENCE: Duration = Duration::from_secs(3);

/// The event of a device that has installed its package.
#[durable::event]
#[derive(Debug, Serialize, Deserialize)]
struct Acknowledged {
    firmware: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Report {
    provisioned: Vec<(String, Acknowledged)>,
    failed: Vec<(String, String)>,
}

/// Why a device is not provisioned. It comes back typed from the child's history.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
enum ProvisioningError {
    #[error("there is no package for {0}")]
    NoPackage(String),
    #[error("it did not acknowledge its package")]
    NoAnswer,
    #[error("{0}")]
    Other(String),
}

/// The parent: one child per device, with bounded concurrency, and a report of all.
#[orchestrator]
async fn provision_new_devices(ctx: &OrchestrationContext, devices: Vec<String>) -> Result<Report> {
    let children = devices.iter().map(|device| {
        // A fixed id, under which any client finds the child of a device.
        let id = format!("{}-{device}", ctx.instance_id());
        provision_device(device).instance_id(id).tag("device", device)
    });
    let outcomes = durable::join_all(children).at_most(AT_ONCE).await;
    let mut report = Report { provisioned: Vec::new(), failed: Vec::new() };
    for (device, outcome) in devices.into_iter().zip(outcomes) {
        match outcome {
            Ok(acknowledged) => report.provisioned.push((device, acknowledged)),
            Err(failed) => report.failed.push((device, failed.details().to_string())),
        }
    }
    Ok(report)
}

/// The child: one device, with a history, a status and a result of its own.
#[orchestrator]
async fn provision_device(
    ctx: &OrchestrationContext,
    device: &str,
) -> Result<Acknowledged, ProvisioningError> {
    ctx.set_custom_status(&Step::Packing).map_err(ProvisioningError::other)?;
    let package = create_package(device).await?;
    send_package(device, &package).await?;
    ctx.set_custom_status(&Step::WaitingForDevice).map_err(ProvisioningError::other)?;
    match durable::timeout(PATIENCE, ctx.wait_for_event::<Acknowledged>()).await {
        Ok(acknowledged) => acknowledged.map_err(ProvisioningError::other),
        Err(durable::task::Elapsed) => Err(ProvisioningError::NoAnswer),
    }
}

/// The progress of a device: the custom status of its child.
#[derive(Debug, Serialize, Deserialize)]
enum Step {
    Packing,
    WaitingForDevice,
}

impl ProvisioningError {
    fn other(error: impl std::fmt::Display) -> Self {
        Self::Other(error.to_string())
    }
}

/// So that `?` passes on the error of an activity.
impl From<TaskFailed<ProvisioningError>> for ProvisioningError {
    fn from(failed: TaskFailed<ProvisioningError>) -> Self {
        let other = Self::other(&failed);
        failed.into_error().unwrap_or(other)
    }
}

#[activity]
async fn create_package(device: &str) -> Result<String, ProvisioningError> {
    println!("{device}: creating a package");
    tokio::time::sleep(Duration::from_millis(40)).await;
    if device == "device-07" {
        return Err(ProvisioningError::NoPackage("a model of 1987".to_owned()));
    }
    Ok(format!("firmware 2.1 for {device}"))
}

/// The network is not reliable: every third device gets its package on the second attempt.
#[activity(retry(
    max_number_of_attempts = 5,
    first_retry_interval = "50ms",
    backoff_coefficient = 2.0
))]
async fn send_package(
    ctx: &ActivityContext,
    device: &str,
    package: &str,
) -> Result<(), ProvisioningError> {
    println!("{device}: sending {package}, attempt {}", ctx.attempt());
    tokio::time::sleep(Duration::from_millis(40)).await;
    if device.ends_with(['3', '6', '9']) && ctx.attempt() == 1 {
        return Err(ProvisioningError::Other("the network is down".to_owned()));
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let hub = match &arguments.hub {
        Some(folder) => TaskHub::open(folder).await?,
        None => TaskHub::builder().in_memory().open().await?,
    };
    let field = tokio::spawn(the_field(hub.clone()));
    let devices = (1..=arguments.devices).map(|number| format!("device-{number:02}")).collect();
    // Under a fixed id: after a crash the instance already exists, and continues.
    let run =
        hub.start_if_absent(provision_new_devices(devices).instance_id("provisioning")).await?;
    let report = run.result().await?;
    field.abort();
    for (device, failure) in &report.failed {
        println!("{device} failed: {failure}");
    }
    println!(
        "{} devices are provisioned, {} failed",
        report.provisioned.len(),
        report.failed.len()
    );
    println!("{}", table(&hub).await?);
    Ok(hub.shutdown().await?)
}

/// Simulates the devices: each one with a pending installation sends its event repeatedly, until it
/// is noticed. `device-13` is broken and sends nothing.
async fn the_field(hub: TaskHub) -> Result<()> {
    let waiting = InstanceQuery::new()
        .of::<provision_device>()
        .status(RuntimeStatus::Running)
        .custom_status(&Step::WaitingForDevice);
    loop {
        for instance in hub.query(&waiting).await?.items {
            if instance.tags.get("device").is_some_and(|device| device == "device-13") {
                continue;
            }
            let child = hub.instance(instance.instance_id.as_str())?;
            match child.raise(&Acknowledged { firmware: "2.1".to_owned() }).await {
                // The event was sent twice, and the first one counted.
                Ok(()) | Err(ManageError::Finished { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The children are instances like any other.
async fn table(hub: &TaskHub) -> Result<Table> {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["sub-orchestration", "parent", "tag device", "status", "events"]);
    let mut children = hub.stream(InstanceQuery::new().of::<provision_device>());
    while let Some(child) = children.try_next().await? {
        table.add_row([
            child.instance_id.to_string(),
            child.parent.map(|parent| parent.instance_id.to_string()).unwrap_or_default(),
            child.tags.get("device").cloned().unwrap_or_default(),
            child.runtime_status.to_string(),
            child.history_len.to_string(),
        ]);
    }
    Ok(table)
}
