//! The bounds within which hostile bytes are looked at.
//!
//! Whatever a file claims is held against one of these before memory, time or recursion follow it. Memory is taken by way of
//! [`Share`](super::memory::Share); the file of a picture is read by way of [`Watched`](super::decode::Watched), which asks
//! whether to stop at each piece of it, so that a loop that only the file bounds ends when it is told to.
//!
//! | what a file has a say in | is bounded by |
//! |---|---|
//! | the file itself, its sides and pixels | [`Limits`], against the header |
//! | pixels and working copies of a picture, in all | `max_memory`, one share for a picture |
//! | JPEG: segments, bytes in front of a scan | `MOST_SEGMENTS`, `LONGEST_HEADER` in `jpeg/markers.rs` |
//! | JPEG: ICC segments | 255, each once; one that comes twice leaves the profile out, with a note |
//! | JPEG: quantisation tables and codes | kept by their numbers; `MOST_TABLES` bytes of them |
//! | JPEG: EXIF, Adobe's marker | the first; its 12 bytes |
//! | JPEG: scans | `MAX_SCANS`; other segments between them are passed over |
//! | JPEG: restart markers, coded data that waits | data between any two, and the share |
//! | PNG: chunks beside the pixels, unpacked (ICC, EXIF) | `MOST_BESIDE` in `png.rs`; texts are not kept; their number by the file |
//! | TIFF: values of a tag | `MAX_TAG_BYTES` in `tiff/tags.rs` |
//! | TIFF: pages that are counted, tags of all of them | `MOST_PAGES`, `MOST_TAGS` in `tiff/tags.rs` |
//! | TIFF: sides of tiles, what reaches beyond the page | as pictures; `MOST_PADDED` times the pixels of one |
//! | TIFF: JPEG chunks | their place and whole units, against their headers; `MOST_IN_UNITS`; `MOST_TABLES` bytes they share |
//! | TIFF: chunks that share bytes | `MOST_SHARED` times the file, or `HARMLESS` |
//! | PSD: image resources | `MOST_RESOURCES`, `LARGEST_RESOURCE` bytes of one; for metadata `MOST_BYTES` of those that are looked at |
//! | PSD: layers, channels, groups, blocks, names, texts | the constants in `psd_layers/records.rs` |
//! | PSD: frames of layers and of their masks | as pictures; a row by the share |
//! | PSD: layers that are laid on each other | `MOST_LAID` times the pixels of a picture, where they lie on the canvas |
//! | JPEG 2000: tiles | each is there with data, of 65,535 at most |
//! | GIF: blocks and pieces of blocks | `MOST_PIECES`, up to the second frame; the frame as a picture |
//! | WebP: chunks, those beside the pixels, frames | `MOST_CHUNKS`, `MOST_BESIDE` in `webp_chunks.rs`; as pictures |
//! | BMP: the header with its palette | `MAX_HEADER`; rows by the share |
//! | EXIF: tags, bytes of a value, directories | `MOST_TAGS` and 64 KiB in `directory.rs`; those that are known, chains are not followed |
//! | IPTC: data sets | `MOST_SETS` |
//! | XMP: packet, depth, elements, namespaces and their names | the constants in `metadata/xmp.rs`; no document types |
//! | metadata: parts of a file, bytes of a block, values | `MOST_PARTS`, `MOST_BYTES`; `MOST_SEEN`, `MOST_VALUES`, `MOST_TEXT`; packed XMP of a PNG once |
//! | HEIF: boxes, items, extents | `MOST_PARTS` of each; a depth that is fixed |
//! | ICC profiles | 10 MB, by the crate that reads them |
//! | clipping paths | `MOST_KNOTS` |
//! | pyramids: levels, tiles, tags | `MOST_LEVELS`; 4096 pixels a side; `MAX_TAG_BYTES` in `pyramid/reader.rs` |
//! | archives: entries, depth, sizes, ratio, names, the directory | [`archive::Limits`](super::archive::Limits) and the constants beside it |
//! | SVG, its fonts, pages of PDF, HEIC, video | a child process with limits of its own |

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::{MediaError, PixelLimit};

/// What one picture may cost. Checked against the header, before any pixel is decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub max_pixels: u64,
    pub max_side: u32,
    pub max_source_bytes: u64,
    /// Bytes of memory for the decoded pixels and the decoder's working copies of them.
    pub max_memory: u64,
    /// The folder for files that hold what does not fit into memory; they have no name and vanish with their use.
    #[serde(skip, default = "here")]
    pub scratch: PathBuf,
}

/// A child works in a private folder.
fn here() -> PathBuf {
    ".".into()
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pixels: 500_000_000,
            max_side: 65_535,
            max_source_bytes: 4 << 30,
            max_memory: 2 << 30,
            scratch: std::env::temp_dir(),
        }
    }
}

impl Limits {
    pub(crate) fn check_size(&self, width: u64, height: u64) -> Result<(), MediaError> {
        let too_large = |limit| Err(MediaError::TooLarge { width, height, limit });
        if width.saturating_mul(height) > self.max_pixels {
            return too_large(PixelLimit::Pixels(self.max_pixels));
        }
        if width.max(height) > u64::from(self.max_side) {
            return too_large(PixelLimit::Side(self.max_side));
        }
        Ok(())
    }

    /// For who takes no memory here. Memory is taken by way of a share.
    pub(crate) fn check_memory(&self, needed: u64) -> Result<(), MediaError> {
        if needed > self.max_memory {
            return Err(MediaError::TooMuchMemory { needed, limit: self.max_memory });
        }
        Ok(())
    }

    pub(crate) fn check_source(&self, bytes: u64) -> Result<(), MediaError> {
        match bytes {
            0 => Err(MediaError::Empty),
            bytes if bytes > self.max_source_bytes => {
                Err(MediaError::SourceTooLarge { bytes, limit: self.max_source_bytes })
            }
            _ => Ok(()),
        }
    }
}
