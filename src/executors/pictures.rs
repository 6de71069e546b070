//! From a file in the blob store to a master with its pyramid and thumbnail.
//!
//! A picture of a format that is read here, but which cannot be decoded, is refused, and so is what is only named as one: an
//! asset that can never be shown would be found out only by whoever looks for it later, and would keep its name from the good
//! file. Pictures of formats that are not read yet are kept, without a pyramid and with a warning, for the version that will
//! read them.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use super::recipe::Recipes;
use super::{Failure, Workshop, pages, reason};
use crate::assets::blobs::{Blob, BlobError, Blobs, Draft};
use crate::assets::recognize;
use crate::config::TiffPages;
use crate::media::child::{ErrandError, borrowed};
use crate::media::errand::{LookForHoles, Optimize};
use crate::media::{self, Format, MediaError, Nothing, Picture, StandInError};
use crate::model::asset::{AssetType, DerivedRole, PictureFacts};
use crate::model::log::Message;
use crate::model::making::Making;
use crate::model::metadata::{Fields, Update};
use crate::store::assets::derived::Derived;
use crate::store::assets::ingest::Master;
use crate::store::pictures::KnownAsset;

/// What was made of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    pub picture: Picture,
    /// Width and height of what was made.
    pub pixels: (u32, u32),
    /// Pixels that a crop has cut off at the left and at the top.
    pub cut: (u32, u32),
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
        if error.is_of_file() {
            tracing::error!(%error, "a stored file cannot be used");
            return Self::Refused(reason::of_blob(&error));
        }
        Self::Failed(error.into())
    }
}

impl From<MediaError> for Unmade {
    fn from(error: MediaError) -> Self {
        match &error {
            MediaError::Cancelled => Self::Failed(Failure::Interrupted),
            // Both what is read and what is written here is our own.
            MediaError::Io { source, .. } => Self::Failed(Failure::of_io(source, &error)),
            MediaError::BadOption { .. } => Self::Failed(Failure::because(reason::other(error))),
            _ => Self::Refused(reason::of_picture(&error)),
        }
    }
}

impl From<StandInError> for Unmade {
    fn from(error: StandInError) -> Self {
        match error {
            StandInError::Picture(error) => error.into(),
            StandInError::Child(error) => error.into(),
        }
    }
}

impl<E: std::error::Error + Into<Self>> From<ErrandError<E>> for Unmade {
    fn from(error: ErrandError<E>) -> Self {
        match error {
            ErrandError::Own(error) => error.into(),
            ErrandError::Child(error) => error.into(),
        }
    }
}

/// A master that is a picture.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    pub blob: &'a str,
    pub format: Format,
}

/// A child works in another folder.
pub fn absolute(path: PathBuf) -> Result<PathBuf, Unmade> {
    std::path::absolute(path).map_err(|error| Unmade::Failed(Failure::Transient(reason::other(error))))
}

/// What was made of a master, in files that are not kept yet.
struct Painted {
    made: media::Optimized,
    pyramid: Draft,
    thumbnail: Draft,
    mask: Draft,
}

/// Whether JPEG tiles are good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tiles {
    AsConfigured,
    WithoutLoss,
}

fn paint(
    workshop: &Workshop,
    recipes: &Recipes,
    Source { blob: source_blob, format }: Source<'_>,
    (making, tiles): (&Making, Tiles),
    stop: &dyn Fn() -> bool,
) -> Result<Painted, Unmade> {
    let Workshop { blobs, settings, launcher, crew, .. } = workshop;
    let master = absolute(blobs.path(source_blob)?)?;
    if matches!(format, Format::Heic | Format::Avif) {
        crew.send(LookForHoles { format }, &borrowed([&blobs.read(source_blob)?]), stop)?;
    }
    let stand_in = media::stand_in(launcher, &master, format, &settings.stand_in_limits(), stop)?;
    let source = match &stand_in {
        Some(stand_in) => stand_in.open()?,
        None => blobs.read(source_blob)?,
    };
    let (pyramid, thumbnail, mask) = (blobs.draft()?, blobs.draft()?, blobs.draft()?);
    let mut drafts = [pyramid.writer()?, thumbnail.writer()?, mask.writer()?];
    let [to_pyramid, to_thumbnail, to_mask] = &mut drafts;
    let outputs = media::Outputs { pyramid: to_pyramid, thumbnail: to_thumbnail, mask: to_mask };
    let lossless = tiles == Tiles::WithoutLoss;
    let options = media::Options { upright: stand_in.is_some(), lossless, ..recipes.options(making, stop)? };
    let read = if stand_in.is_some() { Format::Png } else { format };
    let mut made = Optimize::send(crew, &source, Some(read), outputs, &options, stop)?;
    if let Some(stand_in) = stand_in {
        made.picture.format = format;
        made.notes.extend(stand_in.notes);
    }
    Ok(Painted { made, pyramid, thumbnail, mask })
}

