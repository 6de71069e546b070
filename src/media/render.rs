//! A decoded picture as a flow of bands: upright, and in colours a pyramid may hold.

use std::path::Path;

use super::cascade::{Band, Cascade};
use super::color::{Converter, Note};
use super::decode::{self, Cancel, Decoded, check_cancel, guarded};
use super::error::MediaError;
use super::limits::Limits;
use super::options::Options;
use super::picture::{Picture, Resolution};
use super::raster::Layout;
use super::rows::{Converted, Rows, Seen};

pub(crate) struct Rendering {
    decoded: Decoded,
    converter: Converter,
    notes: Vec<Note>,
}

impl Rendering {
    pub fn open(source: &Path, options: &Options, limits: &Limits, cancel: Cancel<'_>) -> Result<Self, MediaError> {
        check_cancel(cancel)?;
        let decoded = decode::decode(source, limits, cancel)?;
        let Decoded { picture, raster } = &decoded;
        let opaque = raster.is_opaque();
        let converter =
            Converter::new(raster.layout(), opaque, picture.profile.as_ref(), options.cmyk_profile.as_deref());
        let depth = (picture.depth > 8).then_some(Note::DepthReduced);
        let frames = picture.is_animated.then_some(Note::FirstFrameOnly);
        let notes = [converter.note, depth, frames].into_iter().flatten().collect();
        Ok(Self { converter, notes, decoded })
    }

    pub fn width(&self) -> u32 {
        self.decoded.picture.width
    }

    pub fn height(&self) -> u32 {
        self.decoded.picture.height
    }

    pub fn layout(&self) -> Layout {
        self.converter.layout
    }

    /// The profile of the pixels as rendered.
    pub fn profile(&self) -> Option<&[u8]> {
        self.converter.profile.as_deref()
    }

    pub fn resolution(&self) -> Option<Resolution> {
        let picture = &self.decoded.picture;
        picture.resolution.map(|resolution| resolution.oriented(picture.orientation))
    }

    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    pub fn into_picture(self) -> Picture {
        self.decoded.picture
    }

    /// Hands the bands of every level, `tile` rows high, to `sink`.
    pub fn run(
        &self,
        tile: u32,
        cancel: Cancel<'_>,
        sink: &mut dyn FnMut(Band<'_>) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        let Decoded { picture, raster } = &self.decoded;
        let mut rows = Converted::new(Seen::new(raster, picture.orientation), &self.converter);
        let mut cascade = Cascade::new(rows.width(), rows.height(), rows.layout(), tile);
        guarded(picture.format, || {
            loop {
                check_cancel(cancel)?;
                let band = rows.read(tile)?;
                if band.is_empty() {
                    return Ok(());
                }
                cascade.push(&band, sink)?;
            }
        })
    }
}
