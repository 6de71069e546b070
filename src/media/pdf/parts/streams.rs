//! Whether streams hold all that they should.

use std::borrow::Cow;

use flate2::{Decompress, FlushDecompress, Status};
use hayro::hayro_syntax::Filter;
use hayro::hayro_syntax::object::stream::ImageDecodeParams;
use hayro::hayro_syntax::object::{Name, Object, Stream};
use hayro::hayro_syntax::page::Resources;

use super::super::super::decode::{codestream, jpeg};
use super::super::super::limits::Limits;

/// Whether a stream of operators or numbers, or a file that is embedded, can be read to its end.
pub fn is_whole(stream: &Stream<'_>) -> bool {
    match *stream.filters() {
        [] => true,
        [.., Filter::FlateDecode] => match coded(stream) {
            Coded::Read(data) => Inflated::of(&data).is_whole,
            Coded::Unknown => stream.decoded_data().is_ok(),
            Coded::Damaged => false,
        },
        _ => stream.decoded_data().is_ok(),
    }
}

/// Whether all rows of a picture are there. What hayro says itself, of pictures that it cannot read at all, is not said here.
pub fn is_whole_picture(picture: &Stream<'_>, resources: &Resources<'_>, limits: &Limits) -> bool {
    let enough = |length: usize| needed(picture, resources).is_none_or(|needed| length as u64 >= needed);
    let data = match coded(picture) {
        Coded::Read(data) => data,
        Coded::Unknown => return picture.decoded_data().map_or(true, |data| enough(data.len())),
        Coded::Damaged => return true,
    };
    match picture.filters().last() {
        None => enough(data.len()),
        Some(Filter::FlateDecode) => {
            let inflated = Inflated::of(&data);
            inflated.is_whole && enough(inflated.length)
        }
        Some(Filter::DctDecode) => jpeg::is_whole(&data, limits),
        Some(Filter::JpxDecode) => codestream::is_whole(&data),
        Some(Filter::CcittFaxDecode) => has_all_rows_of_fax(picture),
        // Decoded as a whole or not at all.
        Some(Filter::Jbig2Decode) => true,
        Some(_) => picture.decoded_data().map_or(true, |data| enough(data.len())),
    }
}

/// What the last filter of a stream is to undo.
enum Coded<'a> {
    Read(Cow<'a, [u8]>),
    /// It lies in what only hayro undoes.
    Unknown,
    Damaged,
}

fn coded<'a>(stream: &Stream<'a>) -> Coded<'a> {
    let filters = stream.filters();
    let mut data = stream.raw_data();
    let before = filters.split_last().map_or(&[][..], |(_, before)| before);
    for filter in before {
        let undone = match filter {
            Filter::Crypt => continue,
            Filter::AsciiHexDecode => of_hex(&data),
            Filter::Ascii85Decode => of_base_85(&data),
            _ => return Coded::Unknown,
        };
        let Some(undone) = undone else { return Coded::Damaged };
        data = undone.into();
    }
    Coded::Read(data)
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
        let count = group.len();
        group.resize(5, 84); // bounded: by the five of a group
        let number =
            group.drain(..).try_fold(0_u32, |number, digit| number.checked_mul(85)?.checked_add(digit.into()))?;
        bytes.extend(&number.to_be_bytes()[..count.checked_sub(1)?]);
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
    /// It does not break off before it says that it ends. Some programs write a wrong checksum behind the end, and some none: only what
    /// stands in front of that is looked at (RFC 1950, RFC 1951). Others end with what is written so that a reader has all there is so far.
    is_whole: bool,
    length: usize,
}

impl Inflated {
    fn of(data: &[u8]) -> Self {
        const HEADER: usize = 2;
        const FLUSHED: &[u8] = &[0, 0, 0xff, 0xff];
        if data.trim_ascii().is_empty() {
            return Self { is_whole: true, length: 0 };
        }
        let is_flushed = data.trim_ascii_end().ends_with(FLUSHED);
        let mut left = data.get(HEADER..).unwrap_or_default();
        let mut inflate = Decompress::new(false);
        let mut piece = [0; 1 << 14];
        let is_whole = loop {
            let (read, written) = (inflate.total_in(), inflate.total_out());
            match inflate.decompress(left, &mut piece, FlushDecompress::None) {
                Ok(Status::StreamEnd) => break true,
                Err(_) => break false,
                Ok(_) if inflate.total_in() == read && inflate.total_out() == written => break is_flushed,
                Ok(_) => left = left.get((inflate.total_in() - read) as usize..).unwrap_or_default(),
            }
        };
        Self { is_whole, length: usize::try_from(inflate.total_out()).unwrap_or(usize::MAX) }
    }
}

/// The bytes that the samples of a picture take (ISO 32000-2, 8.9.3), with those in front of the rows for a predictor (7.4.4.4). None if
/// its colours are not known.
fn needed(picture: &Stream<'_>, resources: &Resources<'_>) -> Option<u64> {
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
    let row = number("Width", "W")?.checked_mul(bits)?.checked_mul(components)?.div_ceil(8);
    let last_parameters = || {
        let parameters = dict.get::<Object<'_>>("DecodeParms").or_else(|| dict.get::<Object<'_>>("DP"))?;
        match parameters {
            Object::Dict(one) => Some(one),
            Object::Array(each) => each.iter::<Object<'_>>().last()?.into_dict(),
            _ => None,
        }
    };
    const FIRST_OF_PNG: u32 = 10;
    let has_kinds_of_rows = last_parameters()
        .and_then(|parameters| parameters.get::<u32>("Predictor"))
        .is_some_and(|predictor| predictor >= FIRST_OF_PNG);
    let is_undone = matches!(picture.filters().last(), Some(Filter::FlateDecode));
    row.checked_add(u64::from(has_kinds_of_rows && is_undone))?.checked_mul(number("Height", "H")?)
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
    use super::{of_base_85, of_hex};

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
