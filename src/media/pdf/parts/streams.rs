//! Whether streams hold all that they should.

use std::borrow::Cow;
use std::cell::Cell;

use flate2::{Decompress, FlushDecompress, Status};
use hayro::hayro_syntax::Filter;
use hayro::hayro_syntax::object::stream::ImageDecodeParams;
use hayro::hayro_syntax::object::{Dict, Name, Object, Stream};
use hayro::hayro_syntax::page::Resources;

use super::super::super::decode::{Wholeness, holes, jpeg, jpeg_2000};
use super::super::super::limits::Limits;

/// How much may still be decompressed, only to be looked at.
pub struct Budget {
    left: Cell<u64>,
    /// Something was not looked at because it takes more than is left.
    was_short: Cell<bool>,
}

impl Budget {
    pub const fn new(bytes: u64) -> Self {
        Self { left: Cell::new(bytes), was_short: Cell::new(false) }
    }

    fn is_used_up(&self) -> bool {
        self.left.get() == 0
    }

    /// Not all was looked at.
    pub fn was_too_small(&self) -> bool {
        self.is_used_up() || self.was_short.get()
    }

    fn take(&self, bytes: u64) {
        self.left.set(self.left.get().saturating_sub(bytes));
    }

    /// Takes so much, or nothing where there is less.
    fn take_all(&self, bytes: u64) -> bool {
        let fits = bytes <= self.left.get();
        if fits {
            self.take(bytes);
        } else {
            self.was_short.set(true);
        }
        fits
    }
}

/// Whether a stream of operators or numbers, or a file that is embedded, can be read to its end.
pub fn wholeness(stream: &Stream<'_>, budget: &Budget) -> Wholeness {
    if is_locked(stream) {
        return Wholeness::Broken;
    }
    match *stream.filters() {
        [] => Wholeness::Whole,
        [.., Filter::FlateDecode] => match coded(stream, budget) {
            Coded::Read(data) => Inflated::of(&data, budget).wholeness,
            Coded::Unknown => by(stream.decoded_data().is_ok()),
            Coded::Damaged => Wholeness::Broken,
        },
        _ => by(stream.decoded_data().is_ok()),
    }
}

/// Whether a stream that is compressed by Flate alone ends with the checksum of `content`, which was read of it (RFC 1950, 2.2).
pub fn ends_with_checksum(stream: &Stream<'_>, content: &[u8], budget: &Budget) -> bool {
    if is_locked(stream) || stream.filters()[..] != [Filter::FlateDecode] || parameters(stream, 0).is_some() {
        return false;
    }
    let data = stream.raw_data();
    // Some programs count the end of the line behind it in.
    let ends = [&b""[..], b"\n", b"\r", b"\r\n"];
    let checksum = simd_adler32::adler32(&content).to_be_bytes();
    let is_whole = ends.into_iter().filter_map(|end| data.strip_suffix(end)).any(|data| data.ends_with(&checksum));
    if is_whole {
        budget.take(content.len() as u64);
    }
    is_whole
}

const fn by(is_whole: bool) -> Wholeness {
    if is_whole { Wholeness::Whole } else { Wholeness::Broken }
}

/// Whether all rows of a picture are there. What hayro says itself, of pictures that it cannot read at all, is not said here.
pub fn wholeness_of_picture(
    picture: &Stream<'_>,
    resources: &Resources<'_>,
    limits: &Limits,
    budget: &Budget,
) -> Wholeness {
    if is_locked(picture) {
        return Wholeness::Broken;
    }
    let rows = Rows::of(picture, resources);
    let enough = |length: usize| rows.is_none_or(|rows| length as u64 >= rows.bytes());
    let data = match coded(picture, budget) {
        Coded::Read(data) => data,
        Coded::Unknown => return by(picture.decoded_data().map_or(true, |data| enough(data.len()))),
        Coded::Damaged => return Wholeness::Broken,
    };
    let is_whole = match picture.filters().last() {
        None => enough(data.len()),
        Some(Filter::FlateDecode) => {
            let Inflated { wholeness, length } = Inflated::of(&data, budget);
            let wanted = rows.map(|rows| rows.bytes_with(Predictor::of(picture)));
            let is_enough = budget.is_used_up() || wanted.is_none_or(|wanted| length >= wanted);
            return if is_enough { wholeness } else { Wholeness::Broken };
        }
        Some(Filter::DctDecode) => {
            budget.take(data.len() as u64);
            return jpeg::wholeness(&data, limits, |bytes| budget.take_all(bytes));
        }
        Some(Filter::JpxDecode) => return jpeg_2000::wholeness(&data),
        Some(Filter::CcittFaxDecode) => has_all_rows_of_fax(picture),
        Some(Filter::Jbig2Decode) => has_all_segments(&data),
        Some(_) => picture.decoded_data().map_or(true, |data| enough(data.len())),
    };
    // Each of these writes many zeros in a row in another way. What fills up a stream behind its end is none of it.
    match is_whole {
        true if !picture.filters().is_empty() && has_hole(&data) => Wholeness::Doubtful,
        is_whole => by(is_whole),
    }
}

