//! `Content-Transfer-Encoding`: what a part was made into for the way, undone as it comes.

use base64::Engine;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use super::header::shown;

/// Bits after the last byte are left over; what they are says nothing.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// `7bit`, `8bit`, `binary`: nothing was done to it.
    #[default]
    Plain,
    Base64,
    QuotedPrintable,
}

impl Encoding {
    pub(super) fn by_name(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "" | "7bit" | "8bit" | "binary" => Ok(Self::Plain),
            "base64" => Ok(Self::Base64),
            "quoted-printable" => Ok(Self::QuotedPrintable),
            other => {
                let known = "7bit, 8bit, binary, base64 and quoted-printable";
                Err(format!("content-transfer-encoding is {}, which is not known here; {known} are", shown(other)))
            }
        }
    }

    /// As clients write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "binary",
            Self::Base64 => "base64",
            Self::QuotedPrintable => "quoted-printable",
        }
    }
}

/// What was sent is not what its encoding makes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Garbled;

/// Undoes the encoding of one part.
#[derive(Debug)]
pub(super) enum Decoder {
    Plain,
    Base64 {
        /// Up to three characters of a group of four.
        begun: Vec<u8>,
        /// The end has been seen.
        padded: bool,
    },
    QuotedPrintable(Escape),
}

/// How far an escape of quoted-printable has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    None,
    Begun,
    /// Its first digit.
    Half(u8),
    /// A line that goes on in the next one: only spaces may come before its end.
    LineEnd,
}

impl Decoder {
    pub(super) fn new(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Plain => Self::Plain,
            Encoding::Base64 => Self::Base64 { begun: Vec::new(), padded: false },
            Encoding::QuotedPrintable => Self::QuotedPrintable(Escape::None),
        }
    }

    /// What these bytes stand for; `None` if that is themselves.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, Garbled> {
        match self {
            Self::Plain => Ok(None),
            Self::Base64 { begun, padded } => base64(begun, padded, bytes).map(Some),
            Self::QuotedPrintable(escape) => quoted_printable(escape, bytes).map(Some),
        }
    }

    /// Nothing comes any more. What was begun and not ended was cut off.
    pub(super) fn finish(self) -> Result<(), Garbled> {
        let is_whole = match self {
            Self::Plain => true,
            Self::Base64 { begun, .. } => begun.is_empty(),
            // The line break that the last escape begins is the one before the boundary.
            Self::QuotedPrintable(escape) => !matches!(escape, Escape::Half(_)),
        };
        if is_whole { Ok(()) } else { Err(Garbled) }
    }
}

fn base64(begun: &mut Vec<u8>, padded: &mut bool, bytes: &[u8]) -> Result<Vec<u8>, Garbled> {
    let mut letters = std::mem::take(begun);
    letters.extend(bytes.iter().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')));
    if letters.is_empty() {
        return Ok(letters);
    }
    if *padded {
        return Err(Garbled);
    }
    *begun = letters.split_off(letters.len() / 4 * 4);
    *padded = letters.ends_with(b"=");
    if *padded && !begun.is_empty() {
        return Err(Garbled);
    }
    BASE64.decode(&letters).map_err(|_| Garbled)
}

fn quoted_printable(escape: &mut Escape, bytes: &[u8]) -> Result<Vec<u8>, Garbled> {
    let mut decoded = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        *escape = match (*escape, byte) {
            (Escape::None, b'=') => Escape::Begun,
            (Escape::None, byte) => {
                decoded.push(byte);
                Escape::None
            }
            (Escape::Begun | Escape::LineEnd, b'\n') => Escape::None,
            (Escape::Begun | Escape::LineEnd, b' ' | b'\t' | b'\r') => Escape::LineEnd,
            (Escape::Begun, byte) => Escape::Half(digit(byte)?),
            (Escape::Half(high), byte) => {
                decoded.push(high << 4 | digit(byte)?);
                Escape::None
            }
            (Escape::LineEnd, _) => return Err(Garbled),
        };
    }
    Ok(decoded)
}

fn digit(byte: u8) -> Result<u8, Garbled> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(Garbled)
}
