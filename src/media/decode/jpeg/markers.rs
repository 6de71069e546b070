//! The marker segments of a JPEG file: its header without its pixels, and whether its scans reach their end.
//!
//! The decoder itself is lenient about an early end and fills what is missing with gray, so completeness is settled
//! here for files that it reads as a whole: they must reach their end-of-image marker.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Seek};

use super::super::super::error::MediaError;
use super::super::super::exif::ExifFacts;
use super::super::super::format::Format;
use super::super::super::picture::Resolution;
use super::huffman::Code;

pub(super) const SOI: u8 = 0xd8;
pub(super) const EOI: u8 = 0xd9;
pub(super) const SOS: u8 = 0xda;

/// A colour component of the frame and its sampling factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Component {
    pub across: u8,
    pub down: u8,
    pub id: u8,
    /// The number of its quantisation table.
    pub quantization: u8,
}

/// A component's part in a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ScanComponent {
    /// Its place in the frame.
    pub index: usize,
    /// Numbers of its codes in [`Header::codes`].
    pub mean_code: u8,
    pub rest_code: u8,
}

#[derive(Debug, Default)]
pub(super) struct Header {
    pub width: u16,
    pub height: u16,
    pub depth: u8,
    pub progressive: bool,
    pub components: Vec<Component>,
    /// The colour transform of Adobe's marker; its presence also means that CMYK is stored inverted.
    pub adobe_transform: Option<u8>,
    pub icc: Option<Vec<u8>>,
    /// Of the first EXIF block; a second one belongs to nothing.
    pub exif: Option<ExifFacts>,
    pub density: Option<Resolution>,
    /// The first scan. Fewer components than the frame has mean that all scans must be kept until the last.
    pub scan: Vec<ScanComponent>,
    /// Huffman codes of differences of means (0 to 3) and of the rest (16 to 19), by their numbers in the file.
    pub codes: BTreeMap<u8, Code>,
    /// Minimum coded units from one restart marker to the next; 0 if there are none.
    pub restart_interval: u16,
    /// The segments that pixels depend on besides: quantisation tables and Adobe's marker, as they are in the file.
    pub segments: Vec<u8>,
    /// Where the data of the first scan starts.
    pub scan_start: u64,
}

impl Header {
    /// The three components are red, green and blue and not brightness and colour.
    pub fn is_rgb(&self) -> bool {
        let named = self.components.iter().map(|component| component.id).eq(*b"RGB");
        self.components.len() == 3 && (named || self.adobe_transform == Some(0))
    }

    /// Bytes the decoder keeps of coefficients, beside the pixels it makes.
    pub fn coefficient_bytes(&self) -> u64 {
        if !self.progressive && self.scan.len() == self.components.len() {
            return 0;
        }
        let most = |factor: fn(&Component) -> u8| self.components.iter().map(factor).max().unwrap_or(1).max(1);
        let blocks_across = u64::from(self.width).div_ceil(8 * u64::from(most(|c| c.across)));
        let blocks_down = u64::from(self.height).div_ceil(8 * u64::from(most(|c| c.down)));
        let blocks: u64 = self.components.iter().map(|c| u64::from(c.across) * u64::from(c.down)).sum();
        blocks_across * blocks_down * blocks * 64 * size_of::<i16>() as u64
    }
}

/// Reads markers up to the first scan.
pub(super) fn read_header(input: impl BufRead + Seek) -> Result<Header, MediaError> {
    let mut reader = Reader { input, offset: 0 };
    reader.header().map_err(|error| match error {
        HeaderError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            MediaError::truncated(Format::Jpeg, format!("its header breaks off after {} bytes", reader.offset))
        }
        HeaderError::Io(error) => MediaError::reading(Format::Jpeg, error),
        HeaderError::Refused(error) => error,
    })
}

enum HeaderError {
    Io(io::Error),
    Refused(MediaError),
}

impl From<io::Error> for HeaderError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<MediaError> for HeaderError {
    fn from(error: MediaError) -> Self {
        Self::Refused(error)
    }
}

