//! imageRenderingPublishJob: what rendering servers read.
//!
//! The pyramids of pictures and their masks, which are put on what is rendered, and the definitions of render sets, as
//! image servers have them; and as
//! `content/<asset>.<extension>` the masters that a rendering is made from: vignettes, cabinets, window coverings,
//! colour profiles, fonts, and the documents that describe them.

use super::rule::{CleanupTypes, Given, LogTypes, Rule, definition, is_set};
use crate::model::asset::{AssetType, ContextKind};
use crate::model::log::LogType;
use crate::store::publishing::AssetState;

pub static RULE: Rule = Rule {
    kind: ContextKind::ImageRendering,
    keeps_folders: false,
    looks_at_all: true,
    types: LogTypes {
        success: LogType::ImageRenderingPublishSuccess,
        error: LogType::ImageRenderingPublishError,
        // The API has no type of warning for this context.
        warning: LogType::ImageServingPublishWarning,
        cleanup: Some(CleanupTypes {
            begin: (LogType::BeginImageRenderingPublishCleanup, "begin-image-rendering-publish-cleanup"),
            success: LogType::ImageRenderingPublishCleanupSuccess,
            end: (LogType::EndImageRenderingPublishCleanup, "end-image-rendering-publish-cleanup"),
        }),
    },
    files,
};

fn files(asset: &AssetState) -> Vec<Given> {
    if asset.asset_type == AssetType::RenderSet && is_set(asset) {
        vec![definition(asset, format!("{}.json", asset.name), files)]
    } else if is_set(asset) {
        Vec::new()
    } else if asset.asset_type.is_picture() {
        vec![Given::pyramid(asset), Given::mask(asset)]
    } else if is_rendered(asset.asset_type) {
        vec![Given::content(asset)]
    } else {
        Vec::new()
    }
}

const fn is_rendered(asset_type: AssetType) -> bool {
    matches!(
        asset_type,
        AssetType::Vignette
            | AssetType::Cabinet
            | AssetType::WindowCovering
            | AssetType::RenderScene
            | AssetType::IccProfile
            | AssetType::Font
            | AssetType::Aco
            | AssetType::Xml
            | AssetType::Xsl
    )
}
