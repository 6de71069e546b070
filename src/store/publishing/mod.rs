//! What is published where, and how far the two trees of a context have come.
//!
//! `publication` is written before any file is touched, and each change carries the number of the publish that made it
//! (`seq`). A tree that holds everything up to a number is brought up to date by the rows with a higher one, however
//! often that is begun. Rows of files that leave stay until both trees have heard of them, and a log has named them.
//!
//! A number is good for one turn. It is checked in each transaction that writes under it: once another publish has taken
//! the next one, or a tree holds this one, a row that was still written under it would never come to that tree. Whoever
//! finds that it was passed takes a new number and begins anew.

mod read;
mod write;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::assets::ingest::Derived;
use crate::model::asset::{AssetType, ContextKind, LayerFacts, VideoFacts};
use crate::model::constants;
use crate::model::id::{AssetId, ContextId, InstanceId};
use crate::model::listing::{Entry, Listed};
use crate::model::log::FileType;
use crate::model::making::Making;
use crate::model::metadata::Fields;
pub(super) use write::apply;

constants! {
    /// One of the two trees of a context.
    pub enum Side("side") { A, B }
}

impl Side {
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// As the database and the file system spell it.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

/// A publish context, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextState {
    pub id: ContextId,
    pub name: String,
    /// Files that are published, or will be once the trees have caught up.
    pub file_count: i64,
    pub side_a_seq: i64,
    pub side_b_seq: i64,
    /// Whether no file of its trees is a link to a blob, as those of earlier versions were.
    pub owns_files: bool,
    /// Number of the last publish that began.
    pub publish_seq: i64,
    /// Number of the publish up to which the history knows what readers were given.
    pub shown_seq: i64,
    /// Number of the publish up to which logs name what readers were given, and what left.
    pub told_seq: i64,
}

impl ContextState {
    pub const fn seq_of(&self, side: Side) -> i64 {
        match side {
            Side::A => self.side_a_seq,
            Side::B => self.side_b_seq,
        }
    }
}

/// A publish context as one looks at it from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    pub state: ContextState,
    pub kind: ContextKind,
    /// Name of the company.
    pub company: String,
    /// As its trees are called.
    pub root_path: String,
}

impl Site {
    /// Whether neither tree has what the last publish began with: it is under way, or broke off.
    pub const fn is_being_published(&self) -> bool {
        self.state.publish_seq > self.state.side_a_seq && self.state.publish_seq > self.state.side_b_seq
    }
}

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

/// A file of a tree, or one that leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    pub file_name: String,
    pub asset: AssetId,
    pub asset_name: String,
    pub file_type: FileType,
    /// Empty for what is no file, but only a line of the manifest.
    pub blob: String,
    pub bytes: u64,
    /// What its line in the manifest says beside the file.
    pub detail: Option<Value>,
    pub present: bool,
    /// Number of the publish that changed it last.
    pub seq: i64,
    /// By which its file is known to be right without reading it.
    pub stamp: Option<String>,
    pub published_at: DateTime<Utc>,
}

impl Publication {
    /// Its line in the manifest.
    pub fn entry(&self) -> Entry<'_> {
        let listed = Listed {
            content: (!self.blob.is_empty()).then_some((self.bytes, self.blob.as_str())),
            asset: self.asset,
            asset_name: &self.asset_name,
            detail: self.detail.as_ref(),
        };
        Entry { name: &self.file_name, file: self.present.then_some(listed) }
    }
}

/// How far somebody has come in the rows of a context, in order of numbers and names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    pub seq: i64,
    pub file_name: String,
}

impl Cursor {
    /// Behind everything that a publish changed.
    pub const fn behind(seq: i64) -> Self {
        // The first row of the next number is greater.
        Self { seq: seq + 1, file_name: String::new() }
    }
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
