//! One tile: cut out of its band, filled up at the edges, compressed.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use jpeg_encoder::{ChromaSubsamplingMethod, Encoder, SamplingFactor};

use super::super::cascade::Band;
use super::super::error::MediaError;
use super::super::options::{Chroma, Options};
use super::super::raster::Layout;
use super::FAILED;

/// From this quality on, [`Chroma::ByQuality`] keeps colour in full.
const FULL_CHROMA_QUALITY: u8 = 90;

#[derive(Debug, Clone, Copy)]
pub(super) enum Coding {
    Jpeg { quality: u8, halves_chroma: bool },
    Deflate(Effort),
}

/// How much time compression without loss may take.
#[derive(Debug, Clone, Copy)]
pub(super) enum Effort {
    /// For what is kept.
    Usual,
    /// For what is read once.
    Little,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Coder {
    pub layout: Layout,
    pub tile: u32,
    pub coding: Coding,
}

/// An encoder that averages where it halves chroma.
pub(crate) fn jpeg_encoder(out: &mut Vec<u8>, quality: u8, chroma: Chroma) -> Encoder<&mut Vec<u8>> {
    let mut encoder = Encoder::new(out, quality);
    let factor = if halves_chroma(quality, chroma) { SamplingFactor::F_2_2 } else { SamplingFactor::F_1_1 };
    encoder.set_sampling_factor(factor);
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    encoder
}

fn halves_chroma(quality: u8, chroma: Chroma) -> bool {
    match chroma {
        Chroma::ByQuality => quality < FULL_CHROMA_QUALITY,
        Chroma::Half => true,
        Chroma::Full => false,
    }
}

impl Coder {
    pub fn new(layout: Layout, options: &Options) -> Self {
        let coding = if options.lossless {
            Coding::Deflate(Effort::Little)
        } else if layout.has_alpha() || layout == Layout::Cmyk {
            Coding::Deflate(Effort::Usual)
        } else {
            let (quality, chroma) = (options.quality, options.chroma);
            Coding::Jpeg { quality, halves_chroma: halves_chroma(quality, chroma) }
        };
        Self { layout, tile: options.tile, coding }
    }

    /// For masks, whose edges must stay as they are.
    pub fn lossless(layout: Layout, options: &Options) -> Self {
        Self { layout, tile: options.tile, coding: Coding::Deflate(Effort::Usual) }
    }

    pub fn encode(&self, band: &Band<'_>, column: u32) -> Result<Vec<u8>, MediaError> {
        let pixels = self.cut(band, column);
        match self.coding {
            Coding::Jpeg { quality, halves_chroma } => {
                self.jpeg(&pixels, quality, halves_chroma).map(|stream| Segments::of(&stream).without_tables())
            }
            Coding::Deflate(effort) => self.deflate(pixels, effort),
        }
    }

    /// The tables every tile's stream needs, as a stream of their own; they depend on nothing but the options.
    pub fn shared_tables(&self) -> Result<Option<Vec<u8>>, MediaError> {
        let Coding::Jpeg { quality, halves_chroma } = self.coding else { return Ok(None) };
        let blank = vec![0; self.tile as usize * self.tile as usize * self.layout.samples()]; // bounded: by the largest tile
        self.jpeg(&blank, quality, halves_chroma).map(|stream| Some(Segments::of(&stream).tables()))
    }

    /// The tile's pixels. Beyond the picture's edge its last pixels go on, which costs JPEG the least.
    fn cut(&self, band: &Band<'_>, column: u32) -> Vec<u8> {
        let (tile, samples) = (self.tile as usize, self.layout.samples());
        let stride = band.width as usize * samples;
        let left = column as usize * tile * samples;
        let inside = (tile * samples).min(stride - left);
        let mut out = Vec::with_capacity(tile * tile * samples); // bounded: by the largest tile
        for row in band.pixels.chunks_exact(stride) {
            let row = &row[left..left + inside];
            out.extend_from_slice(row);
            let last = &row[inside - samples..];
            for _ in inside / samples..tile {
                out.extend_from_slice(last);
            }
        }
        let last_row = out.len() - tile * samples;
        while out.len() < tile * tile * samples {
            out.extend_from_within(last_row..last_row + tile * samples);
        }
        out
    }

