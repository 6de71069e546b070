//! What the tags of a page say of its pixels: the meaning, depth and place of every sample is decided here.

use super::super::super::error::MediaError;
use super::super::super::limits::Limits;
use super::super::super::raster::Layout;
use super::color::{Color, Lab, Palette, YCbCr};
use super::tags::{Tags, tag};
use super::{corrupt, unsupported};
use crate::media::Note;

/// What of the page's tags decides how its pixels are read.
#[derive(Debug)]
pub struct Page {
    pub width: u32,
    pub height: u32,
    /// Samples of a pixel as they are stored.
    pub samples: usize,
    /// Bits of a sample.
    pub bits: u8,
    pub kind: Kind,
    pub color: Color,
    pub alpha: Option<Alpha>,
    pub is_planar: bool,
    pub compression: Compression,
    pub predictor: Predictor,
    /// The bits of each byte are stored from the last to the first.
    pub is_reversed: bool,
    pub is_little_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Unsigned,
    /// From 0 to 1.
    Float,
}

/// The sample that says how opaque a pixel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alpha {
    /// Which of the stored samples it is.
    pub at: usize,
    /// The colours are multiplied by it.
    pub is_premultiplied: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    /// CCITT's one-dimensional coding in rows of whole bytes.
    ModifiedHuffman,
    Group3 {
        /// Rows may refer to the one before.
        is_two_dimensional: bool,
    },
    Group4,
    Lzw,
    Deflate,
    PackBits,
    Jpeg {
        /// It holds YCbCr where the page is RGB.
        is_ycbcr: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predictor {
    None,
    Horizontal,
    Float,
}

impl Page {
    pub fn read(tags: &mut Tags<'_>, limits: &Limits) -> Result<Self, MediaError> {
        let [width, height] = [("wide", tag::WIDTH), ("high", tag::HEIGHT)].map(|(what, tag)| {
            tags.number(tag).and_then(|side| side.ok_or_else(|| corrupt(format!("it does not say how {what} it is"))))
        });
        let (width, height) = (width?, height?);
        limits.check_size(width, height)?;
        let [Ok(width @ 1..), Ok(height @ 1..)] = [width, height].map(u32::try_from) else {
            return Err(corrupt("it has no pixels"));
        };
        let samples = tags.number(tag::SAMPLES_PER_PIXEL)?.unwrap_or(1);
        let samples = usize::from(u16::try_from(samples).unwrap_or(u16::MAX));
        let (bits, kind) = (read_bits(tags)?, read_kind(tags)?);
        let is_readable = match kind {
            Kind::Unsigned => (1..=32).contains(&bits),
            Kind::Float => matches!(bits, 16 | 24 | 32 | 64),
        };
        if !is_readable {
            let what = if kind == Kind::Float { "floating-point samples" } else { "samples" };
            return Err(unsupported(&format!("{what} of {bits} bits")));
        }
        let color = read_color(tags, samples, bits)?;
        let compression = read_compression(tags, &color)?;
        let is_jpeg = matches!(compression, Compression::Jpeg { .. });
        let color = if is_jpeg { color.in_jpeg()? } else { color };
        let colors = color.samples();
        if samples < colors {
            return Err(corrupt(format!("its pixels have {samples} samples; their colours need {colors}")));
        }
        const PLANAR: u64 = 2;
        let page = Self {
            width,
            height,
            samples,
            bits,
            kind,
            alpha: read_alpha(tags, colors, samples)?,
            color,
            is_planar: tags.number(tag::PLANAR_CONFIGURATION)? == Some(PLANAR) && samples > 1,
            compression,
            predictor: read_predictor(tags, compression)?,
            is_reversed: read_fill_order(tags)? && !is_jpeg,
            is_little_endian: tags.is_little_endian,
        };
        page.check()?;
        Ok(page)
    }

    /// What fits together by itself, and not with the rest.
    fn check(&self) -> Result<(), MediaError> {
        let Self { bits, kind, samples, .. } = *self;
        match self.compression {
            Compression::Jpeg { .. } if bits != 8 || kind != Kind::Unsigned => {
                return Err(unsupported(&format!("samples of {bits} bits in JPEG")));
            }
            Compression::ModifiedHuffman | Compression::Group3 { .. } | Compression::Group4
                if bits != 1 || samples != 1 =>
            {
                return Err(corrupt("its pixels have more than one bit, which CCITT's codes have no room for"));
            }
            _ => {}
        }
        match self.predictor {
            Predictor::Horizontal if !matches!(bits, 8 | 16 | 32 | 64) => {
                Err(unsupported(&format!("differences of samples of {bits} bits")))
            }
            Predictor::Float if kind != Kind::Float => {
                Err(corrupt("its samples are predicted as floating-point numbers, and are none"))
            }
            _ if self.color.subsampling() != (1, 1) && (self.is_planar || samples != 3 || bits != 8) => {
                Err(unsupported("reduced chroma in planes of its own, of more than 8 bits, or beside other samples"))
            }
            _ if !self.color.fits(bits, kind) => Err(unsupported(&format!("{} of {bits} bits", self.color.name()))),
            _ => Ok(()),
        }
    }

    /// The stored samples that are made use of, colours first.
    pub fn used(&self) -> impl Iterator<Item = usize> {
        (0..self.color.samples()).chain(self.alpha.map(|alpha| alpha.at))
    }

    /// The planes that are read: those of the samples that are made use of, or the one that has all.
    pub fn planes(&self) -> impl Iterator<Item = usize> {
        self.used().take(if self.is_planar { usize::MAX } else { 1 })
    }

    /// Planes that are stored.
    pub const fn all_planes(&self) -> usize {
        if self.is_planar { self.samples } else { 1 }
    }

    /// How many samples are made use of.
    pub fn used_count(&self) -> usize {
        self.color.samples() + usize::from(self.alpha.is_some())
    }

    /// Samples of a pixel in one of the places where they are stored.
    pub fn samples_together(&self) -> usize {
        if self.is_planar { 1 } else { self.samples }
    }

    pub fn layout(&self) -> Layout {
        self.color.layout(self.alpha.is_some())
    }

    /// What of the page is not in the picture, or is not as it was.
    pub fn notes(&self) -> Vec<Note> {
        let left_out = self.samples - self.used_count();
        let left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
        let notes = [
            (left_out > 0, Note::ChannelsLeftOut(left_out)),
            (self.kind == Kind::Float, Note::FloatCut),
            (matches!(self.color, Color::Lab(_)), Note::LabConverted),
        ];
        notes.into_iter().filter_map(|(is_so, note)| is_so.then_some(note)).collect()
    }
}

/// Samples of one pixel may differ by what TIFF says, and hardly ever do.
fn the_same(values: &[u64], what: &str) -> Result<u64, MediaError> {
    let first = values[0];
    if values.iter().all(|value| *value == first) {
        return Ok(first);
    }
    Err(unsupported(&format!("samples of different {what} in one pixel")))
}

fn read_bits(tags: &mut Tags<'_>) -> Result<u8, MediaError> {
    let bits = tags.numbers(tag::BITS_PER_SAMPLE)?;
    let bits = if bits.is_empty() { 1 } else { the_same(&bits, "depths")? };
    Ok(u8::try_from(bits).unwrap_or(u8::MAX))
}

fn read_kind(tags: &mut Tags<'_>) -> Result<Kind, MediaError> {
    let formats = tags.numbers(tag::SAMPLE_FORMAT)?;
    let format = if formats.is_empty() { 1 } else { the_same(&formats, "formats")? };
    match format {
        // Void: nobody says what it is, and readers take it for unsigned.
        1 | 4 => Ok(Kind::Unsigned),
        2 => Err(unsupported("signed samples")),
        3 => Ok(Kind::Float),
        5 | 6 => Err(unsupported("complex numbers for samples")),
        other => Err(unsupported(&format!("samples in a format ({other}) that is unknown"))),
    }
}

fn read_color(tags: &mut Tags<'_>, samples: usize, bits: u8) -> Result<Color, MediaError> {
    const CMYK: u64 = 1;
    let meaning = tags.number(tag::PHOTOMETRIC)?;
    Ok(match meaning.ok_or_else(|| unsupported("samples that it gives no meaning"))? {
        0 => Color::Gray { is_inverted: true },
        1 => Color::Gray { is_inverted: false },
        2 => Color::Rgb,
        3 => {
            let map = tags.numbers(tag::COLOR_MAP)?;
            Color::Palette(Palette::new(&map, bits).ok_or_else(|| corrupt("its colour palette has the wrong length"))?)
        }
        4 => return Err(unsupported("a mask in place of a picture")),
        5 => {
            let inks = (tags.number(tag::INK_SET)?.unwrap_or(CMYK), tags.number(tag::NUMBER_OF_INKS)?.unwrap_or(4));
            if inks != (CMYK, 4) {
                return Err(unsupported("inks other than cyan, magenta, yellow and black"));
            }
            Color::Cmyk
        }
        6 => Color::YCbCr(Box::new(YCbCr::read(tags)?)),
        8 if samples == 1 => Color::Gray { is_inverted: false },
        8 => Color::Lab(Lab::Cie),
        9 => Color::Lab(Lab::Icc),
        10 => return Err(unsupported("ITU L*a*b* colours")),
        32_803 | 34_892 => return Err(unsupported("what a camera's sensor saw, not yet developed")),
        32_844 | 32_845 => return Err(unsupported("logarithmic luminance")),
        other => return Err(unsupported(&format!("colours of a kind ({other}) that is unknown"))),
    })
}

fn read_compression(tags: &mut Tags<'_>, color: &Color) -> Result<Compression, MediaError> {
    /// Parts that are not compressed by what the rest is.
    const UNCOMPRESSED: u64 = 0b10;
    const TWO_DIMENSIONAL: u64 = 1;
    let compression = tags.number(tag::COMPRESSION)?.unwrap_or(1);
    let options = match compression {
        3 => tags.number(tag::T4_OPTIONS)?,
        4 => tags.number(tag::T6_OPTIONS)?,
        _ => None,
    };
    let has = |option| options.is_some_and(|options| options & option != 0);
    if has(UNCOMPRESSED) {
        return Err(unsupported("parts that are not compressed amid CCITT's codes"));
    }
    Ok(match compression {
        1 => Compression::None,
        2 => Compression::ModifiedHuffman,
        3 => Compression::Group3 { is_two_dimensional: has(TWO_DIMENSIONAL) },
        4 => Compression::Group4,
        5 => Compression::Lzw,
        6 => return Err(unsupported("JPEG of the old style")),
        7 => Compression::Jpeg { is_ycbcr: matches!(color, Color::YCbCr(_)) },
        8 | 32_946 => Compression::Deflate,
        32_773 => Compression::PackBits,
        other => {
            let names =
                [(34_712, "JPEG 2000"), (34_925, "LZMA"), (50_000, "Zstandard"), (50_001, "WebP"), (50_002, "JPEG XL")];
            let name = names.iter().find(|(number, _)| *number == other);
            let name = name.map_or_else(
                || format!("a compression ({other}) that is unknown"),
                |(_, name)| format!("{name} in it"),
            );
            return Err(unsupported(&name));
        }
    })
}

fn read_predictor(tags: &mut Tags<'_>, compression: Compression) -> Result<Predictor, MediaError> {
    // Others have no predictor, whatever is said.
    if !matches!(compression, Compression::Lzw | Compression::Deflate) {
        return Ok(Predictor::None);
    }
    match tags.number(tag::PREDICTOR)?.unwrap_or(1) {
        1 => Ok(Predictor::None),
        2 => Ok(Predictor::Horizontal),
        3 => Ok(Predictor::Float),
        other => Err(unsupported(&format!("a predictor ({other}) that is unknown"))),
    }
}

fn read_fill_order(tags: &mut Tags<'_>) -> Result<bool, MediaError> {
    match tags.number(tag::FILL_ORDER)?.unwrap_or(1) {
        1 => Ok(false),
        2 => Ok(true),
        other => Err(unsupported(&format!("bits in an order ({other}) that is unknown"))),
    }
}

/// Of the samples behind the colours, the first that is said to be alpha. Others are saved selections and spot inks.
fn read_alpha(tags: &mut Tags<'_>, colors: usize, samples: usize) -> Result<Option<Alpha>, MediaError> {
    let extra = tags.numbers(tag::EXTRA_SAMPLES)?;
    let alpha = |(index, kind): (usize, &u64)| {
        matches!(kind, 1 | 2).then_some(Alpha { at: colors + index, is_premultiplied: *kind == 1 })
    };
    Ok(extra.iter().take(samples - colors).enumerate().find_map(alpha))
}
