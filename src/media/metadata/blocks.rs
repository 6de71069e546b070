//! Where each format keeps its metadata: EXIF, XMP, IPTC and Photoshop's image resources, as the bytes they are.
//!
//! Only headers are read, never pixels. What is damaged is left out: the picture is whole without it. Every length comes
//! from the file and is held against [`MOST_BYTES`] and against what the file has left.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::read::ZlibDecoder;

use super::super::content::{Content, Reader};
use super::super::edit::resource;
use super::super::format::Format;
use super::super::memory::read_at_most;
use super::tiff::{self, Tiff};
use super::{heif, svg};

/// The largest block that is looked at. Image resources with thumbnails and long edit histories stay far below.
pub(super) const MOST_BYTES: u64 = 16 << 20;

/// Most segments or chunks of a file that are looked at.
pub(super) const MOST_PARTS: usize = 10_000;

/// Most pieces of 255 bytes that the blocks of a GIF file are passed over in.
const MOST_PIECES: u32 = 4_000_000;

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
}

type Input = BufReader<Reader>;

/// The image resources of a file, if it has any.
pub fn image_resources(content: &Content, format: Format) -> io::Result<Option<Vec<u8>>> {
    Ok(Blocks::find(content, format)?.photoshop)
}

impl Blocks {
    /// Finds them in a file.
    pub fn read(content: &Content, format: Format) -> io::Result<Self> {
        let mut blocks = Self::find(content, format)?;
        blocks.open_photoshop();
        Ok(blocks)
    }

    fn find(content: &Content, format: Format) -> io::Result<Self> {
        let mut blocks = Self::default();
        let mut input = BufReader::new(content.open()?);
        let found = match format {
            Format::Jpeg => blocks.jpeg(&mut input),
            Format::Png => blocks.png(&mut input),
            Format::Tiff => blocks.tiff(&mut input),
            Format::WebP => blocks.webp(&mut input),
            Format::Gif => blocks.gif(&mut input),
            Format::Psd | Format::Psb => blocks.psd(&mut input),
            Format::Heic | Format::Avif => blocks.heif(&mut input),
            Format::Svg => svg::packet(content).map(|packet| blocks.xmp = packet),
            _ => Ok(()),
        };
        // A file that breaks off keeps what was found until there.
        match found {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            _ => Ok(blocks),
        }
    }

    /// Image resources hold the other kinds as well. What stands in the file itself comes first.
    fn open_photoshop(&mut self) {
        const IPTC: u16 = 1028;
        const EXIF: u16 = 1058;
        const XMP: u16 = 1060;
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
                break;
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
                APP1 => self.app1(&take(input, length)?),
                APP13 => {
                    if let Some(resources) = take(input, length)?.strip_prefix(b"Photoshop 3.0\0") {
                        // Resources that do not fit into a segment go on in the next.
                        let all = self.photoshop.get_or_insert_default();
                        if (all.len() + resources.len()) as u64 > MOST_BYTES {
                            let what = format!("its image resources have more than {MOST_BYTES} bytes");
                            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
                        }
                        all.extend_from_slice(resources);
                    }
                }
                _ => input.seek_relative(length as i64)?,
            }
        }
        Ok(())
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
        for _ in 0..MOST_PARTS {
            let length = u64::from(u32::from_be_bytes(array(input)?));
            let kind: [u8; 4] = array(input)?;
            match &kind {
                b"eXIf" => self.exif = Some(exif_block(take(input, length)?)),
                b"iTXt" if self.xmp.is_none() => {
                    if let Some(xmp) = international_text(&take(input, length)?) {
                        self.xmp = Some(xmp);
                    }
                }
                b"IEND" => break,
                _ => input.seek_relative(length as i64)?,
            }
            // The checksum.
            input.seek_relative(4)?;
        }
        Ok(())
    }

    fn webp(&mut self, input: &mut Input) -> io::Result<()> {
        input.seek(SeekFrom::Start(12))?;
        for _ in 0..MOST_PARTS {
            let kind: [u8; 4] = array(input)?;
            let length = u64::from(u32::from_le_bytes(array(input)?));
            match &kind {
                b"EXIF" => self.exif = Some(exif_block(take(input, length)?)),
                b"XMP " => self.xmp = Some(take(input, length)?),
                _ => input.seek_relative(length as i64)?,
            }
            input.seek_relative((length % 2) as i64)?;
        }
        Ok(())
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
                    let application = take(input, length.into())?;
                    if label == APPLICATION && application == b"XMP DataXMP" {
                        self.xmp = Some(packet_in_blocks(input)?);
                        break;
                    }
                    if length > 0 {
                        skip_blocks(input, &mut pieces)?;
                    }
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn psd(&mut self, input: &mut Input) -> io::Result<()> {
        const COLOR_MODE_DATA: u64 = 26;
        input.seek(SeekFrom::Start(COLOR_MODE_DATA))?;
        let color_mode = u32::from_be_bytes(array(input)?);
        input.seek_relative(i64::from(color_mode))?;
        let length = u64::from(u32::from_be_bytes(array(input)?));
        self.photoshop = Some(take(input, length)?);
        Ok(())
    }

    fn heif(&mut self, input: &mut Input) -> io::Result<()> {
        // Whatever goes wrong there, a place that no file has among it, the picture is whole without it.
        let heif::Items { exif, xmp } = heif::read(input).unwrap_or_default();
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
            if let Some(tag) = tags.iter().find(|tag| tag.number == number) {
                *slot = Some(tiff.bytes(*tag, MOST_BYTES)?);
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

/// The XMP packet of a PNG chunk, if the chunk is one.
fn international_text(chunk: &[u8]) -> Option<Vec<u8>> {
    let rest = chunk.strip_prefix(b"XML:com.adobe.xmp\0")?;
    let (&[compressed, _method], rest) = rest.split_first_chunk::<2>()?;
    // A language and a translated keyword, both ended by a zero.
    let text = rest.splitn(3, |byte| *byte == 0).nth(2)?;
    if compressed == 0 {
        return Some(text.to_vec());
    }
    read_at_most(&mut ZlibDecoder::new(text), MOST_BYTES).ok()
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
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// A packet that stands in the file as it is, without the lengths of blocks: 258 bytes behind it lead every reader who takes its
/// text for lengths to its end.
fn packet_in_blocks(input: &mut Input) -> io::Result<Vec<u8>> {
    let mut packet = Vec::new();
    loop {
        match array(input)? {
            [0] => {
                packet.truncate(packet.len().saturating_sub(257));
                return Ok(packet);
            }
            [length] => {
                packet.push(length);
                packet.extend(take(input, length.into())?);
            }
        }
        if packet.len() as u64 > MOST_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn array<const N: usize>(input: &mut Input) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn take(input: &mut Input, length: u64) -> io::Result<Vec<u8>> {
    if length > MOST_BYTES { Err(io::ErrorKind::UnexpectedEof.into()) } else { tiff::take(input, length) }
}
