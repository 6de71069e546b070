//! Text strings (ISO 32000-2, 7.9.2.2).

use hayro::hayro_syntax::object::{Dict, Object};

/// Letters of a text; what is more is left out.
pub const MOST_LETTERS: usize = 20_000;

/// What PDFDocEncoding has from 0x18 and from 0x80 on; all else is as in Latin-1.
const LOW: [char; 8] = ['˘', 'ˇ', 'ˆ', '˙', '˝', '˛', '˚', '˜'];
const HIGH: [char; 33] = [
    '•', '†', '‡', '…', '—', '–', 'ƒ', '⁄', '‹', '›', '−', '‰', '„', '“', '”', '‘', '’', '‚', '™', 'ﬁ', 'ﬂ', 'Ł', 'Œ',
    'Š', 'Ÿ', 'Ž', 'ı', 'ł', 'œ', 'š', 'ž', '\u{fffd}', '€',
];

/// The letter of a code in PDFDocEncoding.
pub fn pdf_doc(code: u8) -> char {
    let at = |first: u8, letters: &[char]| letters.get(usize::from(code.checked_sub(first)?)).copied();
    at(0x18, &LOW).or_else(|| at(0x80, &HIGH)).unwrap_or(char::from(code))
}

/// The text of an entry, whose lines end with '\n'.
pub fn of(dict: &Dict<'_>, key: &str) -> Option<String> {
    dict.get::<Object<'_>>(key).and_then(|value| from(&value))
}

pub fn from(value: &Object<'_>) -> Option<String> {
    match value {
        Object::String(text) => Some(decode(text)),
        Object::Name(name) => Some(decode(name)),
        Object::Stream(stream) => Some(decode(&stream.decoded_data().ok()?)),
        _ => None,
    }
}

pub fn decode(bytes: &[u8]) -> String {
    // Four bytes for a letter at most, and as many again for what says its language.
    let bytes = bytes.get(..MOST_LETTERS * 8).unwrap_or(bytes);
    let utf16 = |rest: &[u8], number: fn([u8; 2]) -> u16| -> String {
        let numbers = rest.as_chunks::<2>().0.iter().map(|pair| number(*pair));
        char::decode_utf16(numbers).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    tidy(&match bytes {
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => bytes.iter().map(|byte| pdf_doc(*byte)).collect(),
    })
}

/// Without marks that are no letters, and languages, which stand between escapes.
fn tidy(text: &str) -> String {
    let (mut is_language, mut after_return) = (false, false);
    let mut kept = String::new();
    for letter in text.chars().take(2 * MOST_LETTERS) {
        let is_second = letter == '\n' && after_return;
        after_return = letter == '\r';
        match letter {
            '\u{1b}' => is_language = !is_language,
            _ if is_language || is_second => {}
            '\r' | '\n' | '\u{2028}' | '\u{2029}' | '\u{85}' => kept.push('\n'),
            '\t' => kept.push(' '),
            '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' => {}
            letter if letter.is_control() => {}
            letter => kept.push(letter),
        }
    }
    kept.chars().take(MOST_LETTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_strings_are_in_three_encodings() {
        let cases: [(&[u8], &str); 6] = [
            (b"caf\xe9 \x80 \xa0 \x18", "café • € ˘"),
            (b"\xfe\xff\x01\x04\xd8\x3d\xde\x00", "Ą😀"),
            (b"\xfe\xff\x00\x1b\x00e\x00n\x00\x1b\x00A", "A"),
            (b"\xef\xbb\xbf\xe6\x97\xa5", "日"),
            (b"one\r\ntwo\rthree\n\nfour\tfive\x07", "one\ntwo\nthree\n\nfour five"),
            (b"\xfe\xff\xd8\x00", "\u{fffd}"),
        ];
        for (bytes, text) in cases {
            assert_eq!(decode(bytes), text);
        }
    }
}
