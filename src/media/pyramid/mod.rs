//! A picture as a tiled pyramid: a TIFF whose first page is the picture and whose further pages are its halvings, down
//! to one that fits a single tile.
//!
//! * Gray and RGB pictures have JPEG tiles. The quantisation and Huffman tables are the same for all tiles and are
//!   stored once.
//! * Pictures with alpha that shows have RGBA tiles, compressed without loss (Deflate with the horizontal predictor).
//!   JPEG has no alpha, a mask in a file of its own would have to be published, renamed and deleted together with its
//!   picture, and cut-outs with their plain backgrounds are what Deflate does well. Every reader of TIFF understands it.
//! * CMYK, which is kept only when it is asked for, and masks are compressed without loss as well; and so is everything
//!   where the options want no loss, for exports that have none of their own.
//! * The ICC profile, the resolution and the upright orientation stand on every page.
//! * Files that grow beyond four gigabytes are BigTIFF.

pub(crate) mod container;
mod reader;
mod tile;

use std::io::{Seek, Write};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use serde::{Deserialize, Serialize};

use super::cascade::{Band, level_sizes};
use super::content::Content;
use super::decode::Cancel;
use super::error::MediaError;
use super::limits::Limits;
use super::options::Options;
use super::picture::Resolution;
use super::raster::Layout;
use super::render::Rendering;
use container::{Container, Field, Page, Span};
pub(crate) use reader::Pyramid;
pub(crate) use tile::jpeg_encoder;
use tile::{Coder, Coding};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PyramidInfo {
    /// The size of each level, largest first.
    pub levels: Vec<(u32, u32)>,
    pub tile: u32,
    pub has_alpha: bool,
    pub has_profile: bool,
    pub is_big_tiff: bool,
    pub bytes: u64,
}

/// Writes the pyramid of a picture.
pub fn write(
    source: impl Into<Content>,
    out: &mut (impl Write + Seek),
    options: &Options,
    limits: &Limits,
    cancel: Cancel<'_>,
) -> Result<PyramidInfo, MediaError> {
    options.check()?;
    let (_, rendering) = Rendering::open(&source.into(), options, limits, cancel)?;
    let mut builder = Builder::new(out, &rendering, options)?;
    rendering.run(options.tile, cancel, &mut |band| builder.add(&band))?;
    builder.finish()
}

/// Takes bands and writes their tiles at once; the directories follow at the end.
pub(crate) struct Builder<'a, W: Write + Seek> {
    container: Container<&'a mut W>,
    coder: Coder,
    levels: Vec<Level>,
    profile: Option<Vec<u8>>,
    resolution: Option<Resolution>,
}

struct Level {
    size: (u32, u32),
    tiles: Vec<Span>,
}

const FAILED: &str = "pyramid";

impl<'a, W: Write + Seek> Builder<'a, W> {
    pub fn new(out: &'a mut W, rendering: &Rendering<'_>, options: &Options) -> Result<Self, MediaError> {
        let profile = rendering.profile().map(<[u8]>::to_vec);
        Self::start(out, rendering, options, Coder::new(rendering.layout(), options), profile)
    }

    /// Of a mask of the picture: gray, without loss and without a profile.
    pub fn mask(out: &'a mut W, rendering: &Rendering<'_>, options: &Options) -> Result<Self, MediaError> {
        Self::start(out, rendering, options, Coder::lossless(Layout::Gray, options), None)
    }

    fn start(
        out: &'a mut W,
        rendering: &Rendering<'_>,
        options: &Options,
        coder: Coder,
        profile: Option<Vec<u8>>,
    ) -> Result<Self, MediaError> {
        let sizes = level_sizes(rendering.width(), rendering.height(), options.tile);
        Ok(Self {
            container: Container::start(out, container::CLASSIC_LIMIT).map_err(MediaError::writing(FAILED))?,
            coder,
            levels: sizes.into_iter().map(|size| Level { size, tiles: Vec::new() }).collect(),
            profile,
            resolution: rendering.resolution(),
        })
    }

