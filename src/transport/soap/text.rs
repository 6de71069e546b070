//! The characters of a request, from its bytes.
//!
//! What says how they are encoded, the first that is there: the first bytes (a byte order mark, or `<` in UTF-16), the
//! `charset` of the media type, the `encoding` of the XML declaration; else it is UTF-8. What comes later in this order
//! is not looked at.
//!
//! Read are UTF-8, UTF-16, and the encodings with a byte a character that the WHATWG Encoding Standard has, under its
//! labels: ISO-8859-x, windows-125x, KOI8, Macintosh. As there, ISO-8859-1 is read as windows-1252, which has letters
//! where ISO-8859-1 has control characters that nobody means. Other than there, US-ASCII is read as UTF-8, of which it is
//! a part; and so is what says UTF-16 but begins otherwise, for that is text which was declared before it was encoded.

use std::borrow::Cow;

use encoding_rs::{Encoding, X_USER_DEFINED};

/// An XML declaration is looked for in so many bytes.
const LONGEST_DECLARATION: usize = 1024;

/// The text of a request. What names an encoding that is not read here is refused, not guessed at.
pub fn decode<'a>(bytes: &'a [u8], charset: Option<&str>) -> Result<Cow<'a, str>, String> {
    let text = match by_first_bytes(bytes) {
        Some(Start::Utf8(rest)) => utf8(rest)?,
        Some(Start::Utf16(rest, unit)) => utf16(rest, unit)?,
        Some(Start::Utf32) => return Err("UTF-32 is not supported: send UTF-8".to_owned()),
        None => by_name(bytes, charset)?,
    };
    check_characters(&text)?;
    Ok(text)
}

/// The most bytes that the text takes beside those that it is made of. Characters of one byte have up to three in UTF-8, and those
/// of two as many.
pub fn room(bytes: &[u8], charset: Option<&str>) -> usize {
    match (by_first_bytes(bytes), named(bytes, charset)) {
        (Some(Start::Utf16(..)), _) => utf16_room(bytes),
        (Some(_), _) | (None, None) => 0,
        (None, Some((name, _))) if is_utf(name) => 0,
        // With what the decoder keeps free for a character that is not finished.
        (None, Some(_)) => bytes.len().saturating_mul(3).saturating_add(8),
    }
}

/// A parameter of a media type, such as the `charset` of `text/xml; charset="utf-8"`. What stands in quotes is one value,
/// whatever is in it (RFC 9110, 5.6.6); some clients write apostrophes for quotes.
pub fn parameter<'a>(media_type: Option<&'a str>, name: &str) -> Option<Cow<'a, str>> {
    parameters(media_type?).into_iter().skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| plain(value.trim()))
    })
}

/// The parts between semicolons that do not stand in quotes.
fn parameters(media_type: &str) -> Vec<&str> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in media_type.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => {
                parts.push(&media_type[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&media_type[begin..]);
    parts
}

/// A value without its quotes, and without the backslashes in them.
fn plain(value: &str) -> Cow<'_, str> {
    let Some(text) = value.strip_prefix('"') else { return value.trim_matches(['"', '\'']).into() };
    let text = text.strip_suffix('"').unwrap_or(text);
    if !text.contains('\\') {
        return text.into();
    }
    let mut escaped = false;
    let kept = text.chars().filter(|char| {
        escaped = *char == '\\' && !escaped;
        !escaped
    });
    kept.collect::<String>().into()
}

/// What the first bytes say of all of them.
enum Start<'a> {
    Utf8(&'a [u8]),
    Utf16(&'a [u8], fn([u8; 2]) -> u16),
    Utf32,
}

fn by_first_bytes(bytes: &[u8]) -> Option<Start<'_>> {
    Some(match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => Start::Utf8(rest),
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Start::Utf32,
        [0xFF, 0xFE, rest @ ..] => Start::Utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => Start::Utf16(rest, u16::from_be_bytes),
        [b'<', 0, ..] => Start::Utf16(bytes, u16::from_le_bytes),
        [0, b'<', ..] => Start::Utf16(bytes, u16::from_be_bytes),
        _ => return None,
    })
}

/// The encoding that is named, and by what.
fn named<'a>(bytes: &'a [u8], charset: Option<&'a str>) -> Option<(&'a str, &'static str)> {
    let charset = charset.map(str::trim).filter(|charset| !charset.is_empty());
    let charset = charset.map(|charset| (charset, "charset of the Content-Type"));
    charset.or_else(|| Some((declared_encoding(bytes)?, "XML declaration")))
}

