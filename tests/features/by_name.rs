//! The client without types: names and JSON.

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

/// What the hub says of the functions of this file, with their places left out.
fn registered_here() -> Expect {
    expect![[r#"
        {
          "orchestrators": [
            {
              "name": "by_name.ship",
              "version": "9",
              "file": "by_name.rs",
              "line": 0,
              "parameters": []
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
              ]
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
              ]
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
async fn a_hub_lists_what_is_registered_with_versions_parameters_and_places() -> Result<()> {
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
    registered_here().assert_eq(&serde_json::to_string_pretty(&registered).unwrap());
    Ok(())
}