fn corrupt(what: impl Into<String>) -> HeaderError {
    HeaderError::Refused(MediaError::corrupt(Format::Jpeg, what))
}

struct Reader<R> {
    input: R,
    offset: u64,
}

impl<R: BufRead + Seek> Reader<R> {
    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.offset += N as u64;
        Ok(bytes)
    }

    fn segment(&mut self) -> Result<Vec<u8>, HeaderError> {
        let mut body = vec![0; self.segment_length()?];
        self.input.read_exact(&mut body)?;
        self.offset += body.len() as u64;
        Ok(body)
    }

    fn skip_segment(&mut self) -> Result<(), HeaderError> {
        let length = self.segment_length()? as u64;
        let skipped = io::copy(&mut self.input.by_ref().take(length), &mut io::sink())?;
        self.offset += skipped;
        if skipped < length { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) } else { Ok(()) }
    }

    fn segment_length(&mut self) -> Result<usize, HeaderError> {
        let length = u16::from_be_bytes(self.bytes()?);
        usize::from(length).checked_sub(2).ok_or_else(|| corrupt(format!("a marker of length {length}")))
    }

    fn marker(&mut self) -> Result<u8, HeaderError> {
        while self.bytes::<1>()? != [0xff] {}
        loop {
            let [code] = self.bytes()?;
            if code != 0xff {
                return Ok(code);
            }
        }
    }

    fn header(&mut self) -> Result<Header, HeaderError> {
        if self.bytes()? != [0xff, SOI] {
            return Err(corrupt("it does not start with a start-of-image marker"));
        }
        let mut header = Header::default();
        let mut icc = IccChunks::default();
        let mut has_frame = false;
        loop {
            match self.marker()? {
                0xc0..=0xc2 if has_frame => return Err(corrupt("it has two frame headers")),
                code @ 0xc0..=0xc2 => {
                    read_frame(&self.segment()?, &mut header)?;
                    header.progressive = code == 0xc2;
                    has_frame = true;
                }
                code @ (0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf) => {
                    let what =
                        format!("a JPEG file with lossless, hierarchical or arithmetic coding (SOF{})", code - 0xc0);
                    return Err(MediaError::unsupported(Format::Jpeg, what).into());
                }
                0xe0 => read_jfif(&self.segment()?, &mut header),
                0xe1 => {
                    let body = self.segment()?;
                    let block = body.strip_prefix(b"Exif\0\0").filter(|_| header.exif.is_none());
                    header.exif = header.exif.or(block.map(ExifFacts::read));
                }
                0xe2 => icc.add(&self.segment()?),
                0xc4 => read_codes(&self.segment()?, &mut header),
                0xdb => keep_segment(0xdb, &self.segment()?, &mut header),
                0xdd => {
                    let body = self.segment()?;
                    header.restart_interval = body.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
                }
                0xee => read_adobe(&self.segment()?, &mut header),
                SOS if !has_frame => return Err(corrupt("it has a scan but no frame header")),
                SOS => {
                    read_scan(&self.segment()?, &mut header);
                    header.scan_start = self.offset;
                    header.icc = icc.join();
                    return Ok(header);
                }
                EOI => return Err(corrupt("it ends without a picture")),
                // No segment follows these.
                0x00 | 0x01 | 0xd0..=SOI => {}
                _ => self.skip_segment()?,
            }
        }
    }
}

fn read_frame(body: &[u8], header: &mut Header) -> Result<(), HeaderError> {
    let [depth, h1, h0, w1, w0, count, components @ ..] = body else {
        return Err(corrupt("its frame header is too short"));
    };
    header.depth = *depth;
    header.height = u16::from_be_bytes([*h1, *h0]);
    header.width = u16::from_be_bytes([*w1, *w0]);
    if header.width == 0 || header.height == 0 {
        return Err(corrupt(format!("its size is given as {} x {} pixels", header.width, header.height)));
    }
    if components.len() != usize::from(*count) * 3 {
        return Err(corrupt("its frame header has the wrong length"));
    }
    let component =
        |entry: &[u8]| Component { id: entry[0], across: entry[1] >> 4, down: entry[1] & 0x0f, quantization: entry[2] };
    header.components = components.chunks_exact(3).map(component).collect();
    if header.components.iter().any(|c| !matches!((c.across, c.down), (1..=4, 1..=4))) {
        return Err(corrupt("a colour component has a sampling factor outside 1 to 4"));
    }
    Ok(())
}

