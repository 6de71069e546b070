//! Text in the encodings that people's files are in.

use encoding_rs::{UTF_16BE, UTF_16LE, WINDOWS_1252};

/// UTF-16 or UTF-8 by its mark, else UTF-8 if it is, else Windows-1252, which is what files are in that say nothing.
pub fn guessed(bytes: &[u8]) -> String {
    match marked(bytes) {
        Some(text) => text,
        None => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        },
    }
}

/// Text that begins with a byte order mark. What is no character becomes U+FFFD.
pub fn marked(bytes: &[u8]) -> Option<String> {
    let text = match bytes {
        [0xfe, 0xff, rest @ ..] => UTF_16BE.decode_without_bom_handling(rest).0,
        [0xff, 0xfe, rest @ ..] => UTF_16LE.decode_without_bom_handling(rest).0,
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        _ => return None,
    };
    Some(text.into_owned())
}
