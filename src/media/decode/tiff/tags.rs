//! The directory of the page that is read, and how many others there are.

use std::collections::HashSet;
use std::io::{self, BufReader};

use super::super::super::directory::{self, Tiff, Value};
use super::super::super::error::MediaError;
use super::super::super::format::Format;
use super::super::super::memory::Share;
use super::{File, corrupt};

/// The numbers of tags.
pub mod tag {
    pub const NEW_SUBFILE_TYPE: u16 = 254;
    pub const SUBFILE_TYPE: u16 = 255;
    pub const WIDTH: u16 = 256;
    pub const HEIGHT: u16 = 257;
    pub const BITS_PER_SAMPLE: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const FILL_ORDER: u16 = 266;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const ORIENTATION: u16 = 274;
    pub const SAMPLES_PER_PIXEL: u16 = 277;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const STRIP_BYTE_COUNTS: u16 = 279;
    pub const X_RESOLUTION: u16 = 282;
    pub const Y_RESOLUTION: u16 = 283;
    pub const PLANAR_CONFIGURATION: u16 = 284;
    pub const T4_OPTIONS: u16 = 292;
    pub const T6_OPTIONS: u16 = 293;
    pub const RESOLUTION_UNIT: u16 = 296;
    pub const PREDICTOR: u16 = 317;
    pub const COLOR_MAP: u16 = 320;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_HEIGHT: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_BYTE_COUNTS: u16 = 325;
    pub const INK_SET: u16 = 332;
    pub const NUMBER_OF_INKS: u16 = 334;
    pub const EXTRA_SAMPLES: u16 = 338;
    pub const SAMPLE_FORMAT: u16 = 339;
    pub const JPEG_TABLES: u16 = 347;
    pub const YCBCR_COEFFICIENTS: u16 = 529;
    pub const YCBCR_SUBSAMPLING: u16 = 530;
    pub const REFERENCE_BLACK_WHITE: u16 = 532;
    pub const ICC_PROFILE: u16 = 34_675;
}

/// Profiles of presses come to some megabytes; strip tables of narrow strips likewise.
const MAX_TAG_BYTES: u64 = 16 << 20;

/// Most pages that are counted, and tags of all of them that are looked at.
const MOST_PAGES: usize = 10_000;
const MOST_TAGS: usize = 1_000_000;

pub struct Tags<'a> {
    tiff: Tiff<BufReader<File<'a>>>,
    share: Share,
    page: Vec<directory::Tag>,
    pub is_little_endian: bool,
    /// All of its pages.
    pub pages: u32,
    /// False: there may be more, behind what is damaged, or behind as many as are counted.
    pub is_whole: bool,
}

/// What the pixels of a directory are for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Page,
    /// A smaller version of another page, or its mask.
    Beside,
    /// It has no pixels.
    None,
}

impl<'a> Tags<'a> {
    /// Of the page of this number, from 1.
    pub fn open(file: File<'a>, share: Share, wanted: u32) -> Result<Self, MediaError> {
        let tiff = Tiff::open(BufReader::with_capacity(1 << 16, file)).map_err(failed)?;
        let is_little_endian = tiff.is_little_endian();
        let mut tags = Self { tiff, share, page: Vec::new(), is_little_endian, pages: 0, is_whole: true };
        tags.find_page(wanted)?;
        Ok(tags)
    }

