//! An asset as a publish knows it.

use crate::model::asset::{AssetType, LayerFacts, VideoFacts};
use crate::model::id::AssetId;
use crate::model::making::Making;
use crate::model::metadata::Fields;
use crate::store::assets::derived::Derived;

/// An asset as a publish sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct AssetState {
    pub id: AssetId,
    pub name: String,
    pub asset_type: AssetType,
    pub file_name: String,
    /// Without the company root.
    pub folder: String,
    pub blob: String,
    pub bytes: u64,
    pub pixels: Option<(u32, u32)>,
    pub video: Option<Box<VideoFacts>>,
    pub layer: Option<Box<LayerFacts>>,
    /// The asset that it was made from.
    pub parent: Option<AssetId>,
    /// Marked in the context, or a member of a set that is; and not in the trash.
    pub is_wanted: bool,
    /// company.change_seq when it was last forced.
    pub forced: i64,
    /// What its files are made with.
    pub making: Making,
    /// In the context of metadata: what goes there.
    pub metadata: Fields,
    /// What was made from it, stale or not.
    pub derived: Vec<Derived>,
    /// Of a set, in their order, without those in the trash.
    pub members: Vec<MemberState>,
    /// Of an asset set: setDefinition, with an answer at each of its places.
    pub definition: Option<String>,
}

/// A place in a set, as a publish sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberState {
    /// Without what was made from it, and without members of its own.
    pub asset: AssetState,
    pub row: Option<u32>,
    pub col: Option<u32>,
}
