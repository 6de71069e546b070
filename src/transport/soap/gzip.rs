//! When a reply is compressed.

use std::io::{self, Write};

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compression, Crc};
use serde::Deserialize;

use super::credentials::weighted;

/// The server's setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GzipPolicy {
    Never,
    /// Only when the `authHeader` asks for it.
    Soap,
    /// When the `authHeader` asks for it or, if it says nothing, the `Accept-Encoding` does.
    #[default]
    Accept,
    Always,
}

impl GzipPolicy {
    pub fn compresses(self, gzip_response: Option<bool>, accepts_gzip: bool) -> bool {
        match self {
            GzipPolicy::Never => false,
            GzipPolicy::Soap => gzip_response == Some(true),
            GzipPolicy::Accept => gzip_response.unwrap_or(accepts_gzip),
            GzipPolicy::Always => true,
        }
    }
}

/// True if `Accept-Encoding` lists gzip with a weight above zero.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(weighted).any(|(coding, weight)| {
        (coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip")) && weight > 0.0
    })
}

/// It takes no more room than it needs: whoever it is for may let it wait.
pub fn compress(text: &str) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes())?;
    let mut compressed = encoder.finish()?;
    compressed.shrink_to_fit();
    Ok(compressed)
}

/// A part of a document, compressed once for each time that it is sent.
#[derive(Debug)]
pub struct Packed {
    /// Whole blocks, none of which is the last.
    blocks: Bytes,
    sum: Crc,
}

impl Packed {
    pub fn new(part: &[u8]) -> io::Result<Self> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(part)?;
        encoder.flush()?;
        let mut sum = Crc::new();
        sum.update(part);
        Ok(Self { blocks: std::mem::take(encoder.get_mut()).into(), sum })
    }
}

/// A gzip stream (RFC 1952) of one member that is put together of such parts, and of short ones that differ each time.
#[derive(Debug)]
pub struct Assembly {
    pieces: Vec<Bytes>,
    sum: Crc,
}

impl Assembly {
    /// The bytes of a block that is not compressed (RFC 1951, 3.2.4).
    const MOST_STORED: usize = u16::MAX as usize;

    pub fn new() -> Self {
        const HEAD: &[u8] = &[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];
        Self { pieces: vec![Bytes::from_static(HEAD)], sum: Crc::new() }
    }

    pub fn packed(&mut self, part: &Packed) {
        self.pieces.push(part.blocks.clone());
        self.sum.combine(&part.sum);
    }

    pub fn stored(&mut self, part: &[u8]) {
        for block in part.chunks(Self::MOST_STORED) {
            let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
            self.pieces.push([&[0], &length.to_le_bytes()[..], &(!length).to_le_bytes(), block].concat().into());
        }
        self.sum.update(part);
    }

    pub fn finish(mut self) -> Vec<Bytes> {
        const LAST_BLOCK: [u8; 5] = [1, 0, 0, 255, 255];
        let tail = [&LAST_BLOCK[..], &self.sum.sum().to_le_bytes(), &self.sum.amount().to_le_bytes()];
        self.pieces.push(tail.concat().into());
        self.pieces
    }
}

/// Compresses a reply piece by piece.
pub struct Compressor {
    encoder: GzEncoder<Vec<u8>>,
}

impl Compressor {
    pub fn new() -> Self {
        Self { encoder: GzEncoder::new(Vec::new(), Compression::fast()) }
    }

    /// What can be sent once this piece is in; maybe nothing yet.
    pub fn write(&mut self, piece: &[u8]) -> std::io::Result<Vec<u8>> {
        self.encoder.write_all(piece)?;
        Ok(std::mem::take(self.encoder.get_mut()))
    }

    /// The rest.
    pub fn finish(self) -> std::io::Result<Vec<u8>> {
        self.encoder.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn each_policy_decides_by_its_own_rule() {
        for (policy, asked, accepted, expected) in [
            (GzipPolicy::Never, Some(true), true, false),
            (GzipPolicy::Soap, Some(true), false, true),
            (GzipPolicy::Soap, None, true, false),
            (GzipPolicy::Soap, Some(false), true, false),
            (GzipPolicy::Accept, Some(true), false, true),
            (GzipPolicy::Accept, None, true, true),
            (GzipPolicy::Accept, None, false, false),
            (GzipPolicy::Accept, Some(false), true, false),
            (GzipPolicy::Always, Some(false), false, true),
        ] {
            assert_eq!(policy.compresses(asked, accepted), expected, "{policy:?} {asked:?} {accepted}");
        }
    }

    #[test]
    fn weights_count() {
        for (value, expected) in [
            ("gzip;q=1.0,deflate;q=0.6,identity;q=0.3", true),
            ("gzip, deflate", true),
            ("deflate;q=1, GZIP ; q=0.001", true),
            ("gzip;q=0", false),
            ("gzip;q=0.0, identity", false),
            ("gzip;q=x", false),
            ("deflate, br", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]);
            assert_eq!(accepts_gzip(&headers), expected, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn what_is_compressed_unpacks() {
        let mut text = String::new();
        flate2::read::GzDecoder::new(compress("<a/>").unwrap().as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "<a/>");
    }

    #[test]
    fn what_is_put_together_unpacks_as_one() {
        let (long, stored) = ("<element/>".repeat(10_000), "x".repeat(100_000));
        let part = Packed::new(long.as_bytes()).unwrap();
        let mut assembly = Assembly::new();
        assembly.packed(&part);
        assembly.stored(b"");
        assembly.stored(stored.as_bytes());
        assembly.packed(&Packed::new(b"").unwrap());
        assembly.packed(&part);
        let mut text = String::new();
        let sent = assembly.finish().concat();
        flate2::read::GzDecoder::new(sent.as_slice()).read_to_string(&mut text).unwrap();
        assert!(text == format!("{long}{stored}{long}") && sent.len() < 110_000, "{} bytes", sent.len());
    }
}
