//! The layers of Photoshop files: what their records say, and their pixels, row by row.
//!
//! Read are layers of gray, RGB and CMYK documents of 8 and 16 bits, of documents (PSD) and large documents (PSB), with channels that
//! are uncompressed, run-length coded, or ZIP-compressed with and without prediction. Transparency and the pixels of masks become
//! alpha. What only Photoshop draws is left out: effects, blend modes and adjustments, and the feathers of masks.

mod flattened;
mod pixels;
mod records;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::content::Content;
use super::super::error::MediaError;
use super::super::limits::Limits;
use super::super::picture::{ColorModel, Picture};
use super::super::raster::Layout;
use super::super::rows::AnyRows;
use super::gather::Gathered;
use super::psd::Header;
use super::{Cancel, Source, stoppable};
pub(super) use flattened::Flattened;
use pixels::{LayerRows, Opening, Wanted};
use records::read;

/// A rectangle on the canvas, in its pixels. It may reach beyond the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Frame {
    pub left: i32,
    pub top: i32,
    pub width: u32,
    pub height: u32,
}

impl Frame {
    /// None where a side has no length.
    fn of(top: i32, left: i32, bottom: i32, right: i32) -> Option<Self> {
        let length = |from: i32, to: i32| u32::try_from(i64::from(to) - i64::from(from)).ok().filter(|side| *side > 0);
        Some(Self { left, top, width: length(left, right)?, height: length(top, bottom)? })
    }

    fn bottom(self) -> i64 {
        i64::from(self.top) + i64::from(self.height)
    }
}

/// A layer as its record describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// From 1 at the bottom; groups are not counted.
    pub number: u32,
    /// What Photoshop knows it by as long as the document lives, if the file says so.
    pub id: Option<u32>,
    pub name: String,
    /// None of layers without pixels: adjustments, and layers on which nothing has been painted.
    pub frame: Option<Frame>,
    /// 0 to 255; those of the groups that it is in are multiplied with its own.
    pub opacity: u8,
    pub blend: Blend,
    /// By itself, or because a group is that it is in.
    pub is_hidden: bool,
    /// Seen only where the layer below it is.
    pub is_clipped: bool,
    /// Names of the groups that it is in, the outermost first.
    pub groups: Vec<String>,
    /// Of a text layer.
    pub text: Option<String>,
}

/// How a layer is laid on those below it: Photoshop's four letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blend(pub [u8; 4]);

impl Blend {
    /// As the image-serving protocol calls it; `normal` for modes that it does not know.
    pub fn name(self) -> &'static str {
        match &self.0 {
            b"diss" => "dissolve",
            b"dark" => "darken",
            b"mul " => "multiply",
            b"idiv" => "colorBurn",
            b"lbrn" => "linearBurn",
            b"lite" => "lighten",
            b"scrn" => "screen",
            b"div " => "colorDodge",
            b"lddg" => "linearDodge",
            b"over" => "overlay",
            b"sLit" => "softLight",
            b"hLit" => "hardLight",
            b"vLit" => "vividLight",
            b"lLit" => "linearLight",
            b"pLit" => "pinLight",
            b"hMix" => "hardMix",
            b"diff" => "difference",
            b"smud" => "exclusion",
            _ => "normal",
        }
    }
}

/// The layers of a file, from the bottom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// Of the canvas.
    pub width: u32,
    pub height: u32,
    pub layers: Vec<Layer>,
}

/// A layer to be made a picture of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerChoice {
    /// As [`Layer::number`].
    pub number: u32,
    /// As large as the canvas, at its place on it, instead of as large as itself.
    pub extended: bool,
}

/// Reads the records of all layers.
pub fn layers(source: impl Into<Content>, limits: &Limits, cancel: Cancel<'_>) -> Result<Layers, MediaError> {
    let source = Source::open(&source.into(), limits, cancel)?;
    stoppable(source.format, cancel, || {
        let (header, records) = read(source)?;
        let layers = records.into_iter().map(|record| record.layer).collect();
        Ok(Layers { width: header.width, height: header.height, layers })
    })
}

/// A layer's picture. CMYK has no room for alpha: it comes by itself.
pub(crate) struct LayerPixels<'a> {
    pub picture: Picture,
    pub rows: AnyRows<'a>,
    pub alpha: Option<AnyRows<'a>>,
}