/// Whether zeros stand where compressed data does not have so many.
fn has_hole(data: &[u8]) -> bool {
    let end = data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let (mut at, least) = (0, holes::LEAST as usize);
    // Of a run as long, one of the bytes that are looked at is the last of as many zeros.
    while let Some(last) = (at + least).checked_sub(1).filter(|last| *last < end) {
        match data[at..=last].iter().rposition(|byte| *byte != 0) {
            Some(before) => at += before + 1,
            None => return true,
        }
    }
    false
}

/// Whether no segment of JBIG2 reaches beyond the end (ISO/IEC 14492, 7.2): hayro leaves out what it does not find whole, as if
/// nothing had been drawn there.
fn has_all_segments(mut data: &[u8]) -> bool {
    const UNKNOWN: u32 = u32::MAX;
    // What fills up a stream is no segment.
    let is_blank = |byte: &u8| matches!(byte, 0 | b'\n' | b'\r' | b' ');
    let filled = data.iter().rev().take_while(|byte| is_blank(byte)).count();
    let number = |bytes: Option<&[u8]>| Some(u32::from_be_bytes(bytes?.try_into().ok()?));
    while data.len() > filled {
        let header = || {
            let (own, flags, count) = (number(data.get(..4))?, *data.get(4)?, *data.get(5)?);
            let (count, mut at) = match count >> 5 {
                7 => {
                    let count = (number(data.get(5..9))? & 0x1fff_ffff) as usize;
                    (count, 9 + (count + 1).div_ceil(8))
                }
                short => (usize::from(short), 6),
            };
            at += count
                * if own <= 256 {
                    1
                } else if own <= 65_536 {
                    2
                } else {
                    4
                };
            at += if flags & 0x40 == 0 { 1 } else { 4 };
            Some((number(data.get(at..at + 4))?, at + 4))
        };
        let Some((length, start)) = header() else { return false };
        if length == UNKNOWN {
            return true;
        }
        let Some(rest) = data.get(start + length as usize..) else { return false };
        data = rest;
    }
    true
}

/// Whether a stream that is encrypted could not be decrypted. With AES, 32 bytes may be nothing: where it begins, and what fills
/// it up.
fn is_locked(stream: &Stream<'_>) -> bool {
    const NOTHING: u32 = 32;
    stream.dict().get::<u32>("Length").is_some_and(|length| length > NOTHING) && stream.raw_data().is_empty()
}

/// What the last filter of a stream is to undo.
enum Coded<'a> {
    Read(Cow<'a, [u8]>),
    /// It lies in what only hayro undoes.
    Unknown,
    Damaged,
}

fn coded<'a>(stream: &Stream<'a>, budget: &Budget) -> Coded<'a> {
    let filters = stream.filters();
    let mut data = stream.raw_data();
    let before = filters.split_last().map_or(&[][..], |(_, before)| before);
    for (at, filter) in before.iter().enumerate() {
        let undone = match filter {
            Filter::Crypt => continue,
            Filter::AsciiHexDecode => of_hex(&data),
            Filter::Ascii85Decode => of_base_85(&data),
            Filter::FlateDecode if parameters(stream, at).is_none() => inflated(&data, budget),
            _ => return Coded::Unknown,
        };
        let Some(undone) = undone else { return Coded::Damaged };
        data = undone.into();
    }
    Coded::Read(data)
}

/// The parameters of one of the filters of a stream.
fn parameters<'a>(stream: &Stream<'a>, filter: usize) -> Option<Dict<'a>> {
    let dict = stream.dict();
    match dict.get::<Object<'_>>("DecodeParms").or_else(|| dict.get::<Object<'_>>("DP"))? {
        Object::Dict(only) => (filter == 0).then_some(only),
        Object::Array(each) => each.iter::<Object<'_>>().nth(filter)?.into_dict(),
        _ => None,
    }
}

