//! TIFF and BigTIFF: one page, in strips or tiles, chunky or planar.
//!
//! ```text
//! Tags      the directory of the page that is read
//! Page      what its tags say of the pixels: decided there, and nowhere else
//! Chunks    its strips and tiles, as rows of pixels
//! unpack    from the bytes of a chunk to packed samples, as they are read
//! samples   from packed samples of any depth to samples of 8 bits
//! color     from samples to colours
//! ```

mod chunks;
mod color;
mod fax;
mod page;
mod samples;
mod tags;
mod unpack;

use tiff::TiffError;

use super::super::content::Reader;
use super::super::error::MediaError;
use super::super::format::Format;
use super::super::orientation::Orientation;
use super::super::picture::{Picture, Profile, Resolution};
use super::gather::Gathered;
use super::watched::Watched;
use super::{Decoded, PagesFound, Pixels, Source};
use crate::media::Note;
use chunks::Chunks;
pub(crate) use chunks::with_tables;
use page::Page;
use tags::{Tags, tag};

pub(super) use color::srgb_of_lab;

/// The file, read from a place of its own by each clone.
type File<'a> = Watched<'a, Reader>;

pub(in crate::media) fn probe(source: Source<'_>) -> Result<Picture, MediaError> {
    let (limits, wanted) = (source.limits, source.content.page());
    let mut tags = Tags::open(source.file.into_inner(), source.share, wanted.unwrap_or(1))?;
    let page = Page::read(&mut tags, limits)?;
    describe(&mut tags, &page, wanted)
}

/// How many pages there are.
pub(in crate::media) fn count_pages(source: Source<'_>) -> Result<PagesFound, MediaError> {
    let tags = Tags::open(source.file.into_inner(), source.share, 1)?;
    Ok(PagesFound { count: tags.pages, is_whole: tags.is_whole })
}

pub(in crate::media) fn decode(source: Source<'_>) -> Result<Decoded<'_>, MediaError> {
    let Source { file, bytes, limits, share, remarks, content, .. } = source;
    let (file, wanted) = (file.into_inner(), content.page());
    let mut tags = Tags::open(file.clone(), share.clone(), wanted.unwrap_or(1))?;
    let page = Page::read(&mut tags, limits)?;
    let picture = describe(&mut tags, &page, wanted)?;
    let chunks = Chunks::new(tags, file, page, (bytes, limits), share, remarks)?;
    Ok(Decoded { picture, pixels: Pixels::Flow(Box::new(Gathered::new(chunks))) })
}

/// Where a page was asked for by its number, others are not left out.
fn describe(tags: &mut Tags<'_>, page: &Page, wanted: Option<u32>) -> Result<Picture, MediaError> {
    let orientation = tags.number(tag::ORIENTATION)?.and_then(|value| u32::try_from(value).ok());
    let icc = tags.bytes(tag::ICC_PROFILE)?.filter(|_| page.color.takes_profile());
    let mut notes: Vec<Note> = page.notes();
    let left_out = tags.pages - 1;
    notes.extend((left_out > 0 && wanted.is_none()).then_some(Note::PagesLeftOut(left_out)));
    Ok(Picture {
        format: Format::Tiff,
        width: 0,
        height: 0,
        color: page.color.model(),
        depth: page.bits,
        has_alpha: page.alpha.is_some(),
        is_animated: false,
        profile: icc.map(Profile::new),
        resolution: resolution(tags)?,
        orientation: orientation.and_then(Orientation::from_exif).unwrap_or_default(),
        notes,
    }
    .with_stored_size(page.width, page.height))
}

fn resolution(tags: &mut Tags<'_>) -> Result<Option<Resolution>, MediaError> {
    let (x, y) = (tags.fractions(tag::X_RESOLUTION)?, tags.fractions(tag::Y_RESOLUTION)?);
    let (Some(x), Some(y)) = (x.first(), y.first()) else { return Ok(None) };
    Ok(Resolution::of_tiff(*x, *y, tags.number(tag::RESOLUTION_UNIT)?))
}

fn unsupported(what: &str) -> MediaError {
    MediaError::unsupported(Format::Tiff, format!("a TIFF file with {what}"))
}

fn corrupt(what: impl Into<String>) -> MediaError {
    MediaError::corrupt(Format::Tiff, what)
}

/// An error of the crate that reads the pyramids made here.
pub(crate) fn refused(error: TiffError) -> MediaError {
    match error {
        TiffError::IoError(error) => MediaError::reading(Format::Tiff, error),
        TiffError::UnsupportedError(what) => unsupported(&what.to_string()),
        TiffError::LimitsExceeded => corrupt("a tag takes more memory than one picture is given"),
        other => corrupt(other.to_string()),
    }
}
