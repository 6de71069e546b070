//! The lines of logs.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::runs::Run;
use crate::model::asset::AssetType;
use crate::model::id::{AssetId, InstanceId};
use crate::model::log::{LogType, Message, Severity};
use crate::store::sql::{self, Builder, Row};
use crate::store::{Reads, StoreError, rows};

/// A line of a log.
#[derive(Debug, Clone)]
pub struct Detail {
    /// Rises with every line that is written.
    pub id: i64,
    pub instance: InstanceId,
    pub run_name: String,
    pub logged_at: DateTime<Utc>,
    pub log_type: LogType,
    pub message: Message,
    pub asset: Option<AssetId>,
    pub asset_name: Option<String>,
    /// A JobLogFileTypes constant: what of the asset the line is about.
    pub file_type: Option<String>,
    /// What the asset is today; none if it is gone for good.
    pub asset_type: Option<AssetType>,
}

/// Which lines.
#[derive(Debug, Clone, Default)]
pub struct DetailFilter {
    pub log_types: Option<Vec<LogType>>,
    /// Lines with these codes as well, if `log_types` says which.
    pub codes: &'static [&'static str],
    /// Only lines written after this one, in the order of writing: for who follows a log.
    pub after: Option<i64>,
    pub by_log_type: bool,
    /// Errors before all else.
    pub worst_first: bool,
    pub descending: bool,
    pub limit: u32,
    pub offset: u64,
}

impl DetailFilter {
    /// Lines that matter so much or more.
    pub fn severe(least: Severity) -> Self {
        Self { log_types: Some(least.types()), codes: Severity::CODES, ..Self::default() }
    }
}

impl Reads {
    /// Lines of one run, a page of them.
    pub async fn details(&self, instance: InstanceId, filter: &DetailFilter) -> Result<Vec<Detail>, StoreError> {
        let mut query = Builder::new(
            "SELECT d.id, d.instance_id, i.run_name, d.logged_at, d.log_type, d.code, d.params, d.asset_id, d.asset_name,
                    d.asset_type AS file_type, a.asset_type
             FROM log_detail d JOIN instance i ON i.id = d.instance_id LEFT JOIN asset a ON a.id = d.asset_id
             WHERE d.instance_id = ",
        );
        query.push_bind(instance.0);
        filter_details(&mut query, filter);
        query.push(" ORDER BY ");
        if filter.worst_first {
            push_of_types(&mut query, &DetailFilter::severe(Severity::Error));
            query.push(" DESC, ");
        }
        query.push(match (filter.after, filter.by_log_type) {
            (Some(_), _) => "d.id",
            (None, true) => "d.log_type",
            (None, false) => "d.logged_at",
        });
        query.push(if filter.descending { " DESC, d.id DESC" } else { ", d.id" });
        query.push(" LIMIT ").push_bind(filter.limit);
        query.push(" OFFSET ").push_bind(i64::try_from(filter.offset).unwrap_or(i64::MAX));
        let mut reader = self.list_reader().await?;
        let rows = query.build().fetch_all(&mut reader).await.map_err(StoreError::doing("read log lines"))?;
        rows.iter().map(read_detail).collect()
    }

    /// How many lines of a run there are of these types.
    pub async fn count_details(&self, instance: InstanceId, filter: &DetailFilter) -> Result<i64, StoreError> {
        let mut query = Builder::new("SELECT count(*) FROM log_detail d WHERE d.instance_id = ");
        query.push_bind(instance.0);
        filter_details(&mut query, filter);
        let mut reader = self.list_reader().await?;
        query.build_scalar().fetch_one(&mut reader).await.map_err(StoreError::doing("count log lines"))
    }

    /// Lines about an asset, newest first.
    pub async fn asset_details(&self, asset: AssetId, limit: u32) -> Result<Vec<(Detail, Run)>, StoreError> {
        let mut reader = self.list_reader().await?;
        let rows = sql::query(
            "SELECT d.id, d.instance_id, i.run_name, d.logged_at, d.log_type, d.code, d.params, d.asset_id, d.asset_name,
                    d.asset_type AS file_type, a.asset_type
             FROM log_detail d JOIN instance i ON i.id = d.instance_id LEFT JOIN asset a ON a.id = d.asset_id
             WHERE d.asset_id = $1 ORDER BY d.id DESC LIMIT $2",
        )
        .bind(asset.0)
        .bind(limit)
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("read log lines of an asset"))?;
        drop(reader);
        let details = rows.iter().map(read_detail).collect::<Result<Vec<_>, _>>()?;
        let mut numbers: Vec<InstanceId> = details.iter().map(|detail| detail.instance).collect();
        numbers.dedup();
        let runs: HashMap<InstanceId, Run> =
            self.numbered_runs(&numbers).await?.into_iter().map(|run| (run.id, run)).collect();
        let with_run = |detail: Detail| runs.get(&detail.instance).cloned().map(|run| (detail, run));
        Ok(details.into_iter().filter_map(with_run).collect())
    }

    /// What the log says of why the last attempt of a run did not come to its end.
    pub async fn last_setback(&self, instance: InstanceId) -> Result<Option<Message>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql::query(
            "SELECT code, params FROM log_detail WHERE instance_id = $1 AND code IN ('attempt-failed', 'disk-full', 'worker-lost')
             ORDER BY id DESC LIMIT 1",
        )
        .bind(instance.0)
        .fetch_optional(&mut reader)
        .await
        .map_err(StoreError::doing("read log lines"))?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Message { code: rows::get(&row, "code")?, params: rows::json(&row, "params")? }))
    }

    /// How many files the log of a run says to be published no more.
    pub async fn removed_lines(&self, instance: InstanceId) -> Result<u64, StoreError> {
        let mut reader = self.list_reader().await?;
        sql::scalar("SELECT count(*) FROM log_detail WHERE instance_id = $1 AND code = 'publish-removed'")
            .bind(instance.0)
            .fetch_one(&mut reader)
            .await
            .map_err(StoreError::doing("count what left a publish"))
    }
}

fn filter_details(query: &mut Builder, filter: &DetailFilter) {
    if filter.log_types.is_some() {
        query.push(" AND ");
        push_of_types(query, filter);
    }
    if let Some(after) = filter.after {
        query.push(" AND d.id > ").push_bind(after);
    }
}

/// Whether a line is of the types, or has one of the codes.
fn push_of_types(query: &mut Builder, filter: &DetailFilter) {
    query.push("(d.log_type IN texts(");
    query.push_list(filter.log_types.as_deref().unwrap_or_default()).push(")");
    if !filter.codes.is_empty() {
        query.push(" OR d.code IN texts(");
        query.push_list(filter.codes).push(")");
    }
    query.push(")");
}

fn read_detail(row: &Row) -> Result<Detail, StoreError> {
    Ok(Detail {
        id: rows::get(row, "id")?,
        instance: InstanceId(rows::get(row, "instance_id")?),
        run_name: rows::get(row, "run_name")?,
        logged_at: rows::instant(row, "logged_at")?,
        log_type: rows::constant(row, "log_type")?,
        message: Message { code: rows::get(row, "code")?, params: rows::json(row, "params")? },
        asset: rows::get::<Option<i64>>(row, "asset_id")?.map(AssetId),
        asset_name: rows::get(row, "asset_name")?,
        file_type: rows::get(row, "file_type")?,
        asset_type: rows::optional_constant(row, "asset_type")?,
    })
}
