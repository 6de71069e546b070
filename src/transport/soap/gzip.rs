//! When a reply is compressed.

use std::io::Write;

use axum::http::{HeaderMap, header};
use flate2::{Compression, write::GzEncoder};
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

pub fn compress(text: &str) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::fast());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
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
}
