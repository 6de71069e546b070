//! A small JPEG of a picture, in sRGB, what is transparent on white.

use std::io::Write;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use jpeg_encoder::{ColorType, Encoder};

use serde::{Deserialize, Serialize};

use super::cascade::{Band, level_sizes};
use super::color::Converter;
use super::content::Content;
use super::decode::Cancel;
use super::error::MediaError;
use super::format::Format;
use super::limits::Limits;
use super::options::{Chroma, Options};
use super::pyramid::jpeg_encoder;
use super::raster::Layout;
use super::render::Rendering;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThumbnailInfo {
    pub width: u32,
    pub height: u32,
    pub bytes: u64,
}

/// Writes a thumbnail of a picture, or of a pyramid.
pub fn write(
    source: impl Into<Content>,
    out: &mut impl Write,
    options: &Options,
    limits: &Limits,
    cancel: Cancel<'_>,
) -> Result<ThumbnailInfo, MediaError> {
    options.check()?;
    let (_, rendering) = Rendering::open(&source.into().at_page(options.page), options, limits, cancel)?;
    let mut collector = Collector::new(&rendering, options);
    rendering.run(options.tile, cancel, &mut |band| {
        collector.add(&band);
        Ok(())
    })?;
    collector.finish(out, options)
}

/// Keeps the smallest level that is not smaller than the thumbnail.
pub(crate) struct Collector {
    level: usize,
    width: u32,
    height: u32,
    layout: Layout,
    to_srgb: Converter,
    pixels: Vec<u8>,
}

impl Collector {
    pub fn new(rendering: &Rendering<'_>, options: &Options) -> Self {
        let sizes = level_sizes(rendering.width(), rendering.height(), options.tile);
        let enough = |&(width, height): &(u32, u32)| width.max(height) >= options.thumbnail_side;
        let level = sizes.iter().rposition(enough).unwrap_or(0);
        let (width, height) = sizes[level];
        let layout = rendering.layout();
        let to_srgb =
            Converter::to_srgb(layout, rendering.profile(), (options.cmyk_profile.as_deref(), options.blacks));
        Self { level, width, height, layout, to_srgb, pixels: Vec::new() }
    }

    pub fn add(&mut self, band: &Band<'_>) {
        if band.level == self.level {
            self.pixels.extend_from_slice(band.pixels);
        }
    }

    pub fn finish(self, out: &mut impl Write, options: &Options) -> Result<ThumbnailInfo, MediaError> {
        let pixels = self.to_srgb.apply(self.layout, self.pixels.into())?.into_owned();
        let layout = self.to_srgb.layout;
        let pixels = if layout.has_alpha() { on_white(&pixels, layout.samples()) } else { pixels };
        let layout = layout.opaque();
        let (width, height) = fit(self.width, self.height, options.thumbnail_side);
        let pixels = resize(&pixels, (self.width, self.height), (width, height), layout)?;
        let mut jpeg = Vec::new();
        encode(&pixels, width, height, layout, jpeg_encoder(&mut jpeg, options.thumbnail_quality, Chroma::ByQuality))?;
        out.write_all(&jpeg).map_err(MediaError::writing("thumbnail"))?;
        Ok(ThumbnailInfo { width, height, bytes: jpeg.len() as u64 })
    }
}

/// The size with the same proportions whose longer side is `side`, or the size itself if it is not larger.
fn fit(width: u32, height: u32, side: u32) -> (u32, u32) {
    let longer = width.max(height);
    let scale = |length: u32| (u64::from(length) * u64::from(side) + u64::from(longer / 2)) / u64::from(longer);
    if longer <= side { (width, height) } else { (scale(width).max(1) as u32, scale(height).max(1) as u32) }
}

fn on_white(pixels: &[u8], samples: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(pixels.len() / samples * (samples - 1)); // bounded: by the pixels there are
    for pixel in pixels.chunks_exact(samples) {
        let alpha = u32::from(pixel[samples - 1]);
        let blend = |colour: &u8| ((u32::from(*colour) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        out.extend(pixel[..samples - 1].iter().map(blend));
    }
    out
}

fn resize(pixels: &[u8], from: (u32, u32), to: (u32, u32), layout: Layout) -> Result<Vec<u8>, MediaError> {
    if from == to {
        return Ok(pixels.to_vec());
    }
    let failed =
        |error: &dyn std::fmt::Display| MediaError::corrupt(Format::Unknown, format!("resizing failed: {error}"));
    let kind = if layout == Layout::Gray { PixelType::U8 } else { PixelType::U8x3 };
    let source = ImageRef::new(from.0, from.1, pixels, kind).map_err(|error| failed(&error))?;
    let mut target = Image::new(to.0, to.1, kind);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| failed(&error))?;
    Ok(target.into_vec())
}

fn encode(
    pixels: &[u8],
    width: u32,
    height: u32,
    layout: Layout,
    encoder: Encoder<&mut Vec<u8>>,
) -> Result<(), MediaError> {
    let color = if layout == Layout::Gray { ColorType::Luma } else { ColorType::Rgb };
    encoder
        .encode(pixels, width as u16, height as u16, color)
        .map_err(|error| MediaError::writing("thumbnail")(std::io::Error::other(error)))
}
