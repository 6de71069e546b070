//! WebP, through the `image` crate.

use std::io::Seek;

use image::codecs::webp::WebPDecoder;

use super::super::error::MediaError;
use super::super::format::Format;
use super::super::picture::Picture;
use super::library::{describe, pixels, refused};
use super::{Decoded, Input, Pixels, Source, webp_chunks};

pub(in crate::media) fn probe(source: Source<'_>) -> Result<Picture, MediaError> {
    open(source).map(|(_, picture)| picture)
}

pub(in crate::media) fn decode(source: Source<'_>) -> Result<Decoded<'_>, MediaError> {
    let (limits, share) = (source.limits, source.share.clone());
    let (decoder, picture) = open(source)?;
    Ok(Decoded { pixels: Pixels::Whole(pixels(decoder, Format::WebP, limits, &share)?), picture })
}

fn open(mut source: Source<'_>) -> Result<(WebPDecoder<Input<'_>>, Picture), MediaError> {
    webp_chunks::check(&mut source.file, source.bytes, source.limits)?;
    source.file.rewind().map_err(|error| MediaError::reading(Format::WebP, error))?;
    let mut decoder = WebPDecoder::new(source.file).map_err(refused(Format::WebP))?;
    let picture = describe(&mut decoder, Format::WebP, source.limits)?;
    let is_animated = decoder.has_animation();
    Ok((decoder, Picture { is_animated, ..picture }))
}
