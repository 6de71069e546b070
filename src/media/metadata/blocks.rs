//! Where each format keeps its metadata: EXIF, XMP, IPTC and Photoshop's image resources, as the bytes they are.
//!
//! Only headers are read, never pixels. What is damaged is left out: the picture is whole without it. Every length comes
//! from the file and is held against [`MOST_BYTES`] and against what the file has left.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::read::ZlibDecoder;

use super::super::content::{Content, Reader};
use super::super::directory::{self, Tiff};
use super::super::edit::{is_of_path, resource};
use super::super::format::Format;
use super::super::memory::read_at_most;
use super::{LeftOut, heif, svg};

/// The largest block that is looked at. Image resources with thumbnails and long edit histories stay far below.
pub(super) const MOST_BYTES: u64 = 16 << 20;

/// Most segments or chunks of a file that are looked at.
pub(super) const MOST_PARTS: usize = 10_000;

/// Most pieces of 255 bytes that the blocks of a GIF file are passed over in.
const MOST_PIECES: u32 = 4_000_000;

/// The kind of an error that says that there are more parts than are looked at.
const BEYOND: io::ErrorKind = io::ErrorKind::QuotaExceeded;

/// Image resources that hold other kinds.
const IPTC: u16 = 1028;
const EXIF: u16 = 1058;
const XMP: u16 = 1060;

const XMP_TAG: u16 = 700;
const IPTC_TAG: u16 = 33723;
const PHOTOSHOP_TAG: u16 = 34377;

/// Where the EXIF is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exif {
    /// From its TIFF header on.
    Block(Vec<u8>),
    /// The file is one itself.
    File,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blocks {
    pub exif: Option<Exif>,
    /// An XMP packet.
    pub xmp: Option<Vec<u8>>,
    /// IPTC-IIM data sets.
    pub iptc: Option<Vec<u8>>,
    /// Image resources of Photoshop.
    photoshop: Option<Vec<u8>>,
    /// One of these but the last was there and is beyond [`MOST_BYTES`].
    has_large: bool,
    /// So it is with the last.
    has_large_resources: bool,
}

type Input = BufReader<Reader>;

/// How the blocks of a format are found.
pub(in crate::media) type Find = fn(&mut Blocks, &mut Within<'_>) -> io::Result<()>;

/// What they are looked for in.
pub(in crate::media) struct Within<'a> {
    input: &'a mut Input,
    content: &'a Content,
    /// Which image resources of Photoshop are meant.
    wanted: fn(u16) -> bool,
}

pub(in crate::media) const JPEG: Find = |blocks, file| blocks.jpeg(file.input);
pub(in crate::media) const PNG: Find = |blocks, file| blocks.png(file.input);
pub(in crate::media) const TIFF: Find = |blocks, file| blocks.tiff(file.input);
pub(in crate::media) const WEBP: Find = |blocks, file| blocks.webp(file.input);
pub(in crate::media) const GIF: Find = |blocks, file| blocks.gif(file.input);
pub(in crate::media) const PSD: Find = |blocks, file| blocks.psd(file.input, file.wanted);
pub(in crate::media) const HEIF: Find = |blocks, file| blocks.heif(file.input);
pub(in crate::media) const SVG: Find = |blocks, file| svg::packet(file.content).map(|packet| blocks.xmp = packet);

/// The image resources of a file that tell of its clipping path, if it has any; others may be among them.
pub fn image_resources(content: &Content, format: Format) -> io::Result<Option<Vec<u8>>> {
    let Blocks { photoshop, has_large_resources, .. } =
        Blocks::find(content, format, is_of_path, &mut BTreeSet::new())?;
    // A path that is there must not be missed.
    if has_large_resources { Err(large_resources()) } else { Ok(photoshop) }
}

