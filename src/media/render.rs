//! A picture as rows that a pyramid may hold, with what must be known to make sense of them: opened from a file, turned
//! upright and brought to gray or RGB; or made of rows from elsewhere, such as a page that was drawn.

use super::cascade::{Band, Cascade};
use super::color::{Converter, Note};
use super::content::Content;
use super::decode::{self, Cancel, Decoded, LayerChoice, LayerPixels, Pixels, Remarks, check_cancel, stoppable};
use super::error::MediaError;
use super::format::Format;
use super::limits::Limits;
use super::options::Options;
use super::picture::{Picture, Profile, Resolution};
use super::raster::Layout;
use super::rows::{AnyRows, Converted, Rows, Seen, WithAlpha};
use super::turn::turned;

pub(crate) struct Rendering<'a> {
    format: Format,
    rows: AnyRows<'a>,
    profile: Option<Vec<u8>>,
    resolution: Option<Resolution>,
    notes: Vec<Note>,
    remarks: Remarks,
    cut: (u32, u32),
}

impl<'a> Rendering<'a> {
    /// Opens a picture.
    pub fn open(
        source: &Content,
        options: &Options,
        limits: &'a Limits,
        cancel: Cancel<'a>,
    ) -> Result<(Picture, Self), MediaError> {
        check_cancel(cancel)?;
        if let Some(choice) = options.layer {
            return Self::open_layer(source, choice, options, limits, cancel);
        }
        let (Decoded { picture, pixels }, remarks) = decode::decode(source, limits, cancel)?;
        let picture = if options.upright { picture.upright() } else { picture };
        let (opaque, rows): (bool, AnyRows<'a>) = match pixels {
            Pixels::Whole(raster) => (raster.is_opaque(), Box::new(Seen::new(raster, picture.orientation))),
            Pixels::Flow(rows) => {
                let opaque = !rows.layout().has_alpha() || decode::is_opaque(source, limits, cancel)?;
                (opaque, turned(rows, picture.orientation, limits))
            }
        };
        let resolution = picture.resolution.map(|resolution| resolution.oriented(picture.orientation));
        let mut rendering =
            Self::new(picture.format, rows, opaque, picture.profile.as_ref(), options).with_resolution(resolution);
        rendering.remarks = remarks;
        rendering.notes.extend((picture.depth > 8).then_some(Note::DepthReduced));
        rendering.notes.extend(picture.is_animated.then_some(Note::FirstFrameOnly));
        rendering.notes.extend(picture.notes.iter().cloned());
        Ok((picture, rendering))
    }

    fn open_layer(
        source: &Content,
        choice: LayerChoice,
        options: &Options,
        limits: &'a Limits,
        cancel: Cancel<'a>,
    ) -> Result<(Picture, Self), MediaError> {
        let opaque = decode::is_layer_opaque(source, choice, limits, cancel)?;
        let LayerPixels { picture, rows, alpha } = decode::decode_layer(source, choice, limits, cancel)?;
        let alpha = alpha.filter(|_| !opaque);
        let mut options = options.clone();
        // Alpha that comes behind the colours wants them in RGB, as that of a mask does.
        options.edits.mask |= alpha.is_some();
        let rendering = Self::new(picture.format, rows, opaque, picture.profile.as_ref(), &options);
        let rendering = rendering.with_resolution(picture.resolution);
        let rendering = match alpha {
            Some(alpha) => rendering.edited(|colors| Ok(Box::new(WithAlpha::new(colors, alpha))))?,
            None => rendering,
        };
        let depth = (picture.depth > 8).then_some(Note::DepthReduced);
        Ok((picture, rendering.with_notes(depth)))
    }

    /// Takes upright rows in colours of any kind, which `profile` describes. `opaque` says that their alpha, if they
    /// have any, lets nothing through: it is left out then. Errors of the rows are told as those of a file of `format`.
    pub fn new(format: Format, rows: AnyRows<'a>, opaque: bool, profile: Option<&Profile>, options: &Options) -> Self {
        let mut converter = Converter::new(rows.layout(), opaque, profile, options);
        let profile = converter.profile.take();
        let notes = std::mem::take(&mut converter.notes);
        Self {
            format,
            rows: Box::new(Converted::new(rows, converter)),
            profile,
            resolution: None,
            notes,
            remarks: Remarks::default(),
            cut: (0, 0),
        }
    }

    pub fn with_resolution(self, resolution: Option<Resolution>) -> Self {
        Self { resolution, ..self }
    }

    /// Puts an adapter behind the rows, which are gray or RGB by now, with or without alpha.
    pub fn edited(self, edit: impl FnOnce(AnyRows<'a>) -> Result<AnyRows<'a>, MediaError>) -> Result<Self, MediaError> {
        Ok(Self { rows: edit(self.rows)?, ..self })
    }

    pub fn with_notes(mut self, notes: impl IntoIterator<Item = Note>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// Says that so many pixels were cut off at the left and at the top.
    pub fn with_cut(self, cut: (u32, u32)) -> Self {
        Self { cut, ..self }
    }

    pub fn into_rows(self) -> AnyRows<'a> {
        self.rows
    }

    pub fn format(&self) -> Format {
        self.format
    }

    pub fn width(&self) -> u32 {
        self.rows.width()
    }

    pub fn height(&self) -> u32 {
        self.rows.height()
    }

    pub fn layout(&self) -> Layout {
        self.rows.layout()
    }

    /// The profile of the pixels as rendered.
    pub fn profile(&self) -> Option<&[u8]> {
        self.profile.as_deref()
    }

    pub fn resolution(&self) -> Option<Resolution> {
        self.resolution
    }

    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    pub fn cut(&self) -> (u32, u32) {
        self.cut
    }

    /// What is found out while its rows are read.
    pub fn remarks(&self) -> Remarks {
        self.remarks.clone()
    }

    /// Hands the bands of every level, `tile` rows high, to `sink`.
    pub fn run(
        mut self,
        tile: u32,
        cancel: Cancel<'_>,
        sink: &mut dyn FnMut(Band<'_>) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        let mut cascade = Cascade::new(self.width(), self.height(), self.layout(), tile);
        stoppable(self.format, cancel, || {
            loop {
                check_cancel(cancel)?;
                let band = self.rows.read(tile)?;
                if band.is_empty() {
                    return Ok(());
                }
                cascade.push(&band, sink)?;
            }
        })
    }
}
