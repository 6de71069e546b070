//! Changes of a picture on its way into the pyramid. The original is never touched.
//!
//! They are made in this order, each on what the one before left:
//!
//! 1. The clipping path of a Photoshop file becomes alpha: what lies outside of it is transparent.
//! 2. A manual crop cuts pixels off each side.
//! 3. The background is knocked out: what looks like a corner becomes transparent.
//! 4. An automatic crop takes away the margins that look like a corner, or that are transparent.
//! 5. An unsharp mask.
//!
//! Every step is an adapter over [`Rows`]. What has to be known before the first row is told (how far margins go, what is
//! joined to a corner) is found out by a survey, which decodes the picture once more and keeps at most a few bits for each
//! pixel. A picture without edits that need one is decoded once.

mod bitmap;
mod blur;
mod crop;
mod likeness;
mod mask;
mod path;
mod sharpen;
mod survey;

pub(crate) use path::{ClippingPath, is_of_path, resource};

use serde::{Deserialize, Serialize};

use super::color::Note;
use super::content::Content;
use super::decode::{Cancel, guarded, probe};
use super::error::MediaError;
use super::limits::Limits;
use super::metadata::image_resources;
use super::picture::Picture;
use super::render::Rendering;
use super::rows::AnyRows;
use crop::{Area, Window};
use mask::Masked;
use sharpen::Sharpened;
use survey::{Knocked, Survey};

/// What is changed. Nothing by default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Edits {
    pub crop: Option<Crop>,
    /// A clipping path is made alpha, and the alpha that the picture comes to have is written as a mask.
    pub mask: bool,
    pub knockout: Option<Knockout>,
    pub sharpen: Option<Sharpen>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Crop {
    /// Pixels cut off each side.
    Sides { left: u32, right: u32, top: u32, bottom: u32 },
    /// Margins that look like the pixel in a corner.
    Color { corner: Corner, tolerance: f64 },
    /// Margins whose alpha is no more than `tolerance`.
    Transparent { tolerance: f64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Corner {
    TopLeft,
    TopRight,
    BottomLeft,
    BottomRight,
}

/// Makes transparent what looks like the pixel in a corner.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Knockout {
    pub corner: Corner,
    /// How far a colour may be from the corner's: the root of the mean square of the differences of its samples, where 1 is
    /// the distance from black to white.
    pub tolerance: f64,
    /// Only what is joined to the corner by pixels that look like it, side by side.
    pub joined: bool,
}

/// An unsharp mask: what a picture differs from its blurred self by is added to it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sharpen {
    /// How much of the difference is added, from 0 to 5.
    pub amount: f64,
    /// Standard deviation of the blur in pixels, from 0 to 250.
    pub radius: f64,
    /// Differences below this, of 255, are left alone.
    pub threshold: u8,
    /// Brightness only, not each colour.
    pub monochrome: bool,
}

/// The clipping path of a picture, as the picture is seen.
pub(super) fn clipping_path(source: &Content, limits: &Limits) -> Result<Option<ClippingPath>, MediaError> {
    let Picture { format, orientation, .. } = probe(source, limits)?;
    let resources = image_resources(source, format).map_err(|e| MediaError::reading(format, e))?;
    let path = resources.as_deref().and_then(ClippingPath::read);
    Ok(path.map(|path| path.oriented(orientation)))
}

/// Applies `edits` to the picture that `open` opens, as often as it has to be looked at.
pub(super) fn apply<'a>(
    open: &dyn Fn() -> Result<Rendering<'a>, MediaError>,
    edits: &'a Edits,
    path: Option<ClippingPath>,
    limits: &Limits,
    cancel: Cancel<'_>,
) -> Result<Rendering<'a>, MediaError> {
    let rendering = open()?;
    let whole = Area { left: 0, top: 0, width: rendering.width(), height: rendering.height() };
    let sides = match edits.crop {
        Some(Crop::Sides { left, right, top, bottom }) => Some(whole.without(left, right, top, bottom)),
        _ => None,
    };
    let empty = sides == Some(None);
    let kept = sides.flatten().unwrap_or(whole);
    // What the survey sees: the picture before anything depends on the survey.
    let seen = |rows: AnyRows<'a>| -> AnyRows<'a> {
        let rows = match &path {
            Some(path) => Box::new(Masked::by_path(rows, path)),
            None => rows,
        };
        if kept == whole { rows } else { Box::new(Window::new(rows, kept)) }
    };
    let survey = Survey { open: &|| Ok(seen(open()?.into_rows())), limits, cancel };
    let format = rendering.format();
    let (knocked, trimmed) = guarded(format, || survey.look(edits))?;
    let nothing_left = trimmed == Some(None);
    let inner = trimmed.flatten().unwrap_or(Area { left: 0, top: 0, ..kept });
    let edited = rendering.edited(|rows| {
        let mut rows = seen(rows);
        if let Some(knocked) = knocked {
            rows = Box::new(knocked.out_of(rows));
        }
        if (inner.width, inner.height) != (rows.width(), rows.height()) {
            rows = Box::new(Window::new(rows, inner));
        }
        match &edits.sharpen {
            Some(sharpen) => Ok(Box::new(Sharpened::new(rows, sharpen, limits)?)),
            None => Ok(rows),
        }
    })?;
    let notes = [(empty || nothing_left, Note::CropLeavesNothing)];
    let edited = edited.with_cut((kept.left + inner.left, kept.top + inner.top));
    Ok(edited.with_notes(notes.into_iter().filter_map(|(said, note)| said.then_some(note))))
}

impl Edits {
    /// Whether pixels may become transparent that were not.
    pub(super) fn add_alpha(&self) -> bool {
        self.mask || self.knockout.is_some()
    }
}

impl Knocked {
    fn out_of<'a>(self, rows: AnyRows<'a>) -> Masked<'a, AnyRows<'a>> {
        match self {
            Self::Like(corner) => Masked::by_corner(rows, corner),
            Self::Joined(bitmap) => Masked::by_bitmap(rows, bitmap),
        }
    }
}
