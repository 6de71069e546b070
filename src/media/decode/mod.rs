//! From a file to its header and its pixels.
//!
//! The decoders are Rust throughout, so the worst hostile bytes can do to them is a panic. [`guarded`] turns one into
//! an error of that one picture.

pub(in crate::media) mod bmp;
pub(in crate::media) mod codestream;
pub(in crate::media) mod foreign;
mod gather;
pub(in crate::media) mod gif;
pub(in crate::media) mod holes;
pub(in crate::media) mod jpeg;
pub(in crate::media) mod jpeg_2000;
mod library;
pub(in crate::media) mod png;
mod png_colors;
pub(in crate::media) mod psd;
mod psd_layers;
mod remarks;
mod runs;
pub(in crate::media) mod tiff;
mod watched;
pub(in crate::media) mod webp;
mod webp_chunks;

use std::any::Any;
use std::io::{BufReader, Read, Seek};
use std::panic::{self, AssertUnwindSafe};

use serde::{Deserialize, Serialize};

use super::color::Note;
use super::content::{Content, Reader};
use super::error::MediaError;
use super::format::{Format, SNIFF_LEN};
use super::formats::{self, Decode, Probe};
use super::limits::Limits;
use super::memory::Share;
use super::picture::Picture;
use super::raster::{Layout, Raster};
use super::rows::AnyRows;
use super::sniff::sniff;
pub(crate) use remarks::{Remarks, Wholeness};
pub(crate) use watched::Watched;

/// Asked between steps of the work; true means stop.
pub type Cancel<'a> = &'a dyn Fn() -> bool;

/// A picture's header and its pixels as stored: not turned, in its own colours, but 8 bits deep.
pub(crate) struct Decoded<'a> {
    pub picture: Picture,
    pub pixels: Pixels<'a>,
}

/// Pixels come at once or as they are read, whichever takes the decoder less.
pub(crate) enum Pixels<'a> {
    Whole(Raster),
    Flow(AnyRows<'a>),
}

/// What every decoder is given.
pub(crate) struct Source<'a> {
    pub file: Input<'a>,
    /// For what is read from several places at once.
    pub content: Content,
    pub cancel: Cancel<'a>,
    pub format: Format,
    pub bytes: u64,
    pub limits: &'a Limits,
    /// All that is kept of the picture is taken from it.
    pub share: Share,
    pub remarks: Remarks,
}

/// The file of a picture, which ends with an error once the work is to stop.
pub(crate) type Input<'a> = BufReader<Watched<'a, Reader>>;

/// For what reads no more than headers, which are short by their own limits; and for workers, which are killed.
pub(crate) const NEVER: Cancel<'static> = &|| false;

impl<'a> Source<'a> {
    fn open(content: &Content, limits: &'a Limits, cancel: Cancel<'a>) -> Result<Self, MediaError> {
        let failed = |source| MediaError::Io { doing: format!("read {}", content.shown()), source };
        let mut file = content.open().map_err(failed)?;
        let bytes = file.len();
        limits.check_source(bytes)?;
        let format = match content.format() {
            Some(told) => told,
            None => {
                let mut head = Vec::with_capacity(SNIFF_LEN);
                file.by_ref().take(SNIFF_LEN as u64).read_to_end(&mut head).map_err(failed)?;
                file.rewind().map_err(failed)?;
                sniff(&head, &content.file_name())
            }
        };
        let file = BufReader::with_capacity(1 << 16, Watched::new(file, cancel));
        let content = content.clone();
        Ok(Self { file, content, cancel, format, bytes, limits, share: Share::of(limits), remarks: Remarks::default() })
    }

    /// The whole file. Its size has been checked; memory is taken as bytes arrive.
    fn read_all(&mut self, format: Format) -> Result<Vec<u8>, MediaError> {
        self.share.read(&mut self.file, self.bytes).map_err(|error| MediaError::reading(format, error))
    }
}

/// Reads the header of a picture; decodes no pixel.
pub fn probe(source: impl Into<Content>, limits: &Limits) -> Result<Picture, MediaError> {
    let source = Source::open(&source.into(), limits, NEVER)?;
    let (probe, _) = decoder(source.format)?;
    guarded(source.format, || probe(source))
}

/// How many pages a picture has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagesFound {
    pub count: u32,
    /// False: there may be more, behind what is damaged.
    pub is_whole: bool,
}

/// Counts the pages of a picture.
pub fn count_pages(source: impl Into<Content>, limits: &Limits) -> Result<PagesFound, MediaError> {
    let source = Source::open(&source.into(), limits, NEVER)?;
    match source.format {
        Format::Tiff => guarded(Format::Tiff, || tiff::count_pages(source)),
        _ => Ok(PagesFound { count: 1, is_whole: true }),
    }
}

