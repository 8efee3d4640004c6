//! The client without types: names and JSON.

use durable::client::{InstanceQuery, NamedCall, StartError};
use durable::prelude::*;
use durable::testing::TestHub;
use expect_test::{Expect, expect};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Parcel {
    grams: u32,
}

#[activity(name = "by_name.weigh")]
async fn weigh(_ctx: &ActivityContext, parcels: &[Parcel], note: Option<String>) -> u32 {
    let _ = note;
    parcels.iter().map(|parcel| parcel.grams).sum()
}

#[orchestrator(name = "by_name.ship", version = "10")]
async fn ship(ctx: &OrchestrationContext, parcels: Vec<Parcel>) -> Result<u32> {
    Ok(weigh(&parcels, None).await?)
}

mod earlier {
    use super::*;

    #[orchestrator(name = "by_name.ship", version = "9")]
    pub(super) async fn ship(ctx: &OrchestrationContext) -> Result<u32> {
        Ok(9)
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Shelf(u32);

#[entity(name = "by_name.shelf")]
impl Shelf {
    fn put(&mut self, parcels: u32) -> u32 {
        self.0 += parcels;
        self.0
    }

    fn count(&self) -> u32 {
        self.0
    }
}

/// What the hub reports about the functions of this file, without their places.
fn registered_here() -> Expect {
    expect![[r#"
        {
          "orchestrators": [
            {
              "name": "by_name.ship",
              "version": "9",
              "file": "by_name.rs",
              "line": 0,
              "parameters": [],
              "max_concurrent": null
            },
            {
              "name": "by_name.ship",
              "version": "10",
              "file": "by_name.rs",
              "line": 0,
              "parameters": [
                {
                  "name": "parcels",
                  "type_name": "Vec<Parcel>"
                }
              ],
              "max_concurrent": null
            }
          ],
          "activities": [
            {
              "name": "by_name.weigh",
              "version": null,
              "file": "by_name.rs",
              "line": 0,
              "parameters": [
                {
                  "name": "parcels",
                  "type_name": "&[Parcel]"
                },
                {
                  "name": "note",
                  "type_name": "Option<String>"
                }
              ],
              "max_concurrent": null
            }
          ],
          "entities": [
            {
              "name": "by_name.shelf",
              "file": "by_name.rs",
              "line": 0,
              "operations": [
                {
                  "name": "put",
                  "is_read_only": false,
                  "parameters": [
                    {
                      "name": "parcels",
                      "type_name": "u32"
                    }
                  ]
                },
                {
                  "name": "count",
                  "is_read_only": true,
                  "parameters": []
                }
              ]
            }
          ]
        }"#]]
}

#[tokio::test]
async fn a_hub_lists_registered_functions_with_versions_parameters_and_locations() -> Result<()> {
    let hub = TestHub::open().await?;
    let mut registered = hub.registered();
    registered.orchestrators.retain(|it| it.name.starts_with("by_name."));
    registered.activities.retain(|it| it.name.starts_with("by_name."));
    registered.entities.retain(|it| it.name.starts_with("by_name."));
    for function in registered.orchestrators.iter_mut().chain(&mut registered.activities) {
        assert!(function.file.ends_with("by_name.rs") && function.line > 10, "{function:?}");
        (function.file, function.line) = ("by_name.rs", 0);
    }
    for entity in &mut registered.entities {
        assert!(entity.file.ends_with("by_name.rs") && entity.line > 10, "{entity:?}");
        (entity.file, entity.line) = ("by_name.rs", 0);
    }
    let text = serde_json::to_string_pretty(&registered).unwrap();
    // A hash changes with the code of this file.
    let lines: Vec<_> = text.lines().filter(|line| !line.contains("code_hash")).collect();
    registered_here().assert_eq(&lines.join("\n"));
    Ok(())
}

/// Panics when it is read.
struct Bomb;

impl<'de> Deserialize<'de> for Bomb {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> std::result::Result<Self, D::Error> {
        panic!("a bomb was read")
    }
}

impl Serialize for Bomb {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

#[orchestrator(name = "takes_bomb")]
async fn takes_bomb(ctx: &OrchestrationContext, bomb: Bomb) -> Result<()> {
    let _ = bomb;
    Ok(())
}

#[tokio::test]
async fn an_input_is_checked_without_starting_anything() -> Result<()> {
    let hub = TestHub::open().await?;
    let ship = || NamedCall::new("by_name.ship");
    hub.check_input(&ship().input(&[Parcel { grams: 5 }]))?;
    hub.check_input(&ship().version("9"))?;
    let refused = |call: NamedCall| hub.check_input(&call).unwrap_err();
    let error = refused(ship().input(&5));
    assert!(matches!(&error, StartError::UnreadableInput { name, .. } if name == "by_name.ship"));
    assert!(matches!(refused(ship().version("8")), StartError::NotRegistered { .. }));
    assert!(matches!(refused(NamedCall::new("nothing")), StartError::NotRegistered { .. }));
    match refused(NamedCall::new("takes_bomb")) {
        StartError::UnreadableInput { failure, .. } => {
            assert!(failure.message.contains("a bomb was read"), "{failure}");
        }
        error => panic!("{error:?}"),
    }
    assert_eq!(hub.count(&InstanceQuery::new()).await?, 0);
    hub.shutdown().await?;
    Ok(())
}
