//! Strips through libjpeg-turbo. It is C; but what it is given has passed through [`Strips`](super::strips::Strips), which
//! has gone through every code word of it.

use turbojpeg::{Decompressor, Image, PixelFormat, ScalingFactor};

use super::super::super::error::MediaError;
use super::super::super::format::Format;
use super::super::super::raster::Layout;

/// Decodes a stream of gray or RGB pixels, with its sides halved so many times, which makes it `width` by `height`.
pub(super) fn decode(
    stream: &[u8],
    (width, height): (usize, usize),
    halvings: u32,
    layout: Layout,
    pixels: &mut [u8],
) -> Result<(), MediaError> {
    let pitch = width * layout.samples();
    let format = if layout == Layout::Gray { PixelFormat::GRAY } else { PixelFormat::RGB };
    let refused = |error: turbojpeg::Error| MediaError::corrupt(Format::Jpeg, error.to_string());
    let image = Image { pixels, width, pitch, height, format };
    let mut decompressor = Decompressor::new().map_err(refused)?;
    decompressor.set_scaling_factor(ScalingFactor::new(1, 1 << halvings)).map_err(refused)?;
    decompressor.decompress(stream, image).map_err(refused)
}