/// None where it breaks off.
fn inflated(data: &[u8], budget: &Budget) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let inflated = Inflated::each(data, budget, |piece| all.extend(piece)); // bounded: by the budget
    (inflated.wholeness != Wholeness::Broken).then_some(all)
}

/// ISO 32000-2, 7.4.2.
fn of_hex(data: &[u8]) -> Option<Vec<u8>> {
    let digits = data.iter().take_while(|byte| **byte != b'>').filter(|byte| !is_white(**byte));
    let digits: Vec<u8> =
        digits.map(|byte| char::from(*byte).to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).unwrap_or(&0)).collect())
}

/// ISO 32000-2, 7.4.3.
fn of_base_85(data: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut group) = (Vec::with_capacity(data.len() / 5 * 4), Vec::with_capacity(5)); // bounded: by what there is
    let mut flush = |group: &mut Vec<u8>| {
        // One digit alone says nothing.
        let count = Some(group.len()).filter(|count| *count > 1)?;
        group.resize(5, 84); // bounded: by the five of a group
        let number =
            group.drain(..).try_fold(0_u32, |number, digit| number.checked_mul(85)?.checked_add(digit.into()))?;
        bytes.extend(&number.to_be_bytes()[..count - 1]);
        Some(())
    };
    for byte in data.iter().filter(|byte| !is_white(**byte)) {
        match byte {
            b'!'..=b'u' => group.push(byte - b'!'),
            b'z' if group.is_empty() => group.extend([0; 5]),
            b'~' => break,
            _ => return None,
        }
        if group.len() == 5 {
            flush(&mut group)?;
        }
    }
    if !group.is_empty() {
        flush(&mut group)?;
    }
    Some(bytes)
}

