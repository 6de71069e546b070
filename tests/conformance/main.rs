//! What the store keeps and answers, whatever database it stands on (`support::Database` says which): jobs from their
//! submission to what the world outside hears of their end, accounts, assets, searches and rights. Nothing here names a
//! database or its words; what is particular to one is tested in `dialects`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/mod.rs"]
mod support;
mod tenants;

mod accounts;
mod asset_search;
mod assets;
mod jobs;
mod rights;
