//! Pictures of other programs that the `image` crate reads: Targa, Netpbm, Windows icons (the best picture of one), QOI, Radiance
//! HDR and OpenEXR. All are decoded as a whole.
//!
//! The last two hold light: twice the number is twice as bright. Light from 0 (black) to 1 (white) becomes sRGB, and what
//! is brighter is white; that is told.

use std::io::{Read, Seek};

use image::codecs::hdr::HdrDecoder;
use image::codecs::ico::IcoDecoder;
use image::codecs::openexr::OpenExrDecoder;
use image::codecs::pnm::PnmDecoder;
use image::codecs::qoi::QoiDecoder;
use image::codecs::tga::TgaDecoder;
use image::{ImageDecoder, ImageError, ImageResult};

use super::super::color::Note;
use super::super::error::MediaError;
use super::super::format::Format;
use super::super::picture::Picture;
use super::super::raster::{Layout, Raster, narrowed};
use super::library::{Samples, bytes, describe, pixels, refused, samples};
use super::{Decoded, Input, Pixels, Source, runs};

macro_rules! readers {
    ($($name:ident = $format:ident by $open:expr),* $(,)?) => {
        $(pub(in crate::media) mod $name {
            use super::*;

            pub(in crate::media) fn probe(source: Source<'_>) -> Result<Picture, MediaError> {
                super::probe(source, Format::$format, $open)
            }

            pub(in crate::media) fn decode(source: Source<'_>) -> Result<Decoded<'_>, MediaError> {
                super::decode(source, Format::$format, $open)
            }
        })*
    };
}

readers! {
    targa = Targa by TgaDecoder::new,
    netpbm = Netpbm by PnmDecoder::new,
    icon = Icon by IcoDecoder::new,
    qoi = Qoi by QoiDecoder::new,
    // There are two words that such a file may begin with, and strictly only one is taken.
    radiance = Radiance by HdrDecoder::new_nonstrict,
    open_exr = OpenExr by OpenExrDecoder::new,
}

fn probe<'a, D: ImageDecoder>(
    source: Source<'a>,
    format: Format,
    open: fn(Input<'a>) -> ImageResult<D>,
) -> Result<Picture, MediaError> {
    let mut file = source.file;
    let said = Said::of(&mut file, format)?;
    let mut decoder = open(file).map_err(unread(format))?;
    let picture = describe(&mut decoder, format, source.limits)?;
    let light = matches!(samples(&decoder, format)?, (_, Samples::Light)).then_some(Note::LightCut);
    Ok(Picture { notes: light.or(said.note()).into_iter().collect(), ..picture })
}

fn decode<'a, D: ImageDecoder>(
    source: Source<'a>,
    format: Format,
    open: fn(Input<'a>) -> ImageResult<D>,
) -> Result<Decoded<'a>, MediaError> {
    let (limits, share, mut file) = (source.limits, source.share, source.file);
    let damage = if format == Format::Targa { runs::of_targa(file.get_ref().get_ref())? } else { None };
    let said = Said::of(&mut file, format)?;
    let mut decoder = open(file).map_err(unread(format))?;
    let picture = describe(&mut decoder, format, limits)?;
    let picture = Picture { notes: said.note().into_iter().chain(damage).collect(), ..picture };
    let (width, height) = decoder.dimensions();
    let raster = match samples(&decoder, format)? {
        (_, Samples::Bytes) => said.applied(pixels(decoder, format, limits, &share)?, format)?,
        (layout, Samples::Words) => {
            let wide = bytes(decoder, format, &share)?;
            let narrow = wide.as_chunks::<2>().0.iter().map(|word| narrowed(u16::from_ne_bytes(*word)));
            let mut rows = share.vec(wide.len() as u64 / 2)?;
            rows.extend(narrow);
            Raster::new(width, height, layout, rows).ok_or_else(|| wrong_size(format))?
        }
        (layout, Samples::Light) => {
            let light = bytes(decoder, format, &share)?;
            let mut rows = share.vec(light.len() as u64 / 4)?;
            let numbers = light.as_chunks::<4>().0.iter().map(|bytes| f32::from_ne_bytes(*bytes));
            shown(numbers, layout, &mut rows);
            let notes = vec![Note::LightCut];
            let raster = Raster::new(width, height, layout, rows).ok_or_else(|| wrong_size(format))?;
            return Ok(Decoded { picture: Picture { notes, ..picture }, pixels: Pixels::Whole(raster) });
        }
    };
    Ok(Decoded { picture, pixels: Pixels::Whole(raster) })
}