fn large_resources() -> io::Error {
    let what = format!("its image resources have more than {MOST_BYTES} bytes");
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Blocks {
    /// Finds them in a file.
    pub fn read(content: &Content, format: Format, left_out: &mut BTreeSet<LeftOut>) -> io::Result<Self> {
        let mut blocks = Self::find(content, format, |resource| matches!(resource, IPTC | EXIF | XMP), left_out)?;
        blocks.open_photoshop();
        Ok(blocks)
    }

    /// `wanted` says which image resources are; others are among them where they need not be gone through.
    fn find(
        content: &Content,
        format: Format,
        wanted: fn(u16) -> bool,
        left_out: &mut BTreeSet<LeftOut>,
    ) -> io::Result<Self> {
        let mut blocks = Self::default();
        let mut input = BufReader::new(content.open()?);
        let found = match format.row().metadata {
            Some(find) => find(&mut blocks, &mut Within { input: &mut input, content, wanted }),
            None => Ok(()),
        };
        match found.map_err(|error| (error.kind(), error)) {
            Ok(()) => {}
            // A file that breaks off keeps what was found until there.
            Err((io::ErrorKind::UnexpectedEof, _)) => {}
            Err((io::ErrorKind::FileTooLarge, _)) => blocks.has_large = true,
            Err((BEYOND, _)) => drop(left_out.insert(LeftOut::ManyParts)),
            Err((_, error)) => return Err(error),
        }
        if blocks.has_large || blocks.has_large_resources {
            left_out.insert(LeftOut::LargeBlock);
        }
        Ok(blocks)
    }

    /// The next bytes, if they are no more than are looked at.
    fn block(&mut self, input: &mut Input, length: u64) -> io::Result<Option<Vec<u8>>> {
        if length <= MOST_BYTES {
            return directory::take(input, length).map(Some);
        }
        self.has_large = true;
        input.seek_relative(length as i64)?;
        Ok(None)
    }

    /// Image resources hold the other kinds as well. What stands in the file itself comes first.
    fn open_photoshop(&mut self) {
        let resource = |id| resource(self.photoshop.as_deref()?, id).map(<[u8]>::to_vec);
        self.iptc = self.iptc.take().or_else(|| resource(IPTC));
        self.exif = self.exif.take().or_else(|| resource(EXIF).map(Exif::Block));
        self.xmp = self.xmp.take().or_else(|| resource(XMP));
    }

    fn jpeg(&mut self, input: &mut Input) -> io::Result<()> {
        const START_OF_SCAN: u8 = 0xda;
        const APP1: u8 = 0xe1;
        const APP13: u8 = 0xed;
        input.seek(SeekFrom::Start(2))?;
        for _ in 0..MOST_PARTS {
            let [mark, code] = array(input)?;
            if mark != 0xff || code == START_OF_SCAN {
                return Ok(());
            }
            if code == 0xff {
                // Padding before the code.
                input.seek_relative(-1)?;
                continue;
            }
            if (0xd0..=0xd8).contains(&code) || code == 0x01 {
                // Marks that stand alone.
                continue;
            }
            let length = u64::from(u16::from_be_bytes(array(input)?).saturating_sub(2));
            match code {
                APP1 => self.app1(&directory::take(input, length)?),
                APP13 => {
                    if let Some(resources) = directory::take(input, length)?.strip_prefix(b"Photoshop 3.0\0") {
                        // Resources that do not fit into a segment go on in the next.
                        let all = self.photoshop.get_or_insert_default();
                        if (all.len() + resources.len()) as u64 > MOST_BYTES {
                            return Err(large_resources());
                        }
                        all.extend_from_slice(resources);
                    }
                }
                _ => input.seek_relative(length as i64)?,
            }
        }
        Err(BEYOND.into())
    }

    fn app1(&mut self, segment: &[u8]) {
        if let Some(exif) = segment.strip_prefix(b"Exif\0\0") {
            self.exif.get_or_insert_with(|| Exif::Block(exif.to_vec()));
        } else if let Some(xmp) = segment.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
            self.xmp.get_or_insert_with(|| xmp.to_vec());
        }
    }

    fn png(&mut self, input: &mut Input) -> io::Result<()> {
        input.seek(SeekFrom::Start(8))?;
        let mut has_packet = false;
        for _ in 0..MOST_PARTS {
            let length = u64::from(u32::from_be_bytes(array(input)?));
            let kind: [u8; 4] = array(input)?;
            match &kind {
                b"eXIf" => self.exif = self.block(input, length)?.map(exif_block).or(self.exif.take()),
                // The first packet is the only one, whatever comes of it: each may take long to unpack.
                b"iTXt" if !has_packet => {
                    let text = self.block(input, length)?.and_then(International::read);
                    has_packet = text.is_some();
                    self.xmp = text.and_then(|text| self.unpacked(text));
                }
                b"IEND" => return Ok(()),
                _ => input.seek_relative(length as i64)?,
            }
            // The checksum.
            input.seek_relative(4)?;
        }
        Err(BEYOND.into())
    }

    fn unpacked(&mut self, International { text, is_packed }: International) -> Option<Vec<u8>> {
        if !is_packed {
            return Some(text);
        }
        let text = read_at_most(&mut ZlibDecoder::new(&*text), MOST_BYTES + 1).ok()?;
        let is_large = text.len() as u64 > MOST_BYTES;
        self.has_large |= is_large;
        (!is_large).then_some(text)
    }

    fn webp(&mut self, input: &mut Input) -> io::Result<()> {
        input.seek(SeekFrom::Start(12))?;
        for _ in 0..MOST_PARTS {
            let kind: [u8; 4] = array(input)?;
            let length = u64::from(u32::from_le_bytes(array(input)?));
            match &kind {
                b"EXIF" => self.exif = self.block(input, length)?.map(exif_block).or(self.exif.take()),
                b"XMP " => self.xmp = self.block(input, length)?.or(self.xmp.take()),
                _ => input.seek_relative(length as i64)?,
            }
            input.seek_relative((length % 2) as i64)?;
        }
        Err(BEYOND.into())
    }

    fn gif(&mut self, input: &mut Input) -> io::Result<()> {
        const IMAGE: u8 = 0x2c;
        const EXTENSION: u8 = 0x21;
        const APPLICATION: u8 = 0xff;
        input.seek(SeekFrom::Start(10))?;
        let [flags, _, _] = array(input)?;
        skip_color_table(input, flags)?;
        let mut pieces = 0;
        for _ in 0..MOST_PARTS {
            match array(input)? {
                [IMAGE] => {
                    let [_, _, _, _, _, _, _, _, flags] = array(input)?;
                    skip_color_table(input, flags)?;
                    let [_code_size] = array(input)?;
                    skip_blocks(input, &mut pieces)?;
                }
                [EXTENSION] => {
                    let [label] = array(input)?;
                    let [length] = array(input)?;
                    let application = directory::take(input, length.into())?;
                    if label == APPLICATION && application == b"XMP DataXMP" {
                        self.xmp = packet_in_blocks(input)?;
                        self.has_large = self.xmp.is_none();
                        return Ok(());
                    }
                    if length > 0 {
                        skip_blocks(input, &mut pieces)?;
                    }
                }
                _ => return Ok(()),
            }
        }
        Err(BEYOND.into())
    }

    fn psd(&mut self, input: &mut Input, wanted: fn(u16) -> bool) -> io::Result<()> {
        const COLOR_MODE_DATA: u64 = 26;
        input.seek(SeekFrom::Start(COLOR_MODE_DATA))?;
        let color_mode = u32::from_be_bytes(array(input)?);
        input.seek_relative(i64::from(color_mode))?;
        let length = u64::from(u32::from_be_bytes(array(input)?));
        let mut resources = Vec::new();
        let read = self.resources(input, length, wanted, &mut resources);
        self.photoshop = Some(resources);
        read
    }

    /// Keeps those image resources that are wanted. Previews and histories, which may be large, are passed over.
    fn resources(
        &mut self,
        input: &mut Input,
        mut left: u64,
        wanted: fn(u16) -> bool,
        kept: &mut Vec<u8>,
    ) -> io::Result<()> {
        const HEAD: usize = 7;
        for _ in 0..MOST_PARTS {
            if left < 12 {
                return Ok(());
            }
            let head: [u8; HEAD] = array(input)?;
            let [b'8', b'B', b'I', b'M', high, low, name] = head else { return Ok(()) };
            // A length and a name together fill an even number of bytes, and so does the data.
            let name = directory::take(input, u64::from(name) + u64::from(name % 2 == 0))?;
            let size: [u8; 4] = array(input)?;
            let length = u64::from(u32::from_be_bytes(size));
            left = left.saturating_sub((HEAD + name.len() + size.len()) as u64);
            if length > left {
                return Ok(());
            }
            let padded = length.next_multiple_of(2).min(left);
            left -= padded;
            let is_wanted = wanted(u16::from_be_bytes([high, low]));
            if is_wanted && kept.len() as u64 + padded <= MOST_BYTES {
                kept.extend([&head[..], &name, &size, &directory::take(input, padded)?].concat());
            } else {
                self.has_large_resources |= is_wanted;
                input.seek_relative(padded as i64)?;
            }
        }
        Err(BEYOND.into())
    }

    fn heif(&mut self, input: &mut Input) -> io::Result<()> {
        // Whatever goes wrong there, a place that no file has among it, the picture is whole without it.
        let heif::Items { exif, xmp, has_large } = heif::read(input).unwrap_or_default();
        self.has_large = has_large;
        self.exif = exif.map(Exif::Block);
        self.xmp = xmp;
        Ok(())
    }

    /// A TIFF file is an EXIF block itself; the other kinds are tags of its first directory.
    fn tiff(&mut self, input: &mut Input) -> io::Result<()> {
        self.exif = Some(Exif::File);
        let mut tiff = Tiff::open(input)?;
        let tags = tiff.first_directory()?;
        let slots = [(XMP_TAG, &mut self.xmp), (IPTC_TAG, &mut self.iptc), (PHOTOSHOP_TAG, &mut self.photoshop)];
        for (number, slot) in slots {
            match tags.iter().find(|tag| tag.number == number) {
                Some(tag) if tag.length() > MOST_BYTES && number == PHOTOSHOP_TAG => self.has_large_resources = true,
                Some(tag) if tag.length() > MOST_BYTES => self.has_large = true,
                Some(tag) => *slot = Some(tiff.bytes(*tag, MOST_BYTES)?),
                None => {}
            }
        }
        Ok(())
    }
}

