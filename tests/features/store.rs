//! Features of the store in a folder beyond the contract: relaxed durability, salvage of damaged
//! folders, compaction.

use std::fs;
use std::path::Path;
use std::time::Duration;

use durable::prelude::*;
use durable::store::{Durability, SledStore, Store, StoreError};

#[activity]
async fn store_noise(n: u64) -> Result<String> {
    // Numbers that hardly compress.
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + u8::try_from(state % 26).unwrap_or_default())
    };
    Ok((0..4000).map(|_| next()).collect())
}

#[orchestrator]
async fn fill_store(ctx: &OrchestrationContext, n: u64) -> Result<usize> {
    Ok(store_noise(n).await?.len())
}

async fn fill_hub(hub: &TaskHub, instances: u64) -> Result<()> {
    for n in 0..instances {
        hub.start(fill_store(n).instance_id(format!("fill-{n}"))).await?.result().await?;
    }
    Ok(())
}

/// A copy of a folder that is in use, as a killed process would leave it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test]
async fn unsynced_commits_survive_a_crash_of_the_process() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (path, left) = (folder.path().join("hub"), folder.path().join("left"));
    let within = Durability::Within(Duration::from_hours(1));
    let hub = TaskHub::builder().path(&path).durability(within).open().await?;
    fill_hub(&hub, 20).await?;
    copy(&path, &left);
    hub.shutdown().await?;
    for path in [path, left] {
        let hub = TaskHub::open(path).await?;
        for n in 0..20 {
            let run = hub.find_instance::<fill_store>(&format!("fill-{n}")).await?;
            assert_eq!(run.expect("it was acknowledged").result().await?, 4000);
        }
        hub.shutdown().await?;
    }
    Ok(())
}

#[tokio::test]
async fn durability_is_a_setting_of_a_folder() {
    let hub = TaskHub::builder().in_memory().durability(Durability::Immediate);
    let error = hub.open().await.unwrap_err().to_string();
    assert!(error.contains("`durability` applies only to a hub in a folder"), "{error}");
}

#[tokio::test]
async fn compaction_makes_a_folder_smaller_and_loses_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let hub = TaskHub::open(folder.path()).await?;
    fill_hub(&hub, 300).await?;
    for n in 1..300 {
        let run = hub.find_instance::<fill_store>(&format!("fill-{n}")).await?;
        run.expect("it is there").purge().await?;
    }
    hub.shutdown().await?;
    let (before, after) = SledStore::compact(folder.path())?;
    assert!(after <= before, "{after} of {before}");
    let hub = TaskHub::open(folder.path()).await?;
    let run = hub.find_instance::<fill_store>("fill-0").await?.expect("it was not purged");
    assert_eq!(run.result().await?, 4000);
    assert!(hub.find_instance::<fill_store>("fill-1").await?.is_none());
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn a_damaged_log_is_reported_and_salvaged_up_to_the_damage() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (path, left) = (folder.path().join("hub"), folder.path().join("left"));
    let hub = TaskHub::open(&path).await?;
    fill_hub(&hub, 3).await?;
    copy(&path, &left);
    hub.shutdown().await?;
    let log = fs::read_dir(left.join("log"))?.map(|entry| entry.unwrap().path());
    let log = log.filter(|path| path.extension().is_some_and(|ending| ending == "log"));
    let log = log.max().expect("there is a log");
    let mut bytes = fs::read(&log)?;
    // A byte in the result of the second instance.
    let text = store_noise::run(1).await?;
    let at =
        bytes.windows(99).position(|part| part == &text.as_bytes()[..99]).expect("it is there");
    bytes[at] ^= 1;
    fs::write(&log, bytes)?;

    let error = SledStore::open(&left).unwrap_err();
    assert!(matches!(&error, StoreError::LogDamaged { file, .. } if *file == log), "{error}");
    assert!(error.to_string().contains("frames up to"), "{error}");
    let store = SledStore::read_only(&left)?;
    assert!(matches!(store.damage(), [StoreError::LogDamaged { .. }]));
    let whole =
        store.instance(&durable::InstanceId::new("fill-0")?)?.expect("it is before the damage");
    assert!(whole.runtime_status.is_finished());
    let refused = store.claim(durable::protocol::PartitionId(0)).unwrap_err();
    assert!(matches!(refused, StoreError::ReadOnly), "{refused}");
    let mut exported = Vec::new();
    store.export(&mut exported)?;
    let exported = String::from_utf8(exported)?;
    let lines: Vec<serde_json::Value> =
        exported.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert!(lines.iter().any(|line| line["damage"].is_string()));
    assert!(lines[0]["complete"].as_bool() == Some(true));
    // The episodes after the damage are exported as well, one after the other.
    assert!(
        lines
            .iter()
            .any(|line| line["frame"].is_number() && line["instance"]["instance_id"] == "fill-2")
    );
    Ok(())
}
