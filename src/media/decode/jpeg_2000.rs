//! JPEG 2000, in its file format and as a bare codestream, through `hayro-jpeg2000`, as a whole.

use std::io::Cursor;

use hayro_jpeg2000::{ColorSpace, DecodeSettings, DecoderContext, Image};

use super::super::color::Note;
use super::super::error::MediaError;
use super::super::format::Format;
use super::super::orientation::Orientation;
use super::super::picture::{ColorModel, Picture, Profile};
use super::super::raster::{Layout, Raster};
use super::{Decoded, Pixels, Remarks, Source, Wholeness, codestream, holes};

/// Zeros in a row, beyond those that say nothing, that are a hole, and that may be one.
const HOLE: u64 = 2048;
const MAY_BE_HOLE: u64 = 1024;

/// What the decoder keeps of each sample: coefficients and samples, as numbers of four bytes.
const KEPT: u64 = 12;

pub(in crate::media) fn probe(mut source: Source<'_>) -> Result<Picture, MediaError> {
    let bytes = read(&mut source)?;
    let image = open(&bytes)?;
    describe(&image, &bytes, &source).map(|(picture, _)| picture)
}

pub(in crate::media) fn decode(mut source: Source<'_>) -> Result<Decoded<'_>, MediaError> {
    let bytes = read(&mut source)?;
    let _bytes = source.share.hold(bytes.len() as u64)?;
    let image = open(&bytes)?;
    let (picture, layout) = describe(&image, &bytes, &source)?;
    let (width, height) = (image.width(), image.height());
    let count = u64::from(width) * u64::from(height);
    let _kept = source.share.hold(count * layout.samples() as u64 * KEPT)?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(|error| corrupt(error.to_string()))?;
    let fits = decoded.components().iter().all(|component| component.samples().len() as u64 == count);
    if !fits || decoded.components().len() != layout.samples() {
        return Err(MediaError::unsupported(
            Format::Jpeg2000,
            "a JPEG 2000 file whose colours are sampled differently",
        ));
    }
    let mut pixels = source.share.bytes(count * layout.samples() as u64)?;
    decoded.store_u8_into(&mut pixels);
    let raster = Raster::new(width, height, layout, pixels);
    let raster = raster.ok_or_else(|| corrupt("its rows are of another size than its header says"))?;
    Ok(Decoded { picture, pixels: Pixels::Whole(raster) })
}

/// Whether each tile is there, the codestream comes to its end, and no hole is in it.
pub(in crate::media) fn wholeness(bytes: &[u8]) -> Wholeness {
    let remarks = Remarks::default();
    Wholeness::of(check(&mut bytes.to_vec(), &remarks), &remarks)
}

fn read(source: &mut Source<'_>) -> Result<Vec<u8>, MediaError> {
    let mut bytes = source.read_all(Format::Jpeg2000)?;
    check(&mut bytes, &source.remarks)?;
    Ok(bytes)
}

fn check(bytes: &mut [u8], remarks: &Remarks) -> Result<(), MediaError> {
    let stream = codestream::check_tiles(bytes)?;
    let silent = codestream::most_zeros(&bytes[stream.clone()]);
    let stream = stream.start as u64..stream.end as u64;
    let mut input = Cursor::new(bytes);
    holes::check(&mut input, stream.clone(), silent.saturating_add(HOLE), Format::Jpeg2000)?;
    // Where much more is said than nothing, not all that may be silent lies in a row.
    let is_plain = stream.end - stream.start <= silent.saturating_mul(2);
    let least = silent.saturating_add(MAY_BE_HOLE);
    let least = if is_plain { least } else { least.min(HOLE) };
    if holes::find(&mut input, stream, least, Format::Jpeg2000)?.is_some() {
        remarks.add(Note::MayHaveHole);
    }
    Ok(())
}

fn open(bytes: &[u8]) -> Result<Image<'_>, MediaError> {
    if is_high_throughput(bytes) {
        return Err(MediaError::unsupported(Format::Jpeg2000, "a JPEG 2000 file in its fast coding (HTJ2K)"));
    }
    if has_signed_samples(bytes) {
        return Err(MediaError::unsupported(Format::Jpeg2000, "a JPEG 2000 file with signed samples"));
    }
    let settings = DecodeSettings { strict: true, ..DecodeSettings::default() };
    Image::new(bytes, &settings).map_err(|error| corrupt(error.to_string()))
}

/// Whether the size segment says that a later part of the standard is needed (ISO/IEC 15444-15, A.2).
fn is_high_throughput(bytes: &[u8]) -> bool {
    const CAPABILITIES: usize = 6;
    const HIGH_THROUGHPUT: u8 = 0x40;
    let start = codestream::start(bytes);
    start.and_then(|start| bytes.get(start + CAPABILITIES)).is_some_and(|high| high & HIGH_THROUGHPUT != 0)
}

/// Of any component, by the size segment that the codestream begins with (ISO/IEC 15444-1, A.5.1).
fn has_signed_samples(bytes: &[u8]) -> bool {
    const COUNT: usize = 40;
    let Some(start) = codestream::start(bytes) else { return false };
    let segment = &bytes[start..];
    let count = segment.get(COUNT..).and_then(<[u8]>::first_chunk).map_or(0, |count| u16::from_be_bytes(*count));
    let components = segment.get(COUNT + 2..).unwrap_or_default().chunks_exact(3);
    components.take(count.into()).any(|component| component[0] & 0x80 != 0)
}