fn by_name<'a>(bytes: &'a [u8], charset: Option<&str>) -> Result<Cow<'a, str>, String> {
    let Some((name, source)) = named(bytes, charset) else {
        return utf8(bytes);
    };
    if is_utf(name) {
        return utf8(bytes);
    }
    let known = Encoding::for_label_no_replacement(name.as_bytes());
    match known.filter(|encoding| encoding.is_single_byte() && *encoding != X_USER_DEFINED) {
        Some(encoding) => single_bytes(bytes, encoding),
        None => {
            let shown: String = name.chars().take(40).collect();
            Err(format!(
                "the encoding {shown}, which the {source} names, is not supported: send UTF-8, UTF-16, ISO-8859-1 or \
                 windows-1252"
            ))
        }
    }
}

fn is_utf(name: &str) -> bool {
    let known = ["utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be"];
    known.iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(error) => Err(format!(
            "the byte at offset {} is not UTF-8, and neither charset nor XML declaration names another encoding",
            error.valid_up_to()
        )),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'_, str>, String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("UTF-16 text has an odd number of bytes".to_owned());
    }
    // It never has to grow.
    let mut text = String::with_capacity(utf16_room(bytes));
    for char in char::decode_utf16(pairs.iter().map(|&pair| unit(pair))) {
        text.push(char.map_err(|_| "UTF-16 text has half of a surrogate pair".to_owned())?);
    }
    Ok(Cow::Owned(text))
}

/// Units of two bytes have up to three in UTF-8.
const fn utf16_room(bytes: &[u8]) -> usize {
    bytes.len().div_ceil(2).saturating_mul(3)
}

fn single_bytes<'a>(bytes: &'a [u8], encoding: &'static Encoding) -> Result<Cow<'a, str>, String> {
    let decode = |bytes| encoding.decode_without_bom_handling_and_without_replacement(bytes);
    decode(bytes).ok_or_else(|| {
        // With a byte a character, each can be looked at by itself.
        let offset = bytes.chunks(1).position(|byte| decode(byte).is_none()).unwrap_or_default();
        format!("the byte at offset {offset} is not a character of {}", encoding.name())
    })
}

/// The `encoding` of an XML declaration, if the text begins with one.
fn declared_encoding(bytes: &[u8]) -> Option<&str> {
    let head = &bytes[..bytes.len().min(LONGEST_DECLARATION)];
    let end = head.windows(2).position(|pair| pair == b"?>")?;
    let declaration = std::str::from_utf8(&head[..end]).ok()?.strip_prefix("<?xml")?;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split(quote).next()
}

/// Refuses what XML 1.0 has no place for: NUL, other control characters and the two non-characters.
fn check_characters(text: &str) -> Result<(), String> {
    match text.char_indices().find(|&(_, char)| !is_xml_char(char)) {
        None => Ok(()),
        Some((offset, char)) => {
            Err(format!("the character U+{:04X} at offset {offset} is not allowed in XML", u32::from(char)))
        }
    }
}

