//! imageServingPublishJob: what image servers read.
//!
//! `<asset>.tif`, the pyramid of a picture; `mask/<asset>.tif`, its mask if it has one; `<set>.json`, the
//! [definition](super::rule::definition) of a set; and `content/<asset>.<extension>`, the master of what is neither a
//! picture nor a video, and of SVG, which browsers draw themselves.

use super::rule::{CleanupTypes, Given, LogTypes, Rule, definition, is_film, is_set};
use crate::model::asset::{AssetType, ContextKind};
use crate::model::log::LogType;
use crate::store::publishing::AssetState;

pub static RULE: Rule = Rule {
    kind: ContextKind::ImageServing,
    keeps_folders: false,
    looks_at_all: false,
    types: LogTypes {
        success: LogType::ImageServingPublishSuccess,
        error: LogType::ImageServingPublishError,
        warning: LogType::ImageServingPublishWarning,
        cleanup: Some(CleanupTypes {
            begin: (LogType::BeginImageServingPublishCleanup, "begin-image-serving-publish-cleanup"),
            success: LogType::ImageServingPublishCleanupSuccess,
            end: (LogType::EndImageServingPublishCleanup, "end-image-serving-publish-cleanup"),
        }),
    },
    files,
};

fn files(asset: &AssetState) -> Vec<Given> {
    if is_set(asset) {
        vec![definition(asset, format!("{}.json", asset.name), files)]
    } else if is_film(asset.asset_type) {
        Vec::new()
    } else if asset.asset_type == AssetType::Svg {
        vec![Given::pyramid(asset), Given::mask(asset), Given::content(asset)]
    } else if asset.asset_type.is_picture() {
        vec![Given::pyramid(asset), Given::mask(asset)]
    } else {
        vec![Given::content(asset)]
    }
}
