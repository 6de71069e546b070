//! Writing log lines.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::model::id::InstanceId;
use crate::model::log::{LogLine, shortened};
use crate::store::sql;
use crate::store::{StoreError, Transaction};

/// Writes `lines` of one or several runs in their order.
pub(in crate::store) async fn insert<'a>(
    tx: &mut Transaction,
    lines: impl Iterator<Item = (InstanceId, &'a LogLine)>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows: Vec<Value> = lines
        .map(|(instance, line)| {
            let asset = line.asset.as_ref();
            json!([
                instance,
                now.timestamp_millis(),
                line.log_type,
                line.message.code,
                bounded(Value::Object(line.message.params.clone())).to_string(),
                asset.and_then(|a| a.id),
                asset.map(|a| shortened(a.name.clone(), LONGEST)),
                asset.map(|a| a.file_type),
            ])
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    sql::query(
        "INSERT INTO log_detail (instance_id, logged_at, log_type, code, params, asset_id, asset_name, asset_type)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
         FROM json_each($1)",
    )
    .bind(Value::from(rows).to_string())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("write log lines"))
}

/// Most characters of a text in a line: files and other servers say what they like, and a thousand lines are answered at once.
const LONGEST: usize = 4000;

fn bounded(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(shortened(text, LONGEST)),
        Value::Array(values) => Value::Array(values.into_iter().map(bounded).collect()),
        Value::Object(values) => {
            Value::Object(values.into_iter().map(|(name, value)| (name, bounded(value))).collect())
        }
        other => other,
    }
}

/// What the newest line of a run says.
pub(super) async fn newest_code(tx: &mut Transaction, instance: InstanceId) -> Result<Option<String>, StoreError> {
    sql::scalar("SELECT code FROM log_detail WHERE instance_id = $1 ORDER BY id DESC LIMIT 1")
        .bind(instance.0)
        .fetch_optional(tx)
        .await
        .map_err(StoreError::doing("read log lines"))
}