/// True for the characters XML 1.0 allows. (A Rust `char` is never half a surrogate pair.)
pub fn is_xml_char(char: char) -> bool {
    !matches!(char, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16_bytes(text: &str, unit: fn(u16) -> [u8; 2], mark: bool) -> Vec<u8> {
        let mark = mark.then_some(0xFEFF);
        mark.into_iter().chain(text.encode_utf16()).flat_map(unit).collect()
    }

    #[test]
    fn utf8_and_utf16_are_read() {
        let text = "<a>Grüße 写真 🖼</a>";
        assert_eq!(decode(text.as_bytes(), Some("UTF-8")).unwrap(), text);
        assert_eq!(decode(format!("\u{FEFF}{text}").as_bytes(), None).unwrap(), text);
        for mark in [true, false] {
            assert_eq!(decode(&utf16_bytes(text, u16::to_le_bytes, mark), None).unwrap(), text);
            assert_eq!(decode(&utf16_bytes(text, u16::to_be_bytes, mark), None).unwrap(), text);
        }
    }

    #[test]
    fn encodings_of_one_byte_are_read_by_their_names() {
        for (name, bytes, expected) in [
            ("ISO-8859-1", b"caf\xe9".as_slice(), "café"),
            ("latin1", b"caf\xe9", "café"),
            ("windows-1252", b"\x80 5 \x96 \x93quoted\x94", "€ 5 – “quoted”"),
            // Its senders mean windows-1252.
            ("iso-8859-1", b"\x80 5", "€ 5"),
            ("ISO-8859-15", b"\xa4 5", "€ 5"),
            ("windows-1250", b"P\xf8\xedklad", "Příklad"),
            ("us-ascii", b"plain", "plain"),
            ("us-ascii", "né".as_bytes(), "né"),
            ("utf-16", "né".as_bytes(), "né"),
        ] {
            assert_eq!(decode(bytes, Some(name)).unwrap(), expected, "{name}");
            let declaration = format!("<?xml version='1.0' encoding='{name}'?>");
            let declared = [declaration.as_bytes(), bytes].concat();
            assert_eq!(decode(&declared, None).unwrap(), format!("{declaration}{expected}"), "{name}");
        }
    }

    #[test]
    fn first_bytes_come_before_the_charset_and_that_before_the_declaration() {
        let declared = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>é</a>";
        assert_eq!(decode(declared.as_bytes(), Some("utf-8")).unwrap(), declared);
        assert_eq!(decode(declared.as_bytes(), None).unwrap(), declared.replace('é', "Ã©"));
        assert_eq!(decode(declared.as_bytes(), Some("")).unwrap(), declared.replace('é', "Ã©"), "no charset is none");
        let marked = format!("\u{FEFF}{declared}");
        assert_eq!(decode(marked.as_bytes(), Some("windows-1252")).unwrap(), declared);
        let other = declared.replace("ISO-8859-1", "EBCDIC-CP-US");
        assert_eq!(decode(other.as_bytes(), Some("utf-8")).unwrap(), other);
        // An encoding that is mentioned elsewhere is not declared.
        let text = "<a encoding='EBCDIC-CP-US'>?></a>";
        assert_eq!(decode(text.as_bytes(), None).unwrap(), text);
    }

    #[test]
    fn other_encodings_are_named_and_refused() {
        let refusal = |bytes: &[u8], charset| decode(bytes, charset).unwrap_err();
        let declared = b"<?xml version='1.0' encoding='EBCDIC-CP-US'?><a/>";
        let said = refusal(declared, None);
        assert!(said.contains("EBCDIC-CP-US") && said.contains("XML declaration"), "{said}");
        for name in ["x-user-defined", "iso-2022-kr", "shift_jis", "utf-7", "\u{1b}[31m"] {
            let said = refusal(b"<a/>", Some(name));
            assert!(said.contains(name) && said.contains("charset"), "{said}");
        }
        assert!(refusal(b"<a>\xe9</a>", None).contains("offset 3"));
        assert!(refusal(b"<a>\xd2</a>", Some("windows-1253")).contains("offset 3 is not a character of windows-1253"));
        assert!(decode(b"\xff\xfe<", None).is_err());
        assert!(refusal(b"\xff\xfe\0\0<\0\0\0", None).contains("UTF-32"));
        assert!(refusal(b"\xfe\xff\xd8\x00\x00<", None).contains("surrogate"));
    }

    #[test]
    fn control_characters_are_refused() {
        assert!(decode(b"<a>\0</a>", None).unwrap_err().contains("U+0000"));
        assert!(decode(b"<a>\x08</a>", None).unwrap_err().contains("U+0008"));
        assert!(decode(b"<a>\x08</a>", Some("iso-8859-1")).unwrap_err().contains("U+0008"));
        assert!(decode("<a>\u{FFFE}</a>".as_bytes(), None).unwrap_err().contains("U+FFFE"));
        assert!(decode(b"<a>\t\r\n</a>", None).is_ok());
    }

    #[test]
    fn parameters_of_media_types_are_found() {
        for (media_type, expected) in [
            ("text/xml; charset=\"utf-8\"", Some("utf-8")),
            ("text/xml;CHARSET='latin1' ; x=y", Some("latin1")),
            ("text/xml", None),
            ("charset=utf-8", None),
            ("multipart/x; boundary=\"a;charset=koi8-r\"; charset=utf-8", Some("utf-8")),
            ("text/xml; action=\"urn:a\\\";charset=b\"", None),
            ("text/xml; charset=\"ut\\f-8\"", Some("utf-8")),
            ("text/xml; charset=\"utf-8", Some("utf-8")),
            ("text/xml; charset=\"\"", Some("")),
        ] {
            assert_eq!(parameter(Some(media_type), "charset").as_deref(), expected, "{media_type}");
        }
    }
}
