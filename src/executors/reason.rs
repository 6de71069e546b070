//! Why something could not be done, as messages that stand inside other messages.

use std::fmt::Display;
use std::path::Path;

use crate::assets::blobs::BlobError;
use crate::assets::ingest::IngestError;
use crate::assets::recognize::Promise;
use crate::media::child::ChildError;
use crate::media::{Format, MediaError, Nothing, PixelLimit};
use crate::model::log::{Message, shortened};
use crate::model::name::{FileName, LONGEST_FILE_NAME};
use crate::store::pictures::KnownAsset;

/// What has no words of its own.
pub fn other(detail: impl Display) -> Message {
    // The sentence that it stands in has a full stop of its own.
    let detail = detail.to_string();
    let detail = detail.strip_suffix('.').filter(|rest| !rest.ends_with('.')).unwrap_or(&detail).to_owned();
    Message::new("reason-other").with("detail", shortened(detail, LONGEST))
}

/// Most characters of what is said of an error: some quote what a file or another server says, however long that is.
const LONGEST: usize = 1000;

pub fn not_found(path: &Path) -> Message {
    Message::new("reason-not-found").with("path", path.display().to_string())
}

pub fn too_large(bytes: u64, limit: u64) -> Message {
    Message::new("reason-too-large").with("bytes", bytes).with("limit", limit)
}

/// Its content ended the daemon before. It is named by as much of its hash as nobody mistakes.
pub fn condemned(content: &str) -> Message {
    Message::new(CONDEMNED).with("content", content.chars().take(16).collect::<String>())
}

pub fn http_status(status: u16) -> Message {
    Message::new("reason-http-status").with("status", status)
}

/// A name that `FileName::clean` refused.
pub fn bad_name(raw: &str) -> Message {
    if FileName::clean("file", &raw.chars().take(LONGEST_FILE_NAME / 8).collect::<String>()).is_ok() {
        Message::new("reason-name-too-long").with("limit", LONGEST_FILE_NAME)
    } else {
        Message::new("reason-no-name")
    }
}

pub fn damaged(format: Format, detail: impl Display) -> Message {
    Message::new("reason-damaged").with("type", format.name()).with("detail", detail.to_string())
}

/// What is named as a picture, a document or a film, and is nothing of the kind.
pub fn not_as_named(promise: Promise, extension: &str, holds: Holds) -> Message {
    let kind = match promise {
        Promise::Picture => "picture",
        Promise::Document => "document",
        Promise::Film => "film",
    };
    let (holds, format) = match holds {
        Holds::Nothing(Nothing::OnlyZeros | Nothing::Zeros) => ("zeros", ""),
        Holds::Nothing(Nothing::Pointer) => ("pointer", ""),
        Holds::Nothing(Nothing::WebPage) => ("page", ""),
        Holds::Nothing(Nothing::Text) => ("text", ""),
        Holds::Nothing(Nothing::Unknown) => ("unknown", ""),
        Holds::Other(format) => ("other", format.name()),
    };
    let message = Message::new("reason-not-as-named").with("kind", kind).with("extension", extension);
    let mark = mark_of_pages(extension);
    let holds = match holds {
        "text" if !mark.is_empty() => "unmarked-text",
        "unknown" if !mark.is_empty() => "unmarked",
        holds => holds,
    };
    message.with("holds", holds).with("type", format).with("mark", mark)
}

/// What documents begin with that are told by it, however much they look like what they are called: a program in PostScript is text
/// like any other, but for that.
fn mark_of_pages(extension: &str) -> &'static str {
    let is_of = |format: Format| format.extensions().contains(&extension);
    if is_of(Format::PostScript) || is_of(Format::Eps) {
        "%!"
    } else if is_of(Format::Pdf) {
        "%PDF-"
    } else if is_of(Format::Illustrator) {
        "%PDF- and no %!"
    } else {
        ""
    }
}

/// What is found in a file that is not what it is called.
#[derive(Debug, Clone, Copy)]
pub enum Holds {
    Nothing(Nothing),
    Other(Format),
}

pub fn of_picture(error: &MediaError) -> Message {
    match error {
        MediaError::Empty => Message::new("reason-empty"),
        MediaError::Truncated { .. } => Message::new("reason-truncated"),
        MediaError::Corrupt { format, what } => damaged(*format, what),
        MediaError::TooLarge { width, height, limit: PixelLimit::Pixels(limit) } => {
            Message::new("reason-too-many-pixels").with("width", *width).with("height", *height).with("limit", *limit)
        }
        MediaError::SourceTooLarge { bytes, limit } => too_large(*bytes, *limit),
        MediaError::TooLarge { limit: PixelLimit::Side(_), .. }
        | MediaError::Unsupported { .. }
        | MediaError::TooMuchMemory { .. }
        | MediaError::BadOption { .. }
        | MediaError::NotDrawn { .. }
        | MediaError::Cancelled
        | MediaError::Io { .. } => other(error),
    }
}

/// A stored file that is not there, or is not what was stored, is a matter of the asset that needs it. The path of it is for
/// the log of the daemon: whoever reads the job's log has no key to the store.
pub fn of_blob(error: &BlobError) -> Message {
    match error {
        BlobError::Damaged { .. } => Message::new(FILE_DAMAGED),
        BlobError::Missing { .. } | BlobError::BadName(_) => Message::new(LOST_FILE),
        error => other(error),
    }
}

/// Why a page is not made by itself.
pub const fn of_page(page: &KnownAsset) -> &'static str {
    if page.has_parent { "reason-page" } else { "reason-page-alone" }
}

/// Why a rendition is not made by itself.
pub const fn of_rendition(rendition: &KnownAsset) -> &'static str {
    if rendition.has_parent { "reason-rendition" } else { "reason-rendition-alone" }
}

pub const FILE_DAMAGED: &str = "reason-file-damaged";
pub const LOST_FILE: &str = "reason-lost-file";
pub const PAGE_LOST: &str = "reason-page-lost";
/// The same of a page whose document is gone for good.
pub const PAGE_LOST_ALONE: &str = "reason-page-lost-alone";
pub const CHANGED_MEANWHILE: &str = "reason-changed-meanwhile";
pub const CONDEMNED: &str = "reason-condemned";

/// A tool that is not there can be had.
pub fn of_child(error: &ChildError) -> Message {
    match error {
        ChildError::Missing { tool, package } => {
            Message::new("reason-tool-missing").with("tool", *tool).with("package", *package)
        }
        error => other(error),
    }
}

pub fn of_ingest(error: &IngestError) -> Message {
    let path = |code: &str, path: &Path| Message::new(code).with("path", path.display().to_string());
    match error {
        IngestError::NotFound { path } => not_found(path),
        IngestError::Outside { path: outside } => path("reason-outside-root", outside),
        IngestError::Unreadable { path: unreadable, source } => {
            path("reason-not-readable", unreadable).with("detail", source.to_string())
        }
        IngestError::TooMany { .. } | IngestError::Stopped => other(error),
    }
}
