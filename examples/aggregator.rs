//! Aggregator: the page views of a site, counted by entities, one for each page.
//!
//! ```text
//! cargo run -p examples --bin aggregator -- --hub /tmp/site
//! ```
//! A day has many visitors, each an orchestration, which signal the pages that they look at; and
//! views of another server come from its log, signalled by this program. A page that reaches a
//! hundred views signals the entity of the site, which starts an orchestration that tells the team.
//! Then the counts are read from outside: one page, those of the blog, the top ones.
//!
//! Run it again, and it goes on counting, with the next day. Kill it in the middle (`kill -9`) and
//! run it again: it finishes the day, and every view is counted once. Without a `--hub` it works in
//! memory.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use comfy_table::{Table, presets};
use durable::client::{EntityQuery, InstanceQuery};
use durable::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

/// Counts the page views of another day, durably.
#[derive(Parser)]
struct Arguments {
    /// The folder of the task hub; in memory if not given.
    #[arg(long)]
    hub: Option<PathBuf>,
    /// The number of visitors of the day.
    #[arg(long, default_value_t = 100)]
    visitors: u64,
}

const PAGES: [&str; 7] =
    ["home", "blog:async", "blog:macros", "blog:stores", "docs:tour", "docs:api", "contact"];
/// The number of log lines of the other server per day.
const LOG_LINES: u64 = 60;
/// The number of views of a page between two mails.
const MARK: u64 = 100;
/// The number of concurrent visitors.
const AT_ONCE: usize = 40;

/// The views of one page. It is not created explicitly: the first view finds a count of zero.
#[derive(Default, Serialize, Deserialize)]
struct Page {
    views: u64,
    /// The last counted line of the log.
    last_line: u64,
}

/// The operations of a page run one at a time, so no view is lost between a read and a write.
#[entity]
impl Page {
    fn viewed(&mut self, ctx: &EntityContext) -> Result<()> {
        self.count(ctx)
    }

    /// A process that was killed while it read the log does not know which lines were counted, and
    /// reads the log again. The entity recognizes counted lines, because lines are numbered and
    /// arrive in order.
    fn logged(&mut self, ctx: &EntityContext, line: u64) -> Result<()> {
        if line <= self.last_line {
            return Ok(());
        }
        self.last_line = line;
        self.count(ctx)
    }

    fn views(&self) -> u64 {
        self.views
    }
}

impl Page {
    /// The view and the signal are one commit: after a crash, either both exist or neither.
    fn count(&mut self, ctx: &EntityContext) -> Result<()> {
        self.views += 1;
        if self.views.is_multiple_of(MARK) {
            ctx.signal(Site::at("main").passed(ctx.key().to_owned(), self.views))?;
        }
        Ok(())
    }
}

/// The milestones of the site: which page passed which number of views.
#[derive(Default, Serialize, Deserialize)]
struct Site {
    milestones: Vec<(String, u64)>,
}

#[entity]
impl Site {
    /// An entity must not wait, so it starts an orchestration for slow work.
    fn passed(&mut self, ctx: &EntityContext, page: String, views: u64) -> Result<()> {
        ctx.start(announce(&page, views).instance_id(format!("announce-{page}-{views}")))?;
        self.milestones.push((page, views));
        Ok(())
    }
}

#[orchestrator]
async fn announce(ctx: &OrchestrationContext, page: &str, views: u64) -> Result<()> {
    Ok(mail(page, views).await?)
}

#[activity(retry(max_number_of_attempts = 10, first_retry_interval = "1s"))]
async fn mail(page: &str, views: u64) -> Result<()> {
    println!("mail to the team: {page} has {views} views");
    Ok(())
}

/// A day of the site, with all its visitors; returns the number of views.
#[orchestrator]
async fn day(ctx: &OrchestrationContext, visitors: u64) -> Result<u64> {
    let visits = (1..=visitors).map(|visitor| {
        visit(visitor).instance_id(format!("{}-visitor-{visitor}", ctx.instance_id()))
    });
    let mut views = 0;
    for visit in durable::join_all(visits).at_most(AT_ONCE).await {
        views += visit?;
    }
    Ok(views)
}

