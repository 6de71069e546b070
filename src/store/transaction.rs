//! A transaction that is open, and what is said to the database about it.

use super::StoreError;
use crate::store::sql::{self, Connection};

/// The connection inside an open transaction.
pub type Transaction = Connection;

pub(super) async fn execute(
    connection: &mut Connection,
    sql: &'static str,
    doing: &'static str,
) -> Result<(), StoreError> {
    sql::query(sql).execute(connection).await.map(|_| ()).map_err(StoreError::doing(doing))
}
