//! metadataPublishJob: what servers of metadata read.
//!
//! There are no files but the manifest, `metadata.jsonl`, with a line for each asset that is marked in any context:
//!
//! ```text
//! {"name":"mug","asset":"mug","id":12,"type":"Image","metadata":{"dc.subject":["blue","cup"],"Launch date":["2026-12-01T00:00:00.000Z"]}}
//! ```
//!
//! Fields that are no publish data are left out.

use serde_json::{Map, Value, json};

use super::rule::{Content, Given, LogTypes, Rule};
use crate::model::asset::ContextKind;
use crate::model::log::{FileType, LogType};
use crate::store::publishing::AssetState;

pub static RULE: Rule = Rule {
    kind: ContextKind::Metadata,
    keeps_folders: false,
    looks_at_all: false,
    types: LogTypes {
        success: LogType::MetadataSuccess,
        error: LogType::MetadataFailure,
        // The API has none of its own for warnings.
        warning: LogType::MetadataFailure,
        cleanup: None,
    },
    files,
};

fn files(asset: &AssetState) -> Vec<Given> {
    let mut detail = Map::new();
    detail.insert("type".to_owned(), json!(asset.asset_type));
    detail.insert(
        "metadata".to_owned(),
        Value::Object(asset.metadata.iter().map(|(name, values)| (name.clone(), json!(values))).collect()),
    );
    vec![Given { detail, ..Given::new(asset.name.clone(), FileType::of_master(asset.asset_type), Content::Nothing) }]
}
