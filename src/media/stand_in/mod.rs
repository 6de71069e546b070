//! Pictures that take more than a decoder of ours: a child process ([`child`](super::child)) makes a PNG of the file, which
//! then is read in the place of it.
//!
//! SVG is drawn by this program itself on the other side of the fence. Drawing cannot be asked to stop, and what it takes is
//! known only afterwards: the limits of the child are what holds it. HEIC and AVIF, whose codecs are large and written in C, are left to
//! an installed tool.

pub(in crate::media) mod heif;
pub(in crate::media) mod svg;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::child::{ChildError, Folder, Launcher};
use super::color::Note;
use super::decode::Cancel;
use super::error::MediaError;
use super::format::Format;
use super::formats::Reader;
use super::limits::Limits;
pub(crate) use svg::{NAME, work};
pub(in crate::media) use svg::{NoText as NoSvgText, text as svg_text};

/// What a stand-in may cost.
#[derive(Debug, Clone, PartialEq)]
pub struct StandInLimits {
    pub picture: Limits,
    pub time: Duration,
}

/// Why there is no stand-in.
#[derive(Debug, thiserror::Error)]
pub enum StandInError {
    #[error(transparent)]
    Picture(#[from] MediaError),
    #[error(transparent)]
    Child(#[from] ChildError),
}

/// A PNG that is there as long as this is. Its pixels are upright, whatever its EXIF says.
#[derive(Debug)]
pub struct StandIn {
    pub path: PathBuf,
    /// What is not as the file would have it.
    pub notes: Vec<Note>,
    _folder: Folder,
}

impl StandIn {
    /// What the child left under its name is opened if it is a file, and nothing that leads to one.
    pub fn open(&self) -> Result<File, StandInError> {
        let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(&self.path);
        Ok(opened.map_err(ChildError::doing("open the picture that stands in"))?)
    }
}

/// Makes the stand-in for the picture at `path`, an absolute path; none for formats that are read as they are.
pub fn stand_in(
    launcher: &Launcher,
    path: &Path,
    format: Format,
    limits: &StandInLimits,
    cancel: Cancel<'_>,
) -> Result<Option<StandIn>, StandInError> {
    match format.row().reader {
        Some(Reader::StandIn(make)) => make(launcher, path, format, limits, cancel).map(Some),
        Some(Reader::Decoder { .. }) | None => Ok(None),
    }
}