    /// Encodes a row of tiles side by side and writes them in order.
    pub fn add(&mut self, band: &Band<'_>) -> Result<(), MediaError> {
        let coder = &self.coder;
        let tiles = (0..band.width.div_ceil(coder.tile)).into_par_iter();
        let encoded = tiles.map(|column| coder.encode(band, column)).collect::<Result<Vec<_>, _>>()?;
        for bytes in encoded {
            let span = self.container.append(&bytes).map_err(MediaError::writing(FAILED))?;
            self.levels[band.level].tiles.push(span);
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<PyramidInfo, MediaError> {
        let failed = MediaError::writing(FAILED);
        let tables = self.coder.shared_tables()?;
        let shared = self.share(tables).map_err(failed)?;
        let pages = self.levels.iter().enumerate().map(|(index, level)| self.page(index, level, &shared)).collect();
        let end = self.container.finish(pages).map_err(MediaError::writing(FAILED))?;
        Ok(PyramidInfo {
            levels: self.levels.iter().map(|level| level.size).collect(),
            tile: self.coder.tile,
            has_alpha: self.coder.layout.has_alpha(),
            has_profile: self.profile.is_some(),
            is_big_tiff: end.is_big,
            bytes: end.bytes,
        })
    }

    /// Writes what all pages refer to.
    fn share(&mut self, tables: Option<Vec<u8>>) -> std::io::Result<Shared> {
        let mut put = |bytes: Option<&Vec<u8>>| bytes.map(|bytes| self.container.append(bytes)).transpose();
        Ok(Shared { tables: put(tables.as_ref())?, profile: put(self.profile.as_ref())? })
    }

    fn page(&self, index: usize, level: &Level, shared: &Shared) -> Page {
        let samples = self.coder.layout.samples();
        let (width, height) = level.size;
        let mut page = Page::default();
        const REDUCED: u32 = 1;
        page.set(tag::SUBFILE_TYPE, Field::Long(if index == 0 { 0 } else { REDUCED }));
        page.set(tag::WIDTH, Field::Long(width));
        page.set(tag::HEIGHT, Field::Long(height));
        page.set(tag::BITS, Field::Shorts(vec![8; samples])); // bounded: by the layout
        page.set(tag::ORIENTATION, Field::short(1));
        page.set(tag::SAMPLES, Field::short(samples as u16));
        page.set(tag::PLANAR, Field::short(1));
        page.set(tag::TILE_WIDTH, Field::Long(self.coder.tile));
        page.set(tag::TILE_HEIGHT, Field::Long(self.coder.tile));
        page.set_tiles(tag::TILE_OFFSETS, tag::TILE_LENGTHS, &level.tiles);
        self.describe_coding(&mut page, shared);
        if let Some(resolution) = self.resolution {
            const INCH: u16 = 2;
            page.set(tag::X_RESOLUTION, Field::rational(resolution.x));
            page.set(tag::Y_RESOLUTION, Field::rational(resolution.y));
            page.set(tag::RESOLUTION_UNIT, Field::short(INCH));
        }
        if let Some(profile) = shared.profile {
            page.set(tag::ICC_PROFILE, Field::Elsewhere(profile));
        }
        page
    }

    fn describe_coding(&self, page: &mut Page, shared: &Shared) {
        match self.coder.coding {
            Coding::Jpeg { halves_chroma, .. } => {
                page.set(tag::COMPRESSION, Field::short(7));
                if self.coder.layout == Layout::Gray {
                    page.set(tag::PHOTOMETRIC, Field::short(BLACK_IS_ZERO));
                } else {
                    let factor = if halves_chroma { 2 } else { 1 };
                    page.set(tag::PHOTOMETRIC, Field::short(YCBCR));
                    page.set(tag::YCBCR_SUBSAMPLING, Field::Shorts(vec![factor, factor]));
                    page.set(tag::REFERENCE_BLACK_WHITE, Field::rationals(&[0.0, 255.0, 128.0, 255.0, 128.0, 255.0]));
                }
                if let Some(tables) = shared.tables {
                    page.set(tag::JPEG_TABLES, Field::Elsewhere(tables));
                }
            }
            Coding::Deflate(_) => {
                const STRAIGHT_ALPHA: u16 = 2;
                const HORIZONTAL: u16 = 2;
                page.set(tag::COMPRESSION, Field::short(8));
                page.set(tag::PREDICTOR, Field::short(HORIZONTAL));
                let layout = self.coder.layout;
                let photometric = match layout {
                    Layout::Gray | Layout::GrayAlpha => BLACK_IS_ZERO,
                    Layout::Rgb | Layout::Rgba => RGB,
                    Layout::Cmyk | Layout::CmykAlpha => SEPARATED,
                };
                page.set(tag::PHOTOMETRIC, Field::short(photometric));
                if layout.has_alpha() {
                    page.set(tag::EXTRA_SAMPLES, Field::short(STRAIGHT_ALPHA));
                }
            }
        }
    }
}

struct Shared {
    tables: Option<Span>,
    profile: Option<Span>,
}

/// What samples are: values of the tag of photometric interpretation.
const BLACK_IS_ZERO: u16 = 1;
const RGB: u16 = 2;
const SEPARATED: u16 = 5;
const YCBCR: u16 = 6;

pub(crate) mod tag {
    pub const SUBFILE_TYPE: u16 = 254;
    pub const WIDTH: u16 = 256;
    pub const HEIGHT: u16 = 257;
    pub const BITS: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const ORIENTATION: u16 = 274;
    pub const SAMPLES: u16 = 277;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const STRIP_LENGTHS: u16 = 279;
    pub const X_RESOLUTION: u16 = 282;
    pub const Y_RESOLUTION: u16 = 283;
    pub const PLANAR: u16 = 284;
    pub const RESOLUTION_UNIT: u16 = 296;
    pub const PREDICTOR: u16 = 317;
    pub const XMP: u16 = 700;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_HEIGHT: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_LENGTHS: u16 = 325;
    pub const EXTRA_SAMPLES: u16 = 338;
    pub const JPEG_TABLES: u16 = 347;
    pub const YCBCR_SUBSAMPLING: u16 = 530;
    pub const REFERENCE_BLACK_WHITE: u16 = 532;
    pub const ICC_PROFILE: u16 = 34675;
}