pub(crate) fn decode_layer<'a>(
    content: &Content,
    choice: LayerChoice,
    limits: &'a Limits,
    cancel: Cancel<'a>,
) -> Result<LayerPixels<'a>, MediaError> {
    let source = Source::open(content, limits, cancel)?;
    let opening = Opening { content, limits, share: source.share.clone(), cancel };
    stoppable(source.format, cancel, || {
        let (header, record) = chosen(source, choice)?;
        let area = area(&header, &record, choice, limits)?;
        let has_alpha = has_alpha(&record, area);
        let layout = match (header.color, has_alpha) {
            (ColorModel::Gray, false) => Layout::Gray,
            (ColorModel::Gray, true) => Layout::GrayAlpha,
            (ColorModel::Cmyk, _) => Layout::Cmyk,
            (_, false) => Layout::Rgb,
            (_, true) => Layout::Rgba,
        };
        let rows = |layout, wanted| -> Result<AnyRows<'a>, MediaError> {
            Ok(Box::new(Gathered::new(LayerRows::open(&opening, &header, &record, area, layout, wanted)?)))
        };
        let alpha = if has_alpha && layout == Layout::Cmyk { Some(rows(Layout::Gray, Wanted::Alpha)?) } else { None };
        let rows = rows(layout, if layout.has_alpha() { Wanted::Both } else { Wanted::Colors })?;
        let picture = Picture { width: area.width, height: area.height, has_alpha, ..header.picture() };
        Ok(LayerPixels { picture, rows, alpha })
    })
}

/// The alpha of a layer alone; none where there is nothing that could let something through.
pub(crate) fn layer_alpha<'a>(
    content: &Content,
    choice: LayerChoice,
    limits: &'a Limits,
    cancel: Cancel<'a>,
) -> Result<Option<AnyRows<'a>>, MediaError> {
    let source = Source::open(content, limits, cancel)?;
    let opening = Opening { content, limits, share: source.share.clone(), cancel };
    stoppable(source.format, cancel, || {
        let (header, record) = chosen(source, choice)?;
        let area = area(&header, &record, choice, limits)?;
        if !has_alpha(&record, area) {
            return Ok(None);
        }
        let rows = LayerRows::open(&opening, &header, &record, area, Layout::Gray, Wanted::Alpha)?;
        Ok(Some(Box::new(Gathered::new(rows)) as AnyRows<'a>))
    })
}

fn chosen(source: Source<'_>, choice: LayerChoice) -> Result<(Header, Record), MediaError> {
    let format = source.format;
    let (header, records) = read(source)?;
    let record = records.into_iter().find(|record| record.layer.number == choice.number);
    let gone = || MediaError::corrupt(format, format!("it has no layer {}", choice.number));
    Ok((header, record.ok_or_else(gone)?))
}

fn unread(header: &Header) -> MediaError {
    MediaError::unsupported(header.format, format!("the layers of a {} file in its colours or depth", header.format))
}

/// What the picture shows, on the canvas.
fn area(header: &Header, record: &Record, choice: LayerChoice, limits: &Limits) -> Result<Frame, MediaError> {
    let own = record.layer.frame.ok_or_else(|| MediaError::corrupt(header.format, "the layer has no pixels"))?;
    limits.check_size(own.width.into(), own.height.into())?;
    let canvas = Frame { left: 0, top: 0, width: header.width, height: header.height };
    Ok(if choice.extended { canvas } else { own })
}

fn has_alpha(record: &Record, area: Frame) -> bool {
    Some(area) != record.layer.frame || record.channel(TRANSPARENCY).is_some() || !record.masks.is_empty()
}

const TRANSPARENCY: i16 = -1;
const MASK: i16 = -2;
/// What was painted, where [`MASK`] is what a path cuts out.
const PAINTED_MASK: i16 = -3;

struct Record {
    layer: Layer,
    /// The opacity of what is painted on it, without its effects.
    fill: u8,
    channels: Vec<Channel>,
    masks: Vec<Mask>,
    /// Of the groups that it is in, which work on all that they hold.
    group_masks: Vec<Arc<GroupMask>>,
}

/// A mask with the channel that it is in.
struct GroupMask {
    channel: Channel,
    mask: Mask,
}

impl Record {
    fn channel(&self, id: i16) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.id == id)
    }
}

/// Where the samples of a channel lie in the file, the two bytes before them counted in that say how they are compressed.
#[derive(Clone, Copy)]
struct Channel {
    id: i16,
    at: u64,
    bytes: u64,
}

struct Mask {
    channel: i16,
    /// None where it is the same everywhere.
    frame: Option<Frame>,
    /// What it is outside of its frame.
    outside: u8,
}

/// Two opacities on each other.
fn both(one: u8, other: u8) -> u8 {
    ((u32::from(one) * u32::from(other) + 127) / 255) as u8
}