/// A visitor looks at the front page, a post and another page. A signal does not wait: the visitor
/// continues while it is delivered.
#[orchestrator]
async fn visit(ctx: &OrchestrationContext, visitor: u64) -> Result<u64> {
    let pages = [PAGES[0], pick(&PAGES[1..4], visitor), pick(&PAGES[4..], visitor / 2)];
    for page in pages {
        Page::at(page).viewed().signal()?;
        ctx.create_timer(Duration::from_millis(10)).await;
    }
    // A call arrives after the earlier signals. When it is answered, the views are counted.
    durable::try_join_all(pages.map(|page| Page::at(page).views())).await?;
    Ok(pages.len() as u64)
}

#[durable::deterministic]
fn pick<'a>(pages: &[&'a str], number: u64) -> &'a str {
    pages[usize::try_from(number).unwrap_or_default() % pages.len()]
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let hub = match &arguments.hub {
        Some(folder) => TaskHub::open(folder).await?,
        None => TaskHub::builder().in_memory().open().await?,
    };
    let number = today(&hub).await?;
    println!("day {number}");
    // The log is counted again from its beginning, because a crash forgets the position.
    let mut logs = JoinSet::new();
    for page in PAGES {
        logs.spawn(count_log(hub.clone(), page, number));
    }
    for counted in logs.join_all().await {
        counted?;
    }
    let call = day(arguments.visitors).instance_id(format!("day-{number}"));
    let views = hub.start_if_absent(call).await?.result().await?;
    println!("visitors looked at {views} pages, and {LOG_LINES} more views are in the log\n");
    report(&hub).await?;
    Ok(hub.shutdown().await?)
}

/// The number of the current day.
async fn today(hub: &TaskHub) -> Result<u64> {
    let mut number = 1;
    while let Some(day) = hub.find_instance::<day>(format!("day-{number}")).await? {
        if !day.status().await?.runtime_status.is_finished() {
            println!("going on with a day that is not over");
            break;
        }
        number += 1;
    }
    Ok(number)
}

/// Signals the lines of a day's log to their pages, in order.
async fn count_log(hub: TaskHub, page: &'static str, day: u64) -> Result<()> {
    for line in (day - 1) * LOG_LINES + 1..=day * LOG_LINES {
        // Simulates the content of the line.
        if pick(&PAGES, (line % 3) * (line % 4)) == page {
            hub.signal_entity(Page::at(page).logged(line)).await?;
        }
    }
    // Signals of a client are also processed in order, so everything is counted when this call
    // returns.
    hub.call_entity(Page::at(page).views()).await?;
    Ok(())
}

async fn report(hub: &TaskHub) -> Result<()> {
    // The state of one entity, as of its last commit. A read does not involve the entity.
    let home = hub.entity_state::<Page>("home").await?.unwrap_or_default();
    println!("the front page has {} views", home.views);
    let blog: u64 = pages(hub, "blog:").await?.iter().map(|(_, views)| views).sum();
    println!("the blog has {blog}");
    let mut top = pages(hub, "").await?;
    let all: u64 = top.iter().map(|(_, views)| views).sum();
    println!("the site has {all}, most of them on these pages:");
    top.sort_by_key(|(_, views)| Reverse(*views));
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["page", "views"]);
    for (page, views) in &top[..top.len().min(4)] {
        table.add_row([page.clone(), views.to_string()]);
    }
    println!("{table}");
    // Signals and starts of an entity are sent when its own state is durable, and arrive a little
    // later.
    let marks = top.iter().map(|(_, views)| views / MARK).sum();
    let told = InstanceQuery::new().of::<announce>().status(RuntimeStatus::Completed);
    while hub.count(&told).await? < marks {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("milestones:");
    let site = hub.entity_state::<Site>("main").await?.unwrap_or_default();
    for (page, views) in site.milestones {
        println!("  {page} passed {views}");
    }
    Ok(())
}

/// The pages of the site whose key begins like this, each with its views.
async fn pages(hub: &TaskHub, prefix: &str) -> Result<Vec<(String, u64)>> {
    let query = EntityQuery::new().of::<Page>().key_prefix(prefix);
    let (mut pages, mut found) = (Vec::new(), hub.stream(query));
    while let Some(entity) = found.try_next().await? {
        let views = entity.state_as::<Page>()?.unwrap_or_default().views;
        pages.push((entity.entity_id.key().to_owned(), views));
    }
    Ok(pages)
}
