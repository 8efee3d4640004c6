use durable::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct QueryResult<T> {
    rows: Vec<T>,
}

#[activity]
async fn query(sql: &str) -> QueryResult<String> {
    QueryResult { rows: vec![sql.to_owned()] }
}

fn main() {}