/// Makes the pyramid, the thumbnail and the mask of a master. Blocks.
pub fn make(
    workshop: &Workshop,
    recipes: &Recipes,
    source: Source<'_>,
    making: &Making,
    stop: &dyn Fn() -> bool,
) -> Result<Made, Unmade> {
    let Painted { made, pyramid, thumbnail, mask } =
        paint(workshop, recipes, source, (making, Tiles::AsConfigured), stop)?;
    let blobs = &workshop.blobs;
    let recipe = recipes.of(making);
    let derived = |role, blob: Blob, pixels| Derived {
        role,
        blob: blob.id,
        bytes: blob.bytes,
        pixels,
        source_blob: source.blob.to_owned(),
        recipe: recipe.clone(),
    };
    let pixels = made.pyramid.levels[0];
    let mut all = vec![
        derived(DerivedRole::Pyramid, blobs.keep(pyramid)?, pixels),
        derived(DerivedRole::Thumbnail, blobs.keep(thumbnail)?, (made.thumbnail.width, made.thumbnail.height)),
    ];
    if made.mask.is_some() {
        all.push(derived(DerivedRole::Mask, blobs.keep(mask)?, pixels));
    }
    Ok(Made { picture: made.picture, pixels, cut: made.cut, derived: all, notes: made.notes })
}

/// Makes the derived files of an asset that is there already. Blocks.
pub fn remake(
    workshop: &Workshop,
    recipes: &Recipes,
    source_blob: &str,
    file_name: &str,
    making: &Making,
    stop: &dyn Fn() -> bool,
) -> Result<Made, Unmade> {
    make(workshop, recipes, sound(workshop, source_blob, file_name, stop)?, making, stop)
}

/// The pyramid of a stored master as it would be made of it, but without loss. It is gone with what is returned. Blocks.
pub fn lossless(
    workshop: &Workshop,
    recipes: &Recipes,
    source_blob: &str,
    file_name: &str,
    making: &Making,
    stop: &dyn Fn() -> bool,
) -> Result<Draft, Unmade> {
    let source = sound(workshop, source_blob, file_name, stop)?;
    paint(workshop, recipes, source, (making, Tiles::WithoutLoss), stop).map(|painted| painted.pyramid)
}

/// A stored master that is what was stored, and can be decoded.
fn sound<'a>(
    workshop: &Workshop,
    blob: &'a str,
    file_name: &str,
    stop: &dyn Fn() -> bool,
) -> Result<Source<'a>, Unmade> {
    workshop.blobs.verify(blob, stop)?;
    let format = sniff(&workshop.blobs, blob, file_name)?;
    if format.is_decodable() {
        return Ok(Source { blob, format });
    }
    // It came in as a picture of some format.
    Err(Unmade::Refused(if format == Format::Unknown {
        let detail = "its content is of no known format any more; upload it again";
        Message::new("reason-damaged").with("type", "master").with("detail", detail)
    } else {
        Message::new("reason-not-in-version")
    }))
}

/// What a master is.
pub fn sniff_master(blobs: &Blobs, source_blob: &str, file_name: &str) -> Result<Format, Unmade> {
    if !blobs.contains(source_blob) {
        return Err(Unmade::Refused(Message::new(reason::LOST_FILE)));
    }
    Ok(sniff(blobs, source_blob, file_name)?)
}

/// A file that is ready to become an asset.
#[derive(Debug, Clone, PartialEq)]
pub struct Ready {
    pub format: Format,
    pub master: Master,
    /// How the asset was made whose master it becomes, when this was computed; the default if there was none.
    pub built_on: Making,
    pub derived: Vec<Derived>,
    /// What the file says about itself.
    pub metadata: Fields,
    /// What the job sets on the asset.
    pub updates: Vec<Update>,
    pub warnings: Vec<Warning>,
}

/// Something about a file that its owner may want to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    ContentDiffers {
        extension: String,
        format: Format,
    },
    Remark(Message),
    /// Archives are to be unpacked, and it is called one, but is none that can be read.
    NotUnpacked,
    /// Not all is well with its pages.
    Pages(pages::Problem),
    /// It is kept without anything made of it.
    NoPicture(Message),
    /// An option of the job did nothing here.
    NoEffect {
        option: &'static str,
        why: Message,
    },
}

impl Warning {
    /// In a line about `file`.
    pub fn told_of(&self, file: &str) -> Message {
        let file = file.to_owned();
        match self {
            Self::ContentDiffers { extension, format } => Message::new("content-differs")
                .with("file", file)
                .with("extension", extension.clone())
                .with("type", format.name()),
            Self::Remark(why) => Message::new("upload-warning").with("file", file).with("reason", why.clone()),
            Self::NotUnpacked => Message::new("archive-not-unpacked").with("file", file),
            Self::Pages(problem) => problem.told_of(&file),
            Self::NoPicture(why) => Message::new("no-picture").with("file", file).with("reason", why.clone()),
            Self::NoEffect { option, why } => Message::new("option-no-effect-here")
                .with("file", file)
                .with("option", *option)
                .with("reason", why.clone()),
        }
    }
}

