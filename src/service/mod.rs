//! What a caller may ask: every function authorises, validates, and calls the store. No XML, no HTTP, no SQL.
//!
//! Parameters and results are serde structures in the shape of the API contract (camelCase field names, arrays without
//! their `items` wrapper); the transports translate them. Handles are written in the newer shape.

pub mod access;
pub mod accounts;
pub mod admin;
pub mod asset_change;
pub mod asset_contexts;
pub mod asset_publish;
pub mod asset_query;
pub mod asset_relations;
pub mod asset_view;
mod built_in;
mod caller;
pub mod companies;
pub mod company_settings;
pub mod doctor;
mod error;
pub mod exports;
mod fields;
pub mod folders;
mod guard;
pub mod image_formats;
pub mod jobs;
mod login;
pub mod mark;
pub mod metadata;
mod operator;
mod overview;
pub mod pages;
pub mod password;
pub mod properties;
pub mod property_sets;
mod seats;
mod services;
pub mod sets;
pub mod uploads;

use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, Utc};

pub use access::Operation;
pub use admin::FirstAdmin;
pub use caller::Caller;
pub use error::{Ambiguous, Candidate, Denied, Error, NotAuthenticated};
pub use login::Credentials;
pub use overview::{Overview, Stats};
pub use services::{LoginSettings, Services, Settings};

use crate::model::invalid::Invalid;

/// An instant as replies have it: always with milliseconds.
pub(crate) fn time_text(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Reads the constant in a field.
fn parse<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, Invalid> {
    text.trim().parse().map_err(|e: T::Err| Invalid::new(field, e.to_string()))
}

/// Reads the constant in a field that may be missing or empty.
fn parse_optional<T: FromStr<Err: Display>>(field: &str, text: Option<&str>) -> Result<Option<T>, Invalid> {
    text.filter(|text| !text.trim().is_empty()).map(|text| parse(field, text)).transpose()
}

/// Reads the constants in an array; an error names the item.
fn parse_all<T: FromStr<Err: Display>>(field: &str, texts: &[String]) -> Result<Vec<T>, Invalid> {
    texts.iter().enumerate().map(|(index, text)| parse(&item(field, index), text)).collect()
}

/// How an item of an array is named in messages.
fn item(field: &str, index: usize) -> String {
    format!("{field}/items[{}]", index + 1)
}
