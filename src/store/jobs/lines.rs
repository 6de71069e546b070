//! Writing log lines.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::model::id::{AssetId, InstanceId};
use crate::model::log::{FileType, LogLine, LogType, shortened};
use crate::store::sql;
use crate::store::{StoreError, Transaction};

sql::columns! {
    struct Row<'a> {
        instance_id: InstanceId,
        logged_at: i64,
        log_type: LogType,
        code: &'a str,
        params: String,
        asset_id: Option<AssetId>,
        asset_name: Option<String>,
        asset_type: Option<FileType>,
    }
}

/// Writes `lines` of one or several runs in their order.
pub(in crate::store) async fn insert<'a>(
    tx: &mut Transaction,
    lines: impl Iterator<Item = (InstanceId, &'a LogLine)>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows: Vec<Row<'_>> = lines
        .map(|(instance_id, line)| {
            let asset = line.asset.as_ref();
            Row {
                instance_id,
                logged_at: now.timestamp_millis(),
                log_type: line.log_type,
                code: &line.message.code,
                params: bounded(Value::Object(line.message.params.clone())).to_string(),
                asset_id: asset.and_then(|a| a.id),
                asset_name: asset.map(|a| shortened(a.name.clone(), LONGEST)),
                asset_type: asset.map(|a| a.file_type),
            }
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    sql::query(
        "INSERT INTO log_detail (instance_id, logged_at, log_type, code, params, asset_id, asset_name, asset_type)
         SELECT l.instance_id, l.logged_at, l.log_type, l.code, l.params, l.asset_id, l.asset_name, l.asset_type
         FROM rows($1: instance_id int, logged_at int, log_type text, code text, params text, asset_id int, asset_name text,
                       asset_type text) l",
    )
    .rows(&rows)
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
