//! What SQLite finds wrong with a database.

use super::connection::{Connection, Error};

/// The pages of the file; nothing when it is sound.
pub async fn quick_check(connection: &mut Connection) -> Result<Vec<String>, Error> {
    ask(connection, "PRAGMA quick_check(10)").await
}

/// The same, and whether every index agrees with its table.
pub async fn full_check(connection: &mut Connection) -> Result<Vec<String>, Error> {
    ask(connection, "PRAGMA integrity_check(10)").await
}

async fn ask(connection: &mut Connection, question: &'static str) -> Result<Vec<String>, Error> {
    let said: Vec<String> = sqlx::query_scalar(question).fetch_all(connection).await?;
    Ok(said.into_iter().filter(|line| line != "ok").collect())
}

/// Rows that refer to rows which are not there.
pub async fn reference_check(connection: &mut Connection) -> Result<Vec<String>, Error> {
    const STRAY: &str = "SELECT \"table\" || ': row ' || coalesce(rowid, '?') || ' refers to a row of ' || parent || ' that is not there'
         FROM pragma_foreign_key_check LIMIT 10";
    sqlx::query_scalar(STRAY).fetch_all(connection).await
}
