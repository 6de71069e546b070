//! What a document says about itself: its information dictionary, and its XMP packet.

use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::dict::keys;
use hayro::hayro_syntax::object::{DateTime, Dict, Stream};

use super::Information;

pub fn read(pdf: &Pdf) -> Information {
    let known = pdf.metadata();
    let texts = [
        ("Title", &known.title),
        ("Author", &known.author),
        ("Subject", &known.subject),
        ("Keywords", &known.keywords),
        ("Creator", &known.creator),
        ("Producer", &known.producer),
    ];
    let mut entries: Vec<(String, String)> = Vec::new();
    for (key, value) in texts {
        entries.extend(value.as_deref().map(|value| (key.to_owned(), text(value))));
    }
    for (key, value) in [("CreationDate", known.creation_date), ("ModDate", known.modification_date)] {
        entries.extend(value.map(|value| (key.to_owned(), date(value))));
    }
    Information { entries, xmp: packet(pdf) }
}

fn packet(pdf: &Pdf) -> Option<String> {
    let root: Dict<'_> = pdf.xref().get(pdf.xref().root_id())?;
    let stream: Stream<'_> = root.get(keys::METADATA)?;
    String::from_utf8(stream.decoded_data().ok()?.into_owned()).ok()
}

/// A text string: UTF-16 or UTF-8 by its mark, else PDFDocEncoding, whose letters are those of Latin-1.
pub fn text(bytes: &[u8]) -> String {
    let utf16 = |rest: &[u8], number: fn([u8; 2]) -> u16| {
        let numbers = rest.as_chunks::<2>().0.iter().map(|pair| number(*pair));
        char::decode_utf16(numbers).map(|sign| sign.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes {
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        // 0x80 to 0xA0 are typographic signs there, which Latin-1 does not have.
        _ => bytes.iter().map(|byte| typographic(*byte).unwrap_or(char::from(*byte))).collect(),
    }
}

const fn typographic(byte: u8) -> Option<char> {
    Some(match byte {
        0x80 => '•',
        0x83 => '…',
        0x84 => '—',
        0x85 => '–',
        0x8d => '“',
        0x8e => '”',
        0x8f => '‘',
        0x90 => '’',
        0x92 => '™',
        0x93 => 'ﬁ',
        0x94 => 'ﬂ',
        0xa0 => '€',
        _ => return None,
    })
}

fn date(at: DateTime) -> String {
    let DateTime { year, month, day, hour, minute, second, utc_offset_hour, utc_offset_minute } = at;
    let zone = match (utc_offset_hour, utc_offset_minute) {
        (0, 0) => "Z".to_owned(),
        (hours, minutes) => format!("{}{:02}:{minutes:02}", if hours < 0 { '-' } else { '+' }, hours.unsigned_abs()),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}")
}