fn read_jfif(body: &[u8], header: &mut Header) {
    let Some([_, _, unit, x1, x0, y1, y0, ..]) = body.strip_prefix(b"JFIF\0") else { return };
    let (x, y) = (f64::from(u16::from_be_bytes([*x1, *x0])), f64::from(u16::from_be_bytes([*y1, *y0])));
    header.density = match unit {
        1 => Resolution::new(x, y),
        2 => Resolution::per_centimetre(x, y),
        _ => None,
    };
}

fn read_adobe(body: &[u8], header: &mut Header) {
    if let Some([_, _, _, _, _, _, transform, ..]) = body.strip_prefix(b"Adobe") {
        header.adobe_transform = Some(*transform);
        keep_segment(0xee, body, header);
    }
}

fn keep_segment(code: u8, body: &[u8], header: &mut Header) {
    header.segments.extend([0xff, code]);
    header.segments.extend((body.len() as u16 + 2).to_be_bytes());
    header.segments.extend(body);
}

/// Damage in the codes is left for whoever needs them to find.
fn read_codes(mut body: &[u8], header: &mut Header) {
    while let Some((purpose, code)) = Code::take(&mut body) {
        header.codes.insert(purpose, code);
    }
}

fn read_scan(body: &[u8], header: &mut Header) {
    let Some((count, rest)) = body.split_first() else { return };
    let component = |[id, codes]: &[u8; 2]| {
        let index = header.components.iter().position(|component| component.id == *id)?;
        Some(ScanComponent { index, mean_code: codes >> 4, rest_code: 0x10 | codes & 0x0f })
    };
    header.scan = rest.as_chunks().0.iter().take(usize::from(*count)).filter_map(component).collect();
}

/// An ICC profile comes in up to 255 numbered segments.
#[derive(Default)]
struct IccChunks(Vec<(u8, u8, Vec<u8>)>);

impl IccChunks {
    fn add(&mut self, body: &[u8]) {
        if let Some([number, total, data @ ..]) = body.strip_prefix(b"ICC_PROFILE\0") {
            self.0.push((*number, *total, data.to_vec()));
        }
    }

    /// The profile, if exactly the segments 1 to total are there.
    fn join(mut self) -> Option<Vec<u8>> {
        self.0.sort_by_key(|(number, _, _)| *number);
        let count = self.0.len();
        let complete = self
            .0
            .iter()
            .enumerate()
            .all(|(index, (number, total, _))| usize::from(*number) == index + 1 && usize::from(*total) == count);
        (complete && count > 0).then(|| self.0.into_iter().flat_map(|(_, _, data)| data).collect())
    }
}

/// Checks that the scans in `bytes` run up to an end-of-image marker.
pub(super) fn check_end(bytes: &[u8], scan_start: u64) -> Result<(), MediaError> {
    let mut rest = usize::try_from(scan_start).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
    while let Some(position) = rest.iter().position(|byte| *byte == 0xff) {
        rest = &rest[position + 1..];
        match rest {
            [EOI, ..] => return Ok(()),
            // A fill byte: the next one may start a marker.
            [0xff, ..] => {}
            // A stuffed byte, a restart.
            [0x00 | 0x01 | 0xd0..=SOI, after @ ..] => rest = after,
            [_, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                rest = rest.get(1 + length..).unwrap_or_default();
            }
            _ => break,
        }
    }
    Err(MediaError::truncated(Format::Jpeg, format!("no end-of-image marker in its {} bytes", bytes.len())))
}