/// Decodes a picture. The header has passed `limits` before memory is taken for pixels.
pub(crate) fn decode<'a>(
    content: &Content,
    limits: &'a Limits,
    cancel: Cancel<'a>,
) -> Result<(Decoded<'a>, Remarks), MediaError> {
    let source = Source::open(content, limits, cancel)?;
    let remarks = source.remarks.clone();
    let (_, decode) = decoder(source.format)?;
    let decoded = stoppable(source.format, cancel, || decode(source))?;
    Ok((decoded, remarks))
}

fn decoder(format: Format) -> Result<(Probe, Decode), MediaError> {
    match format.row().reader {
        Some(formats::Reader::Decoder { probe, decode }) => Ok((probe, decode)),
        Some(formats::Reader::StandIn(_)) | None => Err(not_a_picture(format)),
    }
}

/// Whether the alpha of a picture that comes as a flow lets nothing through. The answer is known for certain only after
/// its last row, which is too late for whoever reads it; but what is not opaque mostly shows it in the first.
pub(crate) fn is_opaque(content: &Content, limits: &Limits, cancel: Cancel<'_>) -> Result<bool, MediaError> {
    let (Decoded { picture, pixels }, _) = decode(content, limits, cancel)?;
    stoppable(picture.format, cancel, || match pixels {
        Pixels::Whole(raster) => Ok(raster.is_opaque()),
        Pixels::Flow(rows) => all_rows(rows, cancel, |layout, band| layout.all_opaque(band)),
    })
}

/// The same of a layer.
pub(crate) fn is_layer_opaque(
    content: &Content,
    choice: LayerChoice,
    limits: &Limits,
    cancel: Cancel<'_>,
) -> Result<bool, MediaError> {
    let Some(alpha) = psd_layers::layer_alpha(content, choice, limits, cancel)? else {
        return Ok(true);
    };
    stoppable(Format::Psd, cancel, || all_rows(alpha, cancel, |_, band| band.iter().all(|alpha| *alpha == u8::MAX)))
}

/// What is damaged of a picture that can be decoded all the same.
pub(crate) fn damage(content: &Content, limits: &Limits, cancel: Cancel<'_>) -> Result<Vec<Note>, MediaError> {
    let (Decoded { picture, pixels }, remarks) = decode(content, limits, cancel)?;
    if let Pixels::Flow(rows) = pixels {
        stoppable(picture.format, cancel, || all_rows(rows, cancel, |_, _| true))?;
    }
    Ok(picture.notes.into_iter().chain(remarks.notes()).filter(Note::is_damage).collect())
}

/// Whether something is so in all rows. It looks no further than to the first in which it is not.
fn all_rows(
    mut rows: AnyRows<'_>,
    cancel: Cancel<'_>,
    is_so: impl Fn(Layout, &[u8]) -> bool,
) -> Result<bool, MediaError> {
    const BAND: u32 = 64;
    let layout = rows.layout();
    loop {
        check_cancel(cancel)?;
        let band = rows.read(BAND)?;
        if band.is_empty() || !is_so(layout, &band) {
            return Ok(band.is_empty());
        }
    }
}

/// A tile of a pyramid: gray, or YCbCr turned to RGB.
pub(crate) fn jpeg_tile(stream: Vec<u8>, limits: &Limits) -> Result<Vec<u8>, MediaError> {
    jpeg::decode_tile(&stream, limits)
}

pub(crate) use jpeg::{MOST_HALVINGS, Small as SmallJpeg};
pub use psd_layers::{Blend, Frame, Layer, LayerChoice, Layers, layers};
pub(crate) use psd_layers::{LayerPixels, decode_layer};
pub(crate) use tiff::{refused as refused_tiff, with_tables};

fn not_a_picture(format: Format) -> MediaError {
    let what = match format {
        Format::Unknown => "a file of an unknown kind".to_owned(),
        known => format!("a file of the kind {known}"),
    };
    MediaError::unsupported(format, what)
}

/// Runs a decoder and turns a panic in it into [`MediaError::Corrupt`]. What it had built is dropped unseen.
pub(crate) fn guarded<T>(format: Format, work: impl FnOnce() -> Result<T, MediaError>) -> Result<T, MediaError> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let said = panic_message(payload.as_ref());
        Err(MediaError::corrupt(format, format!("{GAVE_UP} ({said})")))
    })
}

/// The same for work that may be told to stop, which is what it then ends with, whatever its decoder made of that.
pub(crate) fn stoppable<T>(
    format: Format,
    cancel: Cancel<'_>,
    work: impl FnOnce() -> Result<T, MediaError>,
) -> Result<T, MediaError> {
    guarded(format, work).map_err(|error| if cancel() { MediaError::Cancelled } else { error })
}

/// How an error of a decoder that panicked begins.
pub(crate) const GAVE_UP: &str = "its decoder gave up";

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

pub(crate) fn check_cancel(cancel: Cancel<'_>) -> Result<(), MediaError> {
    if cancel() { Err(MediaError::Cancelled) } else { Ok(()) }
}
