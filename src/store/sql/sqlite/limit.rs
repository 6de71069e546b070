//! What the disk and SQLite can do at best: the measure that benchmarks are held against.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use crate::store::StoreError;

/// Writes `rows` plain rows of about 500 bytes, `group` of them a commit with `synchronous=FULL`, into a new database.
pub async fn group_commits(path: &Path, rows: usize, group: usize) -> Result<(), StoreError> {
    let failed = StoreError::doing;
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await
        .map_err(failed("open a database for the measure"))?;
    sqlx::query("CREATE TABLE plain (id INTEGER PRIMARY KEY, a TEXT, b TEXT, c INTEGER)")
        .execute(&mut connection)
        .await
        .map_err(failed("make a table for the measure"))?;
    let text = "x".repeat(460);
    let mut written = 0;
    while written < rows {
        let bulk: Vec<Value> = (written..(written + group).min(rows)).map(|n| json!([n, "name", text, n])).collect();
        for (sql, bound) in [
            ("BEGIN IMMEDIATE", None),
            (
                "INSERT INTO plain (id, a, b, c)
                 SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($1)",
                Some(Value::from(bulk).to_string()),
            ),
            ("COMMIT", None),
        ] {
            let query = sqlx::query(sql);
            let query = if let Some(bound) = bound { query.bind(bound) } else { query };
            query.execute(&mut connection).await.map_err(failed("write for the measure"))?;
        }
        written += group;
    }
    connection.close().await.map_err(failed("close the measure"))
}