/// PNG and WebP writers sometimes keep the marker that JPEG puts in front.
fn exif_block(bytes: Vec<u8>) -> Exif {
    match bytes.strip_prefix(b"Exif\0\0") {
        Some(block) => Exif::Block(block.to_vec()),
        None => Exif::Block(bytes),
    }
}

/// The XMP packet of a PNG chunk, as it is stored.
struct International {
    text: Vec<u8>,
    is_packed: bool,
}

impl International {
    /// None if the chunk is of another kind.
    fn read(chunk: Vec<u8>) -> Option<Self> {
        let rest = chunk.strip_prefix(b"XML:com.adobe.xmp\0")?;
        let (&[compressed, _method], rest) = rest.split_first_chunk::<2>()?;
        // A language and a translated keyword, both ended by a zero.
        let text = rest.splitn(3, |byte| *byte == 0).nth(2)?.to_vec();
        Some(Self { text, is_packed: compressed != 0 })
    }
}

fn skip_color_table(input: &mut Input, flags: u8) -> io::Result<()> {
    if flags & 0x80 != 0 { input.seek_relative(3 << ((flags & 7) + 1)) } else { Ok(()) }
}

fn skip_blocks(input: &mut Input, pieces: &mut u32) -> io::Result<()> {
    while *pieces < MOST_PIECES {
        *pieces += 1;
        match array(input)? {
            [0] => return Ok(()),
            [length] => input.seek_relative(length.into())?,
        }
    }
    Err(BEYOND.into())
}

/// A packet that stands in the file as it is, without the lengths of blocks: 258 bytes behind it lead every reader who takes its
/// text for lengths to its end. None if it is larger than is looked at.
fn packet_in_blocks(input: &mut Input) -> io::Result<Option<Vec<u8>>> {
    let mut packet = Vec::new();
    loop {
        match array(input)? {
            [0] => {
                packet.truncate(packet.len().saturating_sub(257));
                return Ok(Some(packet));
            }
            [length] => {
                packet.push(length);
                packet.extend(directory::take(input, length.into())?);
            }
        }
        if packet.len() as u64 > MOST_BYTES {
            return Ok(None);
        }
    }
}

fn array<const N: usize>(input: &mut Input) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}