    #[cfg(feature = "turbojpeg")]
    fn jpeg(&self, pixels: &[u8], quality: u8, halves_chroma: bool) -> Result<Vec<u8>, MediaError> {
        use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};
        let (format, subsamp) = match (self.layout, halves_chroma) {
            (Layout::Gray, _) => (PixelFormat::GRAY, Subsamp::Gray),
            (_, true) => (PixelFormat::RGB, Subsamp::Sub2x2),
            (_, false) => (PixelFormat::RGB, Subsamp::None),
        };
        let side = self.tile as usize;
        let image = Image { pixels, width: side, pitch: side * self.layout.samples(), height: side, format };
        let compress = || {
            let mut compressor = Compressor::new()?;
            compressor.set_quality(quality.into())?;
            compressor.set_subsamp(subsamp)?;
            compressor.compress_to_vec(image)
        };
        compress().map_err(|error: turbojpeg::Error| MediaError::writing(FAILED)(std::io::Error::other(error)))
    }

    #[cfg(not(feature = "turbojpeg"))]
    fn jpeg(&self, pixels: &[u8], quality: u8, halves_chroma: bool) -> Result<Vec<u8>, MediaError> {
        let mut stream = Vec::with_capacity(pixels.len() / 8); // bounded: by the largest tile
        let chroma = if halves_chroma { Chroma::Half } else { Chroma::Full };
        let color =
            if self.layout == Layout::Gray { jpeg_encoder::ColorType::Luma } else { jpeg_encoder::ColorType::Rgb };
        jpeg_encoder(&mut stream, quality, chroma)
            .encode(pixels, self.tile as u16, self.tile as u16, color)
            .map_err(|error| MediaError::writing(FAILED)(std::io::Error::other(error)))?;
        Ok(stream)
    }

    fn deflate(&self, mut pixels: Vec<u8>, effort: Effort) -> Result<Vec<u8>, MediaError> {
        let samples = self.layout.samples();
        for row in pixels.chunks_exact_mut(self.tile as usize * samples) {
            for i in (samples..row.len()).rev() {
                row[i] = row[i].wrapping_sub(row[i - samples]);
            }
        }
        let level = match effort {
            Effort::Usual => Compression::default(),
            Effort::Little => Compression::fast(),
        };
        let mut encoder = ZlibEncoder::new(Vec::with_capacity(pixels.len() / 4), level); // bounded: by the largest tile
        encoder.write_all(&pixels).and_then(|()| encoder.finish()).map_err(MediaError::writing(FAILED))
    }
}

const SOI: [u8; 2] = [0xff, 0xd8];
const EOI: [u8; 2] = [0xff, 0xd9];

/// The marker segments of a stream from our own encoder, and its scan.
struct Segments<'a> {
    headers: Vec<&'a [u8]>,
    scan: &'a [u8],
}

impl<'a> Segments<'a> {
    fn of(stream: &'a [u8]) -> Self {
        let mut rest = stream.strip_prefix(&SOI).unwrap_or(stream);
        let mut headers = Vec::new();
        while let [0xff, code, high, low, ..] = rest {
            if *code == 0xda {
                break;
            }
            let length = 2 + usize::from(u16::from_be_bytes([*high, *low]));
            let (segment, after) = rest.split_at(length.min(rest.len()));
            headers.push(segment);
            rest = after;
        }
        Self { headers, scan: rest }
    }

    fn is_table(segment: &[u8]) -> bool {
        matches!(segment, [_, 0xc4 | 0xdb, ..])
    }

    fn tables(&self) -> Vec<u8> {
        let tables = self.headers.iter().copied().filter(|segment| Self::is_table(segment));
        [SOI.as_slice()].into_iter().chain(tables).chain([EOI.as_slice()]).collect::<Vec<_>>().concat()
    }

    /// Without the JFIF header too: the directory says what it would.
    fn without_tables(&self) -> Vec<u8> {
        let is_kept = |segment: &&[u8]| !Self::is_table(segment) && segment[1] != 0xe0;
        let kept = self.headers.iter().copied().filter(is_kept);
        [SOI.as_slice()].into_iter().chain(kept).chain([self.scan]).collect::<Vec<_>>().concat()
    }
}