const fn is_white(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

/// What there is of a compressed stream.
struct Inflated {
    /// Whole is what does not break off before it says that it ends: some programs write a wrong checksum behind the end, and some none
    /// (RFC 1950, RFC 1951). Others end with what is written so that a reader has all there is so far.
    wholeness: Wholeness,
    length: u64,
}

/// How decompression comes to its end.
#[derive(PartialEq, Eq)]
enum Ended {
    /// Where the data says so, or as nothing more may be looked at.
    Said,
    /// Nothing more comes, and nothing has said so.
    Open,
    Wrong,
}

impl Inflated {
    fn of(data: &[u8], budget: &Budget) -> Self {
        Self::each(data, budget, |_| {})
    }

    fn each(data: &[u8], budget: &Budget, piece_of_it: impl FnMut(&[u8])) -> Self {
        const HEADER: usize = 2;
        const FLUSHED: &[u8] = &[0, 0, 0xff, 0xff];
        if data.trim_ascii().is_empty() {
            return Self { wholeness: Wholeness::Whole, length: 0 };
        }
        let without_header = data.get(HEADER..).unwrap_or_default();
        let (ended, length) = inflate(without_header, Decompress::new(false), budget, piece_of_it);
        let is_whole = match ended {
            Ended::Said => true,
            Ended::Open => data.trim_ascii_end().ends_with(FLUSHED),
            Ended::Wrong => false,
        };
        // Zeros are codes: of what is plain there may be many, which the checksum tells from those that were put there.
        let is_wrong = || has_hole(data) && inflate(data, Decompress::new(true), budget, |_| {}).0 == Ended::Wrong;
        let wholeness = if is_whole && is_wrong() { Wholeness::Doubtful } else { by(is_whole) };
        Self { wholeness, length }
    }
}

fn inflate(
    mut left: &[u8],
    mut inflate: Decompress,
    budget: &Budget,
    mut piece_of_it: impl FnMut(&[u8]),
) -> (Ended, u64) {
    let mut piece = [0; 1 << 14];
    let ended = loop {
        let (read, written) = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(left, &mut piece, FlushDecompress::None);
        let count = inflate.total_out() - written;
        piece_of_it(piece.get(..count as usize).unwrap_or_default());
        budget.take(count);
        match status {
            _ if budget.is_used_up() => break Ended::Said,
            Ok(Status::StreamEnd) => break Ended::Said,
            Err(_) => break Ended::Wrong,
            Ok(_) if inflate.total_in() == read && count == 0 => break Ended::Open,
            Ok(_) => left = left.get((inflate.total_in() - read) as usize..).unwrap_or_default(),
        }
    };
    (ended, inflate.total_out())
}

/// The samples of a picture (ISO 32000-2, 8.9.3).
#[derive(Clone, Copy)]
struct Rows {
    /// Bytes of one.
    length: u64,
    count: u64,
}

/// What the samples were made of before they were compressed (7.4.4.4): rows of their own length, with a byte in front of each that
/// says how.
#[derive(Clone, Copy)]
struct Predictor {
    row: u64,
}

impl Predictor {
    fn of(picture: &Stream<'_>) -> Option<Self> {
        const FIRST_OF_PNG: u32 = 10;
        let parameters = parameters(picture, picture.filters().len().checked_sub(1)?)?;
        let number = |key: &str, usual| parameters.get::<u32>(key).map_or(usual, u64::from);
        if number("Predictor", 1) < u64::from(FIRST_OF_PNG) {
            return None;
        }
        let bits = number("Colors", 1).checked_mul(number("BitsPerComponent", 8))?.checked_mul(number("Columns", 1))?;
        Some(Self { row: bits.div_ceil(8) }).filter(|predictor| predictor.row > 0)
    }
}

impl Rows {
    /// None if the colours of the picture are not known.
    fn of(picture: &Stream<'_>, resources: &Resources<'_>) -> Option<Self> {
        let dict = picture.dict();
        let number = |long: &str, short: &str| dict.get::<u32>(long).or_else(|| dict.get::<u32>(short)).map(u64::from);
        let is_mask = dict.get::<bool>("ImageMask").or_else(|| dict.get::<bool>("IM")).unwrap_or(false);
        let (bits, components) = match is_mask {
            true => (1, 1),
            false => {
                let space = dict.get::<Object<'_>>("ColorSpace").or_else(|| dict.get::<Object<'_>>("CS"))?;
                (number("BitsPerComponent", "BPC")?, components(space, resources, 4)?)
            }
        };
        let length = number("Width", "W")?.checked_mul(bits)?.checked_mul(components)?.div_ceil(8);
        Some(Self { length, count: number("Height", "H")? })
    }

    const fn bytes(self) -> u64 {
        self.length.saturating_mul(self.count)
    }

    fn bytes_with(self, predictor: Option<Predictor>) -> u64 {
        predictor.map_or(self.bytes(), |Predictor { row }| self.bytes().div_ceil(row).saturating_mul(row + 1))
    }
}

