//! The database of a test, looked at and changed behind the program's back: the one place of the tests that knows which database
//! that is. Questions are written as the store writes its statements (`store::sql::fragments`).
//!
//! The environment names it: `PREPRESS_TEST_DATABASE=sqlite`, which is also what is taken where it says nothing.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part of it, and only tests do")]

use std::path::Path;
use std::time::Duration;

use chrono_tz::Tz;
use prepress::store::sql::fragments;
use prepress::store::sql::sqlite::Sqlite;
use prepress::store::{Options, sample};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, Row, SqlitePool};

/// The store of a test whose data lie in `folder`.
pub fn options(folder: &Path, zone: Tz) -> Options {
    match std::env::var("PREPRESS_TEST_DATABASE").as_deref() {
        Err(_) | Ok("" | "sqlite") => Options::new(folder.join("prepress.db"), zone),
        Ok(other) => panic!("PREPRESS_TEST_DATABASE={other}: the store runs on sqlite"),
    }
}

/// Clones share it.
#[derive(Debug, Clone)]
pub struct Database {
    connections: SqlitePool,
}

impl Database {
    /// That of the store whose data lie in `folder`.
    pub async fn of(folder: &Path) -> Self {
        Self::with(SqliteConnectOptions::new().filename(options(folder, Tz::UTC).path), 4).await
    }

    /// For who looks at a database that nobody may write to.
    pub async fn read_only(folder: &Path) -> Self {
        Self::with(SqliteConnectOptions::new().filename(options(folder, Tz::UTC).path).read_only(true), 1).await
    }

    /// Adds runs and assets to one that nobody has open, until there are so many.
    pub async fn fill(folder: &Path, runs: i64, assets: i64) {
        sample::fill(&options(folder, Tz::UTC).path, runs, assets).await.unwrap();
    }

    async fn with(options: SqliteConnectOptions, most: u32) -> Self {
        let options = options.busy_timeout(Duration::from_secs(60));
        Self { connections: SqlitePoolOptions::new().max_connections(most).connect_with(options).await.unwrap() }
    }

    /// Rows of numbers, texts and nulls.
    pub async fn rows(&self, question: &str) -> Vec<Vec<Value>> {
        let rows = sqlx::query(words(question)).fetch_all(&self.connections).await;
        let rows = rows.unwrap_or_else(|error| panic!("{question}: {error}"));
        rows.iter().map(|row| (0..row.len()).map(|at| cell(row, at)).collect()).collect()
    }

    /// The only row there is.
    pub async fn row(&self, question: &str) -> Vec<Value> {
        let mut rows = self.rows(question).await;
        assert_eq!(rows.len(), 1, "{question}");
        rows.remove(0)
    }

    /// The first column of all rows.
    pub async fn numbers(&self, question: &str) -> Vec<i64> {
        self.rows(question).await.iter().map(|row| row[0].as_i64().unwrap()).collect()
    }

    /// The first column of the only row.
    pub async fn number(&self, question: &str) -> i64 {
        self.row(question).await[0].as_i64().unwrap_or_else(|| panic!("no number: {question}"))
    }

    /// The first column of all rows.
    pub async fn texts(&self, question: &str) -> Vec<String> {
        self.rows(question).await.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
    }

    /// Rows with their columns joined by blanks.
    pub async fn table(&self, question: &str) -> Vec<String> {
        let shown = |value: &Value| match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let rows = self.rows(question).await;
        rows.iter().map(|row| row.iter().map(shown).collect::<Vec<_>>().join(" ")).collect()
    }

    pub async fn execute(&self, statement: &str) {
        let done = sqlx::query(words(statement)).execute(&self.connections).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// Tables whose rows have numbers that the database gives.
    pub async fn numbered_tables(&self) -> Vec<String> {
        self.texts(
            "SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
             WHERE m.type = 'table' AND c.name = 'id' AND c.pk = 1 AND c.type = 'INTEGER' ORDER BY m.name",
        )
        .await
    }

    /// What must hold of every database at every time.
    pub async fn assert_whole(&self) {
        assert_eq!(self.texts("PRAGMA integrity_check").await, ["ok"]);
        assert_eq!(self.table("PRAGMA foreign_key_check").await, Vec::<String>::new());
    }

    /// Whether all that was written could be brought from the log into the database, as it can when nobody reads.
    pub async fn writes_back(&self) -> bool {
        self.number("PRAGMA wal_checkpoint(TRUNCATE)").await == 0
    }
}

fn words(text: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(fragments::expand(text, &Sqlite).unwrap().sql)
}

fn cell(row: &SqliteRow, at: usize) -> Value {
    if let Ok(number) = row.try_get::<Option<i64>, _>(at) {
        return json!(number);
    }
    if let Ok(number) = row.try_get::<Option<f64>, _>(at) {
        return json!(number);
    }
    json!(row.get::<Option<String>, _>(at))
}