/// What the header says of its pixels, and the decoder does not look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    /// Targa: none of the bits of a pixel are transparency.
    NoAlpha,
    /// QOI: its colours are light.
    Light,
}

impl Said {
    fn of(file: &mut Input<'_>, format: Format) -> Result<Self, MediaError> {
        const ALPHA_BITS: u8 = 0x0f;
        let mut head = [0; 18];
        let read = file.read_exact(&mut head).and_then(|()| file.rewind());
        Ok(match (format, read) {
            (Format::Targa | Format::Qoi, Err(error)) => return Err(MediaError::reading(format, error)),
            (Format::Targa, Ok(())) if head[17] & ALPHA_BITS == 0 => Self::NoAlpha,
            (Format::Qoi, Ok(())) if head[13] == 1 => Self::Light,
            // What is too short for its format is for the decoder to say.
            (_, Err(_)) => {
                file.rewind().map_err(|error| MediaError::reading(format, error))?;
                Self::Nothing
            }
            _ => Self::Nothing,
        })
    }

    fn note(self) -> Option<Note> {
        (self == Self::Light).then_some(Note::DeclaredColors)
    }

    fn applied(self, raster: Raster, format: Format) -> Result<Raster, MediaError> {
        let (width, height, layout) = (raster.width(), raster.height(), raster.layout());
        let colors = layout.samples() - usize::from(layout.has_alpha());
        let each = layout.samples();
        let mut pixels = raster.into_pixels();
        match self {
            Self::Nothing => {}
            // Many write transparency and forget to say so; one that lets nothing be seen was not meant.
            Self::NoAlpha if layout.has_alpha() => {
                if pixels.iter().skip(colors).step_by(each).all(|alpha| *alpha == 0) {
                    pixels.iter_mut().skip(colors).step_by(each).for_each(|alpha| *alpha = u8::MAX);
                }
            }
            Self::NoAlpha => {}
            Self::Light => {
                let table: Vec<u8> =
                    (0..=u8::MAX).map(|light| (encoded(f32::from(light) / 255.0) * 255.0).round() as u8).collect();
                for pixel in pixels.chunks_exact_mut(each) {
                    pixel[..colors].iter_mut().for_each(|sample| *sample = table[usize::from(*sample)]);
                }
            }
        }
        Raster::new(width, height, layout, pixels).ok_or_else(|| wrong_size(format))
    }
}

/// Channels of another name than the colours are no damage.
fn unread(format: Format) -> impl Fn(ImageError) -> MediaError {
    move |error| match error {
        ImageError::Decoding(error) if format == Format::OpenExr && error.to_string().contains("rgb channels") => {
            MediaError::unsupported(format, "an OpenEXR file without channels for red, green and blue")
        }
        other => refused(format)(other),
    }
}

/// Light as sRGB. That of transparent pixels has been multiplied with their alpha.
fn shown(mut light: impl Iterator<Item = f32>, layout: Layout, rows: &mut Vec<u8>) {
    let byte = |part: f32| (part.clamp(0.0, 1.0) * 255.0).round() as u8;
    if !layout.has_alpha() {
        rows.extend(light.map(|part| byte(encoded(part))));
        return;
    }
    while let (Some(red), Some(green), Some(blue), Some(alpha)) =
        (light.next(), light.next(), light.next(), light.next())
    {
        let own = |part: f32| if alpha > 0.0 { part / alpha } else { 0.0 };
        rows.extend([red, green, blue].map(|part| byte(encoded(own(part)))));
        rows.push(byte(alpha));
    }
}

/// The transfer function of sRGB (IEC 61966-2-1).
pub(super) fn encoded(light: f32) -> f32 {
    match light.clamp(0.0, 1.0) {
        dark if dark <= 0.003_130_8 => 12.92 * dark,
        light => 1.055 * light.powf(1.0 / 2.4) - 0.055,
    }
}

fn wrong_size(format: Format) -> MediaError {
    MediaError::corrupt(format, "its rows are of another size than its header says")
}
