//! What a publish writes, step by step.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Side;
use crate::model::id::{AssetId, ContextId, InstanceId};
use crate::model::log::FileType;

/// What a publish began with. Kept with its first item, so that later attempts go on with the same numbers for as long as
/// nobody passes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Number of this publish.
    pub seq: i64,
    /// The last publish looked at the company's changes up to here.
    pub scanned: i64,
    /// This one looks up to here.
    pub until: i64,
    /// The trees were written later than the database knows of; what they hold is forgotten.
    #[serde(default)]
    pub is_older: bool,
}

/// What an asset shall have in the trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub asset: AssetId,
    pub files: Vec<WantedFile>,
    /// Send them again although nothing changed.
    pub forced: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedFile {
    pub file_name: String,
    /// Empty for what is no file, but only a line of the manifest.
    pub blob: String,
    pub bytes: u64,
    pub asset_name: String,
    pub file_type: FileType,
    pub detail: Option<Value>,
}

/// A published file that was found to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub file_name: String,
    pub blob: String,
    pub stamp: String,
}

/// A file that was to be published, or was, and for which there is no right content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn {
    pub file_name: String,
    pub asset: AssetId,
}

/// Rows of what left that are forgotten in one transaction, so that nobody waits long behind it.
pub const FORGOTTEN_AT_ONCE: u64 = 2000;

/// What a publish writes. `seq` is its number: who was passed writes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishStep {
    /// Takes the next number. What the run began with under an earlier one is forgotten, and what it found wrong then is not
    /// counted: it is looked for again.
    /// `seen` is the highest number that manifests in its trees are closed with: see [`numbers::meet_trees`].
    Begin { context: ContextId, run: InstanceId, seen: i64 },
    /// The files of the trees are no links to blobs any more.
    Parted { context: ContextId },
    /// Readers are given these assets: the history of some of what a tree holds that they see.
    Given { context: ContextId, seq: i64, assets: Vec<AssetId> },
    /// Readers see this tree since a publish that broke off before it said so; its history is noted.
    Shown { context: ContextId, side: Side },
    /// Writes down what the trees shall hold of these assets, and of which ones it could not be had just now.
    Record { context: ContextId, seq: i64, wanted: Vec<Wanted>, refused: Vec<AssetId> },
    /// This tree holds nothing that can be relied on.
    Reset { context: ContextId, seq: i64, side: Side },
    /// These files are right.
    Seen { context: ContextId, seq: i64, seen: Vec<Seen> },
    /// This tree holds everything up to `seq`, but for what was withdrawn from the publish.
    Staged { context: ContextId, seq: i64, side: Side, seen: Vec<Seen>, withdrawn: Vec<Withdrawn> },
    /// Readers see this tree, and its history is noted. The other tree may not be what it should be.
    Switched { context: ContextId, seq: i64, side: Side, until: i64, is_other_sound: bool },
    /// A log names what readers see of it, and what left. It may have been passed meanwhile. Some of what left is forgotten, how
    /// much is the answer.
    Told { context: ContextId, seq: i64 },
    /// Some of what left, and all know of, is forgotten. How much is the answer.
    Forget { context: ContextId },
    /// There was nothing to publish.
    Looked { context: ContextId, seq: i64, until: i64 },
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    Nothing,
    Begun(Begun),
    /// So many rows were forgotten.
    Removed(u64),
}
