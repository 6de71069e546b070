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
}
