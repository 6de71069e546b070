//! serverDirectoryPublishJob: plain files in the folders that the company keeps them in, `<folder>/<file>`, for programs
//! that know nothing of assets. A page or a layer gives the picture of it, `<folder>/<page>.tif`: the file that it was drawn
//! from is there once, if that is marked. A set gives its [definition](super::rule::definition), `<folder>/<set>.json`. The
//! manifest is hidden (`.manifest.jsonl`), as no asset can be.

use super::rule::{Content, Given, LogTypes, Rule, definition, is_set};
use crate::model::asset::ContextKind;
use crate::model::log::{FileType, LogType};
use crate::store::publishing::AssetState;

pub static RULE: Rule = Rule {
    kind: ContextKind::ServerDirectory,
    keeps_folders: true,
    looks_at_all: true,
    types: LogTypes {
        success: LogType::ServerDirectoryPublishSuccess,
        error: LogType::ServerDirectoryPublishError,
        warning: LogType::ServerDirectoryPublishWarning,
        cleanup: None,
    },
    files,
};

fn files(asset: &AssetState) -> Vec<Given> {
    if is_set(asset) {
        vec![definition(asset, path(asset, &format!("{}.json", asset.name)), files)]
    } else if is_drawn(asset) {
        let pyramid = Given::pyramid(asset);
        vec![Given { file_name: path(asset, &pyramid.file_name), ..pyramid }]
    } else {
        let file_type = FileType::of_master(asset.asset_type);
        vec![Given::new(path(asset, &asset.file_name), file_type, Content::Master)]
    }
}

/// Whether its master is that of the asset it was drawn from, which may be gone by now.
const fn is_drawn(asset: &AssetState) -> bool {
    asset.making.is_of_piece()
}

/// Where a file of the asset lies.
fn path(asset: &AssetState, file_name: &str) -> String {
    if asset.folder.is_empty() { file_name.to_owned() } else { format!("{}/{file_name}", asset.folder) }
}
