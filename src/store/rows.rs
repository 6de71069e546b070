//! Rows to the domain and back: instants, constants, JSON.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use super::StoreError;
use crate::store::sql::{self, Cells, Row};

/// An instant kept as UTC milliseconds.
pub(super) fn instant(row: &Row, column: &str) -> Result<DateTime<Utc>, StoreError> {
    optional_instant(row, column)?.ok_or_else(|| StoreError::corrupt(column, "is NULL"))
}

pub(super) fn optional_instant(row: &Row, column: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
    match get::<Option<i64>>(row, column)? {
        None => Ok(None),
        Some(millis) => DateTime::from_timestamp_millis(millis)
            .map(Some)
            .ok_or_else(|| StoreError::corrupt(column, format!("{millis} is not an instant"))),
    }
}

pub(super) fn get<'r, T>(row: &'r Row, column: &str) -> Result<T, StoreError>
where
    T: sql::Readable<'r>,
{
    row.try_get(column).map_err(|e| StoreError::corrupt(column, e))
}

/// A constant of the API or of ours, kept as its name.
pub(super) fn constant<T>(row: &Row, column: &str) -> Result<T, StoreError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    get::<&str>(row, column)?.parse().map_err(|e| StoreError::corrupt(column, e))
}

pub(super) fn optional_constant<T>(row: &Row, column: &str) -> Result<Option<T>, StoreError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    match get::<Option<&str>>(row, column)? {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|e| StoreError::corrupt(column, e)),
    }
}

pub(super) fn json<T: DeserializeOwned>(row: &Row, column: &str) -> Result<T, StoreError> {
    serde_json::from_str(get::<&str>(row, column)?).map_err(|e| StoreError::corrupt(column, e))
}
