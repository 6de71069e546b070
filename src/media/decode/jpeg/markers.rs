//! The marker segments in front of the first scan of a JPEG file.
//!
//! Any segment may come any number of times. Kept is what there can be by the standard, however often it comes: tables by
//! their numbers, of a profile each of its at most 255 segments once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, BufRead, Read, Seek};

use super::super::super::error::MediaError;
use super::super::super::exif::ExifFacts;
use super::super::super::format::Format;
use super::super::super::picture::Resolution;
use super::huffman::Code;

pub(super) const SOI: u8 = 0xd8;
pub(super) const EOI: u8 = 0xd9;
pub(super) const SOS: u8 = 0xda;
pub(super) const DHT: u8 = 0xc4;
pub(super) const DRI: u8 = 0xdd;
pub(super) const DQT: u8 = 0xdb;
const APP14: u8 = 0xee;

/// Most segments in front of a scan. Long profiles, histories and previews of a picture come in some hundred.
const MOST_SEGMENTS: u32 = 10_000;

/// Most bytes in front of the first scan.
const LONGEST_HEADER: u64 = 256 << 20;

/// Most bytes of tables. A file that gives all it may anew for each of 64 scans has a seventh of it.
const MOST_TABLES: u64 = 1 << 20;

/// Progressive files have about ten scans; each costs a pass over the picture, however small it is in the file.
pub(super) const MAX_SCANS: usize = 64;

/// Bytes of Adobe's marker that mean something.
const ADOBE: usize = 12;

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
pub(in crate::media::decode) struct Header {
    pub width: u16,
    pub height: u16,
    pub depth: u8,
    pub progressive: bool,
    pub(super) components: Vec<Component>,
    /// The colour transform of Adobe's marker; its presence also means that CMYK is stored inverted.
    /// The file begins as JFIF has it.
    pub has_jfif: bool,
    pub adobe_transform: Option<u8>,
    pub icc: Option<Vec<u8>>,
    /// Of the first EXIF block; a second one belongs to nothing.
    pub exif: Option<ExifFacts>,
    pub density: Option<Resolution>,
    /// The first scan. Fewer components than the frame has mean that all scans must be kept until the last.
    pub(super) scan: Vec<ScanComponent>,
    /// Huffman codes of differences of means (0 to 3) and of the rest (16 to 19), by their numbers in the file.
    pub(super) codes: BTreeMap<u8, Code>,
    /// Minimum coded units from one restart marker to the next; 0 if there are none.
    pub restart_interval: u16,
    /// Quantisation tables by their numbers, each as it stands in its segment.
    quantization: BTreeMap<u8, Vec<u8>>,
    /// The content of Adobe's marker.
    adobe: Vec<u8>,
    /// Where the data of the first scan starts.
    pub scan_start: u64,
}

impl Header {
    /// The three components are red, green and blue and not brightness and colour. JFIF knows only these, whatever else is said, and
    /// Adobe's marker goes before names, as everybody has it who reads by libjpeg.
    pub fn is_rgb(&self) -> bool {
        let named = || self.components.iter().map(|component| component.id).eq(*b"RGB");
        let is_said = self.adobe_transform.map_or_else(named, |transform| transform == 0);
        self.components.len() == 3 && !self.has_jfif && is_said
    }

    /// Whether colours are sampled half or as brightness is, as nearly all are: the decoder of strips is right about these.
    pub fn is_usually_sampled(&self) -> bool {
        let factors: Vec<_> = self.components.iter().map(|component| (component.across, component.down)).collect();
        match factors.as_slice() {
            [(1 | 2, 1 | 2)] => true,
            [(1 | 2, 1 | 2), (1, 1), (1, 1)] => true,
            [first @ (1 | 2, 1 | 2), (1, 1), (1, 1), fourth] => first == fourth,
            _ => false,
        }
    }

    /// The segments that pixels depend on beside codes, frame and scan.
    pub fn tables(&self) -> Vec<u8> {
        let mut segments = Vec::new();
        let is_overruled = self.has_jfif && self.components.len() == 3;
        let adobe = Some((APP14, &self.adobe)).filter(|(_, marker)| !marker.is_empty() && !is_overruled);
        for (code, body) in self.quantization.values().map(|table| (DQT, table)).chain(adobe) {
            segments.extend([0xff, code]);
            segments.extend((body.len() as u16 + 2).to_be_bytes());
            segments.extend(body);
        }
        segments
    }
}

/// Reads markers up to the first scan.
pub(super) fn read_header(input: impl BufRead + Seek) -> Result<Header, MediaError> {
    let mut reader = Reader { input, offset: 0, segments: 0, tables: 0 };
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
    /// How many have been met.
    segments: u32,
    /// Bytes of those that hold tables.
    tables: u64,
}

