//! WebP, through the `image` crate.

use std::io::Seek;
use std::ops::Range;

use image::codecs::webp::WebPDecoder;

use super::super::color::Note;
use super::super::error::MediaError;
use super::super::format::Format;
use super::super::picture::Picture;
use super::library::{describe, pixels, refused};
use super::{Decoded, Input, Pixels, Source, holes, webp_chunks};

pub(in crate::media) fn probe(mut source: Source<'_>) -> Result<Picture, MediaError> {
    check(&mut source)?;
    open(&mut source).map(|(_, picture)| picture)
}

pub(in crate::media) fn decode(mut source: Source<'_>) -> Result<Decoded<'_>, MediaError> {
    let lossless = check(&mut source)?;
    let (limits, share) = (source.limits, source.share.clone());
    let (decoder, picture) = open(&mut source)?;
    let raster = pixels(decoder, Format::WebP, limits, &share)?;
    if let Some(range) = lossless {
        check_end(&mut source, range)?;
    }
    Ok(Decoded { pixels: Pixels::Whole(raster), picture })
}

fn check(source: &mut Source<'_>) -> Result<Option<Range<u64>>, MediaError> {
    let lossless = webp_chunks::check(&mut source.file, source.bytes, source.limits)?;
    source.file.rewind().map_err(|error| MediaError::reading(Format::WebP, error))?;
    Ok(lossless)
}

fn open<'a, 'b>(source: &'b mut Source<'a>) -> Result<(WebPDecoder<&'b mut Input<'a>>, Picture), MediaError> {
    let mut decoder = WebPDecoder::new(&mut source.file).map_err(refused(Format::WebP))?;
    let picture = describe(&mut decoder, Format::WebP, source.limits)?;
    let is_animated = decoder.has_animation();
    Ok((decoder, Picture { is_animated, ..picture }))
}

/// That the pixels have used up what is coded in `range`, as the decoder has left the file. Zeros in the place of what was coded are
/// read as pixels too, but seldom as many: with a hole it is no picture then, and may be one otherwise, but pages of text that was packed
/// in haste have as many zeros as a small one.
fn check_end(source: &mut Source<'_>, range: Range<u64>) -> Result<(), MediaError> {
    /// The decoder takes eight bytes at once.
    const AHEAD: u64 = 8;
    const MOST_OF_TEXT: u64 = 4096;
    let at = source.file.stream_position().map_err(|error| MediaError::reading(Format::WebP, error))?;
    let is_left_over = range.contains(&at) && range.end - at > AHEAD;
    let least = if is_left_over { holes::LEAST } else { MOST_OF_TEXT };
    let hole = holes::find(&mut source.file, range, least, Format::WebP)?;
    match hole {
        Some(at) if is_left_over => return Err(holes::refused(at, Format::WebP)),
        Some(_) => source.remarks.add(Note::MayHaveHole),
        None if is_left_over => source.remarks.add(Note::DataLeftOver),
        None => {}
    }
    Ok(())
}
