//! What can be wrong with a stored file, and whose it is: the words are the same wherever it is found.

use super::asset::DerivedRole;
use super::id::{AssetId, CompanyId, InstanceId};
use super::log::{FileType, Message};

/// What a look at a stored file found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// There is no such file.
    Gone,
    /// It was cut, or something was added.
    Size { expected: u64, found: u64 },
    /// It is as long as it was, but not what it was.
    Changed,
    /// The system gave this reason for not reading it.
    Unreadable { reason: String },
}

/// What a stored file is to the asset it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileRole {
    /// What was uploaded.
    Master,
    /// A part of another asset (a layer, a rendition), which was made from it.
    Part,
    /// Made from the master.
    Derived(DerivedRole),
    /// Neither of both any more, but still what readers are shown.
    Published,
}

impl FileRole {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Master => "Master",
            Self::Part => "Part",
            Self::Derived(role) => role.as_str(),
            Self::Published => "Published",
        }
    }
}

/// What makes a file again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// optimizeImagesJob.
    Optimize,
    /// ripPdfsJob on the document.
    RipPdfs,
    /// reprocessAssetsJob on the asset, or on what it is a part of.
    Reprocess,
    /// A full publish.
    Publish,
    /// Nothing: it has to be brought again.
    Nobody,
}

impl Maker {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Optimize => "Optimize",
            Self::RipPdfs => "RipPdfs",
            Self::Reprocess => "Reprocess",
            Self::Publish => "Publish",
            Self::Nobody => "Nobody",
        }
    }
}

/// An asset that a stored file belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOwner {
    pub company: CompanyId,
    pub company_name: String,
    /// With the company's root folder.
    pub folder: String,
    pub asset: AssetId,
    pub asset_name: String,
    pub file_type: FileType,
    pub role: FileRole,
    pub maker: Maker,
}

impl Damage {
    /// Says what is wrong with the file `blob` of an asset.
    pub fn message(&self, owner: &FileOwner, blob: &str) -> Message {
        Self::about(self.say(["damage-gone", "damage-size", "damage-changed", "damage-unreadable"]), owner, blob)
    }

    /// The same, and what to do: for who reads it where no remedy stands beside it.
    pub fn message_with_remedy(&self, owner: &FileOwner, blob: &str) -> Message {
        Self::about(self.say(["scrub-gone", "scrub-size", "scrub-changed", "scrub-unreadable"]), owner, blob)
            .with("start", &blob[..blob.len().min(2)])
            .with("maker", owner.maker.as_str())
    }

    fn about(message: Message, owner: &FileOwner, blob: &str) -> Message {
        message
            .with("role", owner.role.as_str())
            .with("asset", owner.asset_name.clone())
            .with("company", owner.company_name.clone())
            .with("folder", owner.folder.clone())
            .with("blob", blob)
    }

    /// Says what is wrong with the archive of an export.
    pub fn of_export(&self, run: InstanceId) -> Message {
        self.say(["damage-export-gone", "damage-export-size", "damage-export-changed", "damage-export-unreadable"])
            .with("run", run.0)
    }

    fn say(&self, [gone, size, changed, unreadable]: [&str; 4]) -> Message {
        match self {
            Self::Gone => Message::new(gone),
            Self::Size { expected, found } => Message::new(size).with("expected", *expected).with("found", *found),
            Self::Changed => Message::new(changed),
            Self::Unreadable { reason } => Message::new(unreadable).with("reason", reason.clone()),
        }
    }
}
