//! From a file in the blob store to a master with its pyramid and thumbnail.
//!
//! A picture of a format that is read here, but which cannot be decoded, is refused: an asset that can never be shown
//! would be found out only by whoever looks for it later. Pictures of formats that are not read yet are kept, without a
//! pyramid and with a warning, for the version that will read them.

use std::fs::File;
use std::io::{self, Read};

use super::{Failure, Settings, Workshop, reason};
use crate::assets::blobs::{Blob, BlobError, Blobs};
use crate::assets::recognize;
use crate::media::{self, Format, MediaError, Picture};
use crate::model::asset::{AssetType, DerivedRole, PictureFacts};
use crate::model::log::Message;
use crate::model::making::Making;
use crate::store::assets::ingest::{Derived, Master};
use crate::store::pictures::KnownAsset;

/// Raised when the same options give other bytes than before: everything made until then becomes stale.
const MAKING: u32 = 2;

/// How derived files are made under these settings. Another recipe means that they are stale.
pub fn recipe(settings: &Settings) -> String {
    let media::Options { tile, quality, chroma, thumbnail_side, thumbnail_quality, cmyk_profile: _ } =
        settings.picture_options();
    let profile = settings.cmyk_profile.as_ref().map_or("none", |profile| &profile.hash);
    format!(
        "{MAKING}: tile {tile}, quality {quality}, chroma {chroma:?}, thumbnail {thumbnail_side} at {thumbnail_quality}, CMYK profile {profile}"
    )
}

/// What was made of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    pub picture: Picture,
    pub derived: Vec<Derived>,
    pub notes: Vec<media::Note>,
}

/// Why nothing was made.
#[derive(Debug)]
pub enum Unmade {
    /// It is the picture's fault.
    Refused(Message),
    /// It is not.
    Failed(Failure),
}

impl From<BlobError> for Unmade {
    fn from(error: BlobError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<MediaError> for Unmade {
    fn from(error: MediaError) -> Self {
        match &error {
            MediaError::Cancelled => Self::Failed(Failure::Interrupted),
            // Both what is read and what is written here is our own.
            MediaError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Self::Failed(Failure::Transient(Message::new("reason-disk-full")))
            }
            MediaError::Io { .. } => Self::Failed(Failure::Transient(reason::other(error))),
            MediaError::BadOption { .. } => Self::Failed(Failure::because(reason::other(error))),
            _ => Self::Refused(reason::of_picture(&error)),
        }
    }
}

/// Makes the pyramid and the thumbnail of a master. Blocks.
pub fn make(workshop: &Workshop, source_blob: &str, stop: &dyn Fn() -> bool) -> Result<Made, Unmade> {
    let Workshop { blobs, settings, .. } = workshop;
    let (mut pyramid, mut thumbnail) = (blobs.draft()?, blobs.draft()?);
    let made = media::optimize(
        &blobs.path(source_blob)?,
        pyramid.file(),
        thumbnail.file(),
        &settings.picture_options(),
        &settings.picture_limits(),
        stop,
    )?;
    let recipe = recipe(settings);
    let derived = |role, blob: Blob, pixels| Derived {
        role,
        blob: blob.id,
        bytes: blob.bytes,
        pixels,
        source_blob: source_blob.to_owned(),
        recipe: recipe.clone(),
    };
    let size = (made.picture.width, made.picture.height);
    let derived = vec![
        derived(DerivedRole::Pyramid, blobs.keep(pyramid)?, size),
        derived(DerivedRole::Thumbnail, blobs.keep(thumbnail)?, (made.thumbnail.width, made.thumbnail.height)),
    ];
    Ok(Made { picture: made.picture, derived, notes: made.notes })
}

/// Makes the derived files of an asset that is there already. Blocks.
pub fn remake(
    workshop: &Workshop,
    source_blob: &str,
    file_name: &str,
    stop: &dyn Fn() -> bool,
) -> Result<Made, Unmade> {
    if !workshop.blobs.contains(source_blob) {
        let lost = "its master is missing from the store of files; upload it again";
        return Err(Unmade::Refused(reason::other(lost)));
    }
    let format = sniff(&workshop.blobs, source_blob, file_name)?;
    if format.is_decodable() {
        make(workshop, source_blob, stop)
    } else {
        Err(Unmade::Refused(Message::new("reason-not-in-version")))
    }
}

/// A file that is ready to become an asset.
#[derive(Debug, Clone, PartialEq)]
pub struct Ready {
    pub format: Format,
    pub master: Master,
    pub derived: Vec<Derived>,
    pub warnings: Vec<Warning>,
}

/// Something about a file that its owner may want to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    ContentDiffers { extension: String, format: Format },
    Remark(Message),
}

impl Ready {
    /// The master as it came, with nothing made of it.
    pub fn new(format: Format, blob: &Blob) -> Self {
        let master = Master {
            asset_type: recognize::asset_type(format),
            blob: blob.id.clone(),
            bytes: blob.bytes,
            pixels: None,
            facts: PictureFacts::default(),
            making: Making::default(),
        };
        Self { format, master, derived: Vec::new(), warnings: Vec::new() }
    }
}

/// Makes the pyramid and the thumbnail of a picture that has just come. Blocks.
pub fn complete(ready: &mut Ready, workshop: &Workshop, stop: &dyn Fn() -> bool) -> Result<(), Unmade> {
    let made = make(workshop, &ready.master.blob, stop)?;
    if made.picture.is_animated {
        ready.master.asset_type = AssetType::AnimatedGif;
    }
    ready.master.pixels = Some((made.picture.width, made.picture.height));
    ready.master.facts = facts(&made.picture);
    ready.derived = made.derived;
    ready.warnings.extend(made.notes.iter().map(|note| Warning::Remark(reason::other(note))));
    Ok(())
}

/// The same file again, and what was made of it is as it would be now: a nightly upload of a folder mostly is this.
pub fn unchanged(
    settings: &Settings,
    format: Format,
    blob: &Blob,
    file_name: &str,
    known: &KnownAsset,
) -> Option<Ready> {
    let recipe = recipe(settings);
    let is_fresh = |derived: &Derived| derived.source_blob == blob.id && derived.recipe == recipe;
    let is_same = known.master.blob == blob.id && known.file_name == file_name;
    let is_complete = known.derived.len() >= 2 && known.derived.iter().all(is_fresh);
    (is_same && is_complete).then(|| Ready {
        format,
        master: known.master.clone(),
        derived: known.derived.clone(),
        warnings: Vec::new(),
    })
}

pub fn sniff(blobs: &Blobs, blob: &str, file_name: &str) -> Result<Format, BlobError> {
    let head = head(blobs.read(blob)?).map_err(BlobError::Source)?;
    Ok(media::sniff(&head, file_name))
}

fn head(file: File) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(media::SNIFF_LEN);
    file.take(media::SNIFF_LEN as u64).read_to_end(&mut head)?;
    Ok(head)
}

fn facts(picture: &Picture) -> PictureFacts {
    let profile = picture.profile.as_ref().map(|profile| profile.description.clone());
    PictureFacts {
        format: Some(picture.format.name().to_owned()),
        colorspace: Some(picture.color.name().to_owned()),
        bits_per_component: Some(picture.depth.into()),
        has_alpha: Some(picture.has_alpha),
        embedded_icc_profile: profile.filter(|name| !name.is_empty()),
        resolution: picture.resolution.map(|resolution| resolution.x),
        video: None,
    }
}
