//! The workloads on DBOS Transact for Rust, with 20 connections instead of its default of 10. A caller
//! waits for its workflow in the same process, without polling.

use dbos::{Config, DBOS, WorkflowRef};
use durable::{Error, Result};

use crate::load::{self, Throughput, Window};

const CITIES: [&str; 3] = ["Tokyo", "Seattle", "London"];

async fn hello_sequence(_: ()) -> dbos::Result<Vec<String>> {
    let mut greetings = Vec::new();
    for city in CITIES {
        let say_hello = || async move { Ok::<_, dbos::Error>(format!("Hello {city}!")) };
        greetings.push(dbos::step("say_hello", say_hello).await?);
    }
    Ok(greetings)
}

pub(crate) async fn hello(url: &str, outstanding: usize, window: Window) -> Result<Throughput> {
    let config = Config {
        max_connections: 20,
        app_version: Some("1".to_owned()),
        schema: format!("dbos_{}", std::process::id()),
        ..Config::new("hello", url)
    };
    let dbos = DBOS::new(config);
    let hello: WorkflowRef<(), Vec<String>> =
        dbos.register_workflow("hello_sequence", hello_sequence).map_err(Error::msg)?;
    dbos.launch().await.map_err(Error::msg)?;
    let one = move || {
        let hello = hello.clone();
        async move {
            hello.run(()).await.map_err(Error::msg)?;
            Ok(())
        }
    };
    let throughput = load::over(outstanding, window, one).await;
    dbos.shutdown().await;
    throughput
}