/// How many components a colour space has (8.6).
fn components(space: Object<'_>, resources: &Resources<'_>, depth: u32) -> Option<u64> {
    let depth = depth.checked_sub(1)?;
    match space {
        Object::Name(name) => match name.as_ref() {
            b"DeviceGray" | b"G" | b"CalGray" | b"Indexed" | b"I" => Some(1),
            b"DeviceRGB" | b"RGB" | b"CalRGB" => Some(3),
            b"DeviceCMYK" | b"CMYK" => Some(4),
            _ => components(resources.get_color_space(&name)?, resources, depth),
        },
        Object::Array(space) => {
            let mut entries = space.iter::<Object<'_>>();
            let Some(Object::Name(family)) = entries.next() else { return None };
            match (family.as_ref(), entries.next()) {
                (b"ICCBased", Some(Object::Stream(profile))) => profile.dict().get::<u32>("N").map(u64::from),
                (b"DeviceN", Some(Object::Array(names))) => Some(names.iter::<Name<'_>>().count() as u64),
                (b"Lab" | b"CalRGB" | b"DeviceRGB" | b"RGB", _) => Some(3),
                (b"DeviceCMYK" | b"CMYK", _) => Some(4),
                (b"Separation" | b"Indexed" | b"I" | b"CalGray" | b"DeviceGray" | b"G", _) => Some(1),
                _ => None,
            }
        }
        _ => None,
    }
}

/// hayro decodes rows up to the first that it cannot read; the rest of the picture is missing.
fn has_all_rows_of_fax(picture: &Stream<'_>) -> bool {
    let dict = picture.dict();
    let number = |long: &str, short: &str| dict.get::<u32>(long).or_else(|| dict.get::<u32>(short));
    let (Some(width), Some(height)) = (number("Width", "W"), number("Height", "H")) else { return true };
    // As bits, of which those rows alone are kept that were read.
    let wanted = ImageDecodeParams { is_indexed: true, bpc: Some(1), width, height, ..ImageDecodeParams::default() };
    let Ok(rows) = picture.decoded_image(&wanted) else { return true };
    let Some(columns) = rows.image_data.map(|image| image.width) else { return true };
    rows.data.len() as u64 >= u64::from(columns).div_ceil(8) * u64::from(height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_in_a_row_are_a_hole() {
        let around = |zeros: usize| [&[7, 0, 9], vec![0; zeros].as_slice(), &[1; 700]].concat();
        assert!(has_hole(&around(512)) && has_hole(&around(3000)));
        assert!(!has_hole(&around(511)) && !has_hole(&[]) && !has_hole(&[0; 9000]));
        assert!(!has_hole(&[[7; 900], [0; 900]].concat()), "it is filled up");
    }

    /// Some programs write a wrong checksum, and some none. What is plain has many zeros in its codes.
    #[test]
    fn a_wrong_checksum_counts_only_where_zeros_may_have_been_put() {
        use flate2::{Compression, write::ZlibEncoder};
        let deflated = |data: &[u8]| {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
            std::io::Write::write_all(&mut encoder, data).unwrap();
            encoder.finish().unwrap()
        };
        let wholeness = |data: &[u8]| Inflated::of(data, &Budget::new(1 << 30)).wholeness;
        let noise: Vec<u8> = (0..4000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let plain = deflated(&[noise.as_slice(), &vec![0; 8 << 20], &noise].concat());
        assert!(has_hole(&plain) && !has_hole(&deflated(&noise)));
        for data in [plain, deflated(&noise)] {
            let mut wrong = data.clone();
            *wrong.last_mut().unwrap() ^= 1;
            let expected = if has_hole(&data) { Wholeness::Doubtful } else { Wholeness::Whole };
            assert_eq!(wholeness(&data), Wholeness::Whole);
            assert_eq!(wholeness(&wrong), expected);
            assert_eq!(wholeness(&data[..data.len() - 4]), Wholeness::Whole, "it has none");
            assert_eq!(wholeness(&data[..data.len() / 2]), Wholeness::Broken);
        }
    }

    #[test]
    fn what_is_too_much_to_look_at_leaves_the_rest_to_be_looked_at() {
        let budget = Budget::new(100);
        assert!(budget.take_all(40) && !budget.take_all(61) && budget.take_all(60) && budget.was_too_small());
        let enough = Budget::new(100);
        assert!(enough.take_all(99) && !enough.was_too_small());
    }

    #[test]
    fn segments_do_not_reach_beyond_the_end() {
        // Information of a page, and a region that refers to it.
        let first = [&[0, 0, 0, 0, 48, 0, 1, 0, 0, 0, 19], [7; 19].as_slice()].concat();
        let second = [&[0, 0, 0, 1, 38, 0x20, 0, 1, 0, 0, 0, 90], [7; 90].as_slice()].concat();
        let both = [first.clone(), second].concat();
        for whole in [&both[..], &[&both[..], b"\r\n"].concat(), &first] {
            assert!(has_all_segments(whole));
        }
        for length in (1..both.len()).filter(|length| *length != first.len()) {
            // A few zeros may be what a stream is filled up with.
            let begun = if length > first.len() { &both[first.len()..length] } else { &both[..length] };
            let is_blank = begun.iter().all(|byte| *byte == 0);
            assert_eq!(has_all_segments(&both[..length]), is_blank, "cut at {length}");
        }
        // A hundred thousand empty segments, each of which is looked at once.
        assert!(!has_all_segments(&[vec![0; 1 << 20], vec![1]].concat()));
    }

    #[test]
    fn what_is_written_in_letters_is_read() {
        assert_eq!(of_base_85(b"87cURD]i,\"Ebo80~>").unwrap(), b"Hello World!");
        assert_eq!(of_base_85(b" 87cUR\nz DZ~").unwrap(), [b"Hell".as_slice(), &[0; 4], b"o"].concat());
        for damaged in [b"8".as_slice(), b"uuuuu", b"87cU{"] {
            assert_eq!(of_base_85(damaged), None, "{damaged:?}");
        }
        assert_eq!(of_hex(b"48 65\n6c6C 7>00").unwrap(), b"Hellp");
        assert_eq!(of_hex(b"4g"), None);
    }
}