    /// The page that is wanted; if all are smaller versions of something, the first page is the first of them.
    fn find_page(&mut self, wanted: u32) -> Result<(), MediaError> {
        let (mut next, mut seen, mut looked_at) = (self.tiff.first().map_err(failed)?, HashSet::new(), 0);
        let (mut found_page, mut fallback) = (None, None);
        while next != 0 {
            if seen.len() >= MOST_PAGES || looked_at >= MOST_TAGS || !seen.insert(next) {
                self.is_whole = false;
                break;
            }
            let (role, behind) = match self.directory(next) {
                Ok(found) => found,
                // The page that is read is whole: what is damaged behind it is not missed. A smaller version is no page.
                Err(MediaError::Truncated { .. } | MediaError::Corrupt { .. }) if found_page.is_some() => {
                    self.is_whole = false;
                    break;
                }
                Err(error) => return Err(error),
            };
            looked_at += self.page.len();
            // Nobody writes one without tags, or tags without a type: it is what a file that was cut has been filled up with.
            self.is_whole &= !self.page.is_empty() && self.page.iter().all(|tag| tag.kind != 0);
            match role {
                Role::Page => {
                    self.pages += 1;
                    if self.pages == wanted {
                        found_page = Some(std::mem::take(&mut self.page));
                    }
                }
                Role::Beside => fallback = fallback.or_else(|| Some(std::mem::take(&mut self.page))),
                Role::None => {}
            }
            next = behind;
        }
        let fallback = fallback.filter(|_| self.pages == 0 && wanted == 1);
        self.page = found_page.or(fallback).ok_or_else(|| match self.pages {
            0 => corrupt("it has no page"),
            pages => corrupt(format!("it has no page {wanted}, but {pages}")),
        })?;
        self.pages = self.pages.max(1);
        Ok(())
    }

    /// Makes a directory the page, and says what it is for and which comes behind it.
    fn directory(&mut self, offset: u64) -> Result<(Role, u64), MediaError> {
        let found = self.tiff.directory(offset).and_then(|tags| Ok((tags, self.tiff.next(offset)?)));
        let (page, behind) = found.map_err(failed)?;
        self.page = page;
        Ok((self.role()?, behind))
    }

    fn role(&mut self) -> Result<Role, MediaError> {
        const REDUCED_OR_MASK: u64 = 0b101;
        const OLD_REDUCED: u64 = 2;
        if self.find(tag::WIDTH).is_none() {
            return Ok(Role::None);
        }
        let is_beside = self.number(tag::NEW_SUBFILE_TYPE)?.is_some_and(|kind| kind & REDUCED_OR_MASK != 0)
            || self.number(tag::SUBFILE_TYPE)? == Some(OLD_REDUCED);
        Ok(if is_beside { Role::Beside } else { Role::Page })
    }

    fn find(&self, number: u16) -> Option<directory::Tag> {
        self.page.iter().find(|tag| tag.number == number).copied()
    }

    pub fn has(&self, number: u16) -> bool {
        self.find(number).is_some()
    }

    /// Whole numbers; none if the tag is not there.
    pub fn numbers(&mut self, number: u16) -> Result<Vec<u64>, MediaError> {
        let Some(tag) = self.find(number) else { return Ok(Vec::new()) };
        check_length(tag)?;
        // As bytes, and as numbers.
        self.share.check(tag.length() + tag.count() * size_of::<u64>() as u64)?;
        Ok(self.tiff.numbers(tag, MAX_TAG_BYTES).map_err(failed)?.unwrap_or_default())
    }

    /// The first of them.
    pub fn number(&mut self, number: u16) -> Result<Option<u64>, MediaError> {
        let Some(tag) = self.find(number) else { return Ok(None) };
        self.tiff.first_number(tag).map_err(failed)
    }

    pub fn bytes(&mut self, number: u16) -> Result<Option<Vec<u8>>, MediaError> {
        let Some(tag) = self.find(number) else { return Ok(None) };
        check_length(tag)?;
        self.tiff.bytes(tag, MAX_TAG_BYTES).map(Some).map_err(failed)
    }

    pub fn fractions(&mut self, number: u16) -> Result<Vec<f64>, MediaError> {
        let Some(tag) = self.find(number) else { return Ok(Vec::new()) };
        check_length(tag)?;
        let Some(Value::Fractions(fractions)) = self.tiff.value(tag).map_err(failed)? else { return Ok(Vec::new()) };
        Ok(fractions.iter().map(|(above, below)| *above as f64 / *below as f64).collect())
    }
}

fn check_length(tag: directory::Tag) -> Result<(), MediaError> {
    if tag.length() <= MAX_TAG_BYTES {
        return Ok(());
    }
    let directory::Tag { number, .. } = tag;
    Err(corrupt(format!("its tag {number} has {} bytes; at most {MAX_TAG_BYTES} are read", tag.length())))
}

fn failed(error: io::Error) -> MediaError {
    MediaError::reading(Format::Tiff, error)
}
