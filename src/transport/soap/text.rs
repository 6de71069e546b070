//! The characters of a request, from its bytes.

use std::borrow::Cow;

/// Reads UTF-8 or UTF-16 text. An XML declaration or a `charset` that says otherwise is refused, not guessed at.
pub fn decode<'a>(bytes: &'a [u8], charset: Option<&str>) -> Result<Cow<'a, str>, String> {
    if let Some(charset) = charset {
        supported(charset)?;
    }
    let text = characters(bytes)?;
    if let Some(declared) = declared_encoding(&text) {
        supported(declared)?;
    }
    check_characters(&text)?;
    Ok(text)
}

fn characters(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest),
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Err("UTF-32 is not supported: send UTF-8".to_owned()),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [b'<', 0, ..] => utf16(bytes, u16::from_le_bytes),
        [0, b'<', ..] => utf16(bytes, u16::from_be_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(error) => Err(format!("the byte at offset {} is not UTF-8", error.valid_up_to())),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'_, str>, String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("UTF-16 text has an odd number of bytes".to_owned());
    }
    char::decode_utf16(pairs.iter().map(|&pair| unit(pair)))
        .collect::<Result<String, _>>()
        .map(Cow::Owned)
        .map_err(|_| "UTF-16 text has half of a surrogate pair".to_owned())
}

/// The `encoding` of an XML declaration, if the text begins with one.
fn declared_encoding(text: &str) -> Option<&str> {
    let declaration = text.strip_prefix("<?xml")?.split("?>").next()?;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split(quote).next()
}

fn supported(encoding: &str) -> Result<(), String> {
    let known = ["utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be"];
    if known.iter().any(|name| encoding.eq_ignore_ascii_case(name)) {
        Ok(())
    } else {
        let shown: String = encoding.chars().take(40).collect();
        Err(format!("the encoding {shown} is not supported: send UTF-8 or UTF-16"))
    }
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
    fn other_encodings_are_named_and_refused() {
        let declared = b"<?xml version='1.0' encoding='ISO-8859-1'?><a/>";
        assert!(decode(declared, None).unwrap_err().contains("ISO-8859-1"));
        assert!(decode(b"<a/>", Some("windows-1252")).unwrap_err().contains("windows-1252"));
        assert!(decode(b"<a>\xe9</a>", None).unwrap_err().contains("offset 3"));
        assert!(decode(b"\xff\xfe<", None).is_err());
        assert!(decode(b"\xff\xfe\0\0<\0\0\0", None).unwrap_err().contains("UTF-32"));
        assert!(decode(b"\xfe\xff\xd8\x00\x00<", None).unwrap_err().contains("surrogate"));
    }

    #[test]
    fn control_characters_are_refused() {
        assert!(decode(b"<a>\0</a>", None).unwrap_err().contains("U+0000"));
        assert!(decode(b"<a>\x08</a>", None).unwrap_err().contains("U+0008"));
        assert!(decode("<a>\u{FFFE}</a>".as_bytes(), None).unwrap_err().contains("U+FFFE"));
        assert!(decode(b"<a>\t\r\n</a>", None).is_ok());
    }
}
