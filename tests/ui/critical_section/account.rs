//! The entity of these cases.

use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
pub struct Account(i64);

#[entity]
impl Account {
    pub fn withdraw(&mut self, cents: i64) -> Result<()> {
        self.0 -= cents;
        Ok(())
    }

    pub fn deposit(&mut self, cents: i64) {
        self.0 += cents;
    }
}