impl<R: BufRead + Seek> Reader<R> {
    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.offset += N as u64;
        Ok(bytes)
    }

    fn segment(&mut self) -> Result<Vec<u8>, HeaderError> {
        let mut body = vec![0; self.segment_length()?]; // bounded: by 16 bits
        self.input.read_exact(&mut body)?;
        self.offset += body.len() as u64;
        Ok(body)
    }

    fn table(&mut self) -> Result<Vec<u8>, HeaderError> {
        let body = self.segment()?;
        self.tables += body.len() as u64;
        check_tables(self.tables)?;
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
        self.segments += 1;
        if self.segments > MOST_SEGMENTS {
            return Err(corrupt(format!("more than {MOST_SEGMENTS} segments stand in front of its picture")));
        }
        usize::from(length).checked_sub(2).ok_or_else(|| corrupt(format!("a marker of length {length}")))
    }

    fn marker(&mut self) -> Result<u8, HeaderError> {
        let mut is_marker = false;
        while self.offset <= LONGEST_HEADER {
            match self.bytes()? {
                [0xff] => is_marker = true,
                [code] if is_marker => return Ok(code),
                _ => {}
            }
        }
        Err(corrupt(format!("its picture does not begin in its first {LONGEST_HEADER} bytes")))
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
                0xf7 => return Err(MediaError::unsupported(Format::Jpeg, "a JPEG-LS file").into()),
                0xe0 => read_jfif(&self.segment()?, &mut header),
                0xe1 => {
                    let body = self.segment()?;
                    let block = body.strip_prefix(b"Exif\0\0").filter(|_| header.exif.is_none());
                    header.exif = header.exif.or(block.map(ExifFacts::read));
                }
                0xe2 => icc.add(&self.segment()?),
                DHT => read_codes(&self.table()?, &mut header),
                DQT => read_quantization(&self.table()?, &mut header)?,
                DRI => {
                    let body = self.segment()?;
                    header.restart_interval = body.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
                }
                APP14 => read_adobe(&self.segment()?, &mut header),
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
    let Some(jfif) = body.strip_prefix(b"JFIF\0") else { return };
    header.has_jfif = true;
    let [_, _, unit, x1, x0, y1, y0, ..] = jfif else { return };
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
        header.adobe = body[..ADOBE].to_vec();
    }
}

pub(super) fn check_tables(bytes: u64) -> Result<(), MediaError> {
    match bytes {
        ..=MOST_TABLES => Ok(()),
        _ => Err(MediaError::corrupt(Format::Jpeg, format!("its tables have more than {MOST_TABLES} bytes"))),
    }
}

fn read_quantization(mut body: &[u8], header: &mut Header) -> Result<(), HeaderError> {
    while let Some(kind) = body.first() {
        let (precision, number) = (kind >> 4, kind & 0x0f);
        if precision > 1 || number > 3 {
            return Err(corrupt("a quantisation table is of a kind that there is not"));
        }
        let length = 1 + (64 << precision);
        let (table, rest) = body.split_at_checked(length).ok_or_else(|| corrupt("a quantisation table breaks off"))?;
        header.quantization.insert(number, table.to_vec());
        body = rest;
    }
    Ok(())
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

/// An ICC profile comes in up to 255 numbered segments, each of them once.
#[derive(Default)]
struct IccChunks {
    by_number: BTreeMap<u8, (u8, Vec<u8>)>,
    comes_twice: bool,
}

impl IccChunks {
    fn add(&mut self, body: &[u8]) {
        if let Some([number, total, data @ ..]) = body.strip_prefix(b"ICC_PROFILE\0") {
            match self.by_number.entry(*number) {
                Entry::Vacant(place) => _ = place.insert((*total, data.to_vec())),
                Entry::Occupied(_) => self.comes_twice = true,
            }
        }
    }

    /// The profile, if exactly the segments 1 to total are there. Of one that is not whole nothing is left, which no one takes
    /// for a profile: so it is said that it was left out.
    fn join(self) -> Option<Vec<u8>> {
        let count = self.by_number.len();
        let in_order = |(index, (number, (total, _))): (usize, (&u8, &(u8, Vec<u8>)))| {
            usize::from(*number) == index + 1 && usize::from(*total) == count
        };
        let is_whole = !self.comes_twice && self.by_number.iter().enumerate().all(in_order);
        let data = self.by_number.into_values().filter(|_| is_whole).flat_map(|(_, data)| data);
        (count > 0).then(|| data.collect())
    }
}
