//! Facts about the database itself.

use super::{Store, StoreError};

impl Store {
    /// The value of `key`, which is `fresh` if it had none.
    pub async fn remember_once(&self, key: &'static str, fresh: String) -> Result<String, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query("INSERT INTO system (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                    .bind(key)
                    .bind(fresh)
                    .execute(&mut *tx)
                    .await
                    .map_err(StoreError::doing("note a fact"))?;
                sqlx::query_scalar("SELECT value FROM system WHERE key = $1")
                    .bind(key)
                    .fetch_one(tx)
                    .await
                    .map_err(StoreError::doing("read a fact"))
            })
        })
        .await
    }

    /// What SQLite finds wrong with the file; nothing when it is sound.
    pub async fn check_integrity(&self) -> Result<Vec<String>, StoreError> {
        let mut reader = self.reader().await?;
        let said: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(10)")
            .fetch_all(&mut *reader)
            .await
            .map_err(StoreError::doing("check itself"))?;
        Ok(said.into_iter().filter(|line| line != "ok").collect())
    }
}