impl Ready {
    /// The master as it came, with nothing made of it.
    pub fn new(format: Format, blob: &Blob, making: Making) -> Self {
        let master = Master {
            asset_type: recognize::asset_type(format),
            blob: blob.id.clone(),
            bytes: blob.bytes,
            pixels: None,
            facts: PictureFacts::default(),
            making,
        };
        let built_on = Making::default();
        Self {
            format,
            master,
            built_on,
            derived: Vec::new(),
            metadata: Fields::new(),
            updates: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// Makes what is derived from a picture that has just come. Blocks.
pub fn complete(
    ready: &mut Ready,
    workshop: &Workshop,
    recipes: &Recipes,
    stop: &dyn Fn() -> bool,
) -> Result<(), Unmade> {
    let source = Source { blob: &ready.master.blob, format: ready.format };
    let made = match make(workshop, recipes, source, &ready.master.making, stop) {
        // A tool that is missing is no fault of the picture's: what it needs can be made when the tool is there.
        Err(Unmade::Refused(why)) if why.code == "reason-tool-missing" => {
            ready.master.facts.format = Some(ready.format.name().to_owned());
            ready.warnings.push(Warning::NoPicture(why));
            return Ok(());
        }
        made => made?,
    };
    if made.picture.is_animated {
        ready.master.asset_type = AssetType::AnimatedGif;
    }
    ready.master.pixels = Some(made.pixels);
    let mut layer = ready.master.facts.layer.take();
    if let Some(layer) = &mut layer {
        layer.cut = made.cut;
    }
    ready.master.facts = PictureFacts { layer, ..facts(&made.picture) };
    ready.derived = made.derived;
    let becomes_assets = |note: &media::Note| {
        matches!(note, media::Note::PagesLeftOut(_)) && workshop.settings.media.tiff_pages == TiffPages::All
    };
    let notes = made.notes.iter().filter(|note| !becomes_assets(note));
    ready.warnings.extend(notes.map(|note| Warning::Remark(reason::other(note))));
    Ok(())
}

/// The same file again, and what was made of it is as it would be now: a nightly upload of a folder mostly is this.
pub fn unchanged(ready: &Ready, recipes: &Recipes, file_name: &str, known: &KnownAsset) -> Option<Ready> {
    let Ready { format, master, metadata, warnings, .. } = ready;
    let recipe = recipes.of(&master.making);
    let is_fresh = |derived: &Derived| derived.source_blob == master.blob && derived.recipe == recipe;
    let is_same = known.master.blob == master.blob && known.file_name == file_name;
    let is_complete = known.derived.len() >= 2 && known.derived.iter().all(is_fresh);
    (is_same && is_complete).then(|| Ready {
        format: *format,
        master: known.master.clone(),
        built_on: known.master.making.clone(),
        derived: known.derived.clone(),
        metadata: metadata.clone(),
        updates: Vec::new(),
        warnings: warnings.clone(),
    })
}

/// Whether the files of these are there, as long as they should be. They are not read.
pub fn has_files(blobs: &Blobs, derived: &[Derived]) -> bool {
    let is_there = |made: &Derived| blobs.inspect(&made.blob, Some(made.bytes), false, &|| false);
    derived.iter().all(|made| matches!(is_there(made), Ok(None)))
}

pub fn sniff(blobs: &Blobs, blob: &str, file_name: &str) -> Result<Format, BlobError> {
    let head = head(blobs.read(blob)?).map_err(BlobError::Source)?;
    Ok(media::sniff(&head, file_name))
}

/// Whether a stored file of this format is read as PDF: Illustrator's files are PDF by content, or PostScript.
pub fn is_pdf(blobs: &Blobs, blob: &str, format: Format) -> Result<bool, BlobError> {
    Ok(match format {
        Format::Pdf => true,
        Format::Illustrator => sniff(blobs, blob, "document.pdf")? == Format::Pdf,
        _ => false,
    })
}

/// What a stored file holds that is of no known format.
pub fn nothing_in(blobs: &Blobs, blob: &str) -> Result<Nothing, BlobError> {
    Ok(media::nothing(&head(blobs.read(blob)?).map_err(BlobError::Source)?))
}

fn head(file: File) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(media::SNIFF_LEN);
    file.take(media::SNIFF_LEN as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// What is kept of a picture.
pub fn facts(picture: &Picture) -> PictureFacts {
    let profile = picture.profile.as_ref().map(|profile| profile.description.clone());
    PictureFacts {
        format: Some(picture.format.name().to_owned()),
        colorspace: Some(picture.color.name().to_owned()),
        bits_per_component: Some(picture.depth.into()),
        has_alpha: Some(picture.has_alpha),
        embedded_icc_profile: profile.filter(|name| !name.is_empty()),
        resolution: picture.resolution.map(|resolution| resolution.x),
        video: None,
        layer: None,
    }
}
