//! Prints which process owns which partition.

use durable::prelude::*;
use durable::store::Members;
use tokio::time::Instant;

pub(crate) struct Map {
    hub: TaskHub,
    begun: Instant,
    last: String,
}

impl Map {
    pub(crate) fn new(hub: &TaskHub) -> Self {
        let partitions = usize::from(hub.partitions());
        println!("{:>7}  {:<partitions$}", "time", "partitions");
        Self { hub: hub.clone(), begun: Instant::now(), last: String::new() }
    }

    /// Prints the owners if they have changed.
    pub(crate) async fn look(&mut self) -> Result<()> {
        let owners = self.owners().await?;
        if owners != self.last {
            self.print(owners, "");
        }
        Ok(())
    }

    /// Prints an event, and the owners of the partitions at that moment.
    pub(crate) async fn tell(&mut self, what: &str) -> Result<()> {
        let owners = self.owners().await?;
        self.print(owners, what);
        Ok(())
    }

    fn print(&mut self, owners: String, what: &str) {
        let line = format!("{:>5.1} s  {owners}  {what}", self.begun.elapsed().as_secs_f64());
        println!("{}", line.trim_end());
        self.last = owners;
    }

    /// For each partition the last digit of its worker, or a dot.
    async fn owners(&self) -> Result<String> {
        let members: Members = self.hub.members().await?;
        let mut owners = vec!['.'; usize::from(self.hub.partitions())];
        for member in &members.nodes {
            let digit = member.node.name.chars().last().unwrap_or('?');
            for partition in &member.partitions {
                owners[usize::from(partition.0)] = digit;
            }
        }
        Ok(owners.into_iter().collect())
    }
}
