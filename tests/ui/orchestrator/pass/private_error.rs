//! Private types that are named like public ones, or hidden in an alias of such a name.
#![deny(warnings)]

use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("no")]
struct Error;

type Result<T> = std::result::Result<T, Error>;

#[derive(Default, Serialize, Deserialize)]
struct Option(u32);

mod flows {
    use durable::prelude::{OrchestrationContext, activity, entity, orchestrator};

    use super::{Error, Option, Result};

    #[activity]
    pub async fn buy(n: u32) -> Result<u32> {
        if n > 5 { Err(Error) } else { Ok(n) }
    }

    #[orchestrator]
    pub async fn order(ctx: &OrchestrationContext, all: Option) -> Result<u32> {
        buy(all.0).await.map_err(|_| Error)
    }

    #[derive(Default, serde::Serialize, serde::Deserialize)]
    pub struct Stock(u32);

    #[entity]
    impl Stock {
        pub fn take(&mut self, n: u32) -> Result<u32> {
            self.0 = self.0.checked_sub(n).ok_or(Error)?;
            Ok(self.0)
        }

        pub fn chosen(&self) -> Option {
            Option(self.0)
        }
    }
}

mod through_a_glob {
    #[allow(clippy::wildcard_imports)]
    use super::*;
    use durable::prelude::activity;

    #[activity]
    pub async fn sell(n: u32) -> Result<u32> {
        if n > 5 { Err(Error) } else { Ok(n) }
    }
}

fn main() {
    drop((flows::buy(1), flows::order(Option(1)), through_a_glob::sell(1)));
    let _ = (flows::Stock::at("a").take(1), flows::Stock::at("a").chosen());
}