fn describe(image: &Image<'_>, bytes: &[u8], source: &Source<'_>) -> Result<(Picture, Layout), MediaError> {
    source.limits.check_size(image.width().into(), image.height().into())?;
    if image.width() == 0 || image.height() == 0 {
        return Err(corrupt("it has no pixels"));
    }
    let profile = match image.color_space() {
        ColorSpace::Icc { profile, .. } => Some(Profile::new(profile.clone())),
        _ => None,
    };
    let channels = image.color_space().num_channels();
    let colors = colors(bytes);
    // One component more than colours, of which the file does not say what it is, is alpha.
    let is_guessed = !image.has_alpha() && colors.is_some_and(|colors| channels == colors + 1);
    let (channels, has_alpha) = if is_guessed { (channels - 1, true) } else { (channels, image.has_alpha()) };
    let (color, layout) = match (channels, has_alpha) {
        (1, false) => (ColorModel::Gray, Layout::Gray),
        (1, true) => (ColorModel::Gray, Layout::GrayAlpha),
        (3, false) => (ColorModel::Rgb, Layout::Rgb),
        (3, true) => (ColorModel::Rgb, Layout::Rgba),
        (4, false) => (ColorModel::Cmyk, Layout::Cmyk),
        (4, true) => (ColorModel::Cmyk, Layout::CmykAlpha),
        _ => {
            let what = format!("a JPEG 2000 file with {channels} channels");
            return Err(MediaError::unsupported(Format::Jpeg2000, what));
        }
    };
    let picture = Picture {
        format: Format::Jpeg2000,
        width: image.width(),
        height: image.height(),
        color,
        depth: image.original_bit_depth(),
        has_alpha,
        is_animated: false,
        notes: is_guessed.then_some(Note::FourthIsAlpha).into_iter().collect(),
        profile,
        resolution: None,
        orientation: Orientation::Upright,
    };
    Ok((picture, layout))
}

/// How many colours a file says that it has, by the first of its colour specifications (ISO/IEC 15444-1, I.5.3.3, and 15444-2,
/// M.11.7.3) that is known here. A bare codestream, and a file without a specification, do not say what their components are; of
/// those with four, nearly all are RGB with alpha.
fn colors(bytes: &[u8]) -> Option<u8> {
    if bytes.starts_with(b"\xff\x4f") {
        return Some(3);
    }
    let header = inner_boxes(bytes, *b"jp2h").next().unwrap_or_default();
    let mut specifications = inner_boxes(header, *b"colr").peekable();
    match specifications.peek() {
        Some(_) => specifications.find_map(specified),
        None => Some(3),
    }
}

fn specified(specification: &[u8]) -> Option<u8> {
    const ENUMERATED: u8 = 1;
    const PROFILE: u8 = 2;
    const ANY_PROFILE: u8 = 3;
    let (method, value) = (*specification.first()?, specification.get(3..)?);
    let space = match method {
        ENUMERATED => match u32::from_be_bytes(*value.first_chunk()?) {
            12 | 13 => b"CMYK",
            16 | 18 => b"RGB ",
            17 => b"GRAY",
            _ => return None,
        },
        PROFILE | ANY_PROFILE => value.get(16..)?.first_chunk()?,
        _ => return None,
    };
    match space {
        b"GRAY" => Some(1),
        b"RGB " => Some(3),
        b"CMYK" => Some(4),
        _ => None,
    }
}

/// The contents of the boxes of a kind among those that stand here, one behind the other.
fn inner_boxes(mut boxes: &[u8], wanted: [u8; 4]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        loop {
            let (length, rest) = boxes.split_first_chunk::<4>()?;
            let (kind, rest) = rest.split_first_chunk::<4>()?;
            let length = match u32::from_be_bytes(*length) {
                0 => rest.len(),
                // Longer ones hold the codestream, which comes behind what is looked for.
                1 => return None,
                length => usize::try_from(length).ok()?.checked_sub(8)?,
            };
            let (content, behind) = rest.split_at_checked(length)?;
            boxes = behind;
            if *kind == wanted {
                return Some(content);
            }
        }
    })
}

pub(super) fn corrupt(what: impl Into<String>) -> MediaError {
    MediaError::corrupt(Format::Jpeg2000, what)
}

#[cfg(test)]
mod tests {
    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes(), kind.as_slice(), content].concat()
    }

    #[test]
    fn the_first_specification_that_is_known_says_how_many_colours_there_are() {
        let enumerated = |space: u32| boxed(b"colr", &[&[1, 0, 0][..], &space.to_be_bytes()].concat());
        let profile = |method: u8, space: &[u8; 4]| boxed(b"colr", &[&[method, 0, 0], &[7; 16][..], space].concat());
        let unknown = boxed(b"colr", &[4, 0, 0, 1, 2, 3]);
        for (specifications, colors) in [
            (vec![], Some(3)),
            (vec![enumerated(16)], Some(3)),
            (vec![enumerated(12)], Some(4)),
            (vec![profile(2, b"GRAY")], Some(1)),
            (vec![profile(3, b"CMYK")], Some(4)),
            (vec![profile(3, b"CMYK"), enumerated(16)], Some(4)),
            (vec![unknown.clone(), enumerated(12)], Some(4)),
            (vec![unknown], None),
        ] {
            let header = boxed(b"jp2h", &[boxed(b"ihdr", &[0; 14]), specifications.concat()].concat());
            assert_eq!(super::colors(&[boxed(b"ftyp", b"jp2 "), header].concat()), colors, "{specifications:?}");
        }
        assert_eq!(super::colors(b"\xff\x4f\xff\x51"), Some(3));
        assert_eq!(super::colors(&boxed(b"ftyp", b"jp2 ")), Some(3));
    }
}
