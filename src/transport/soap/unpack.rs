//! Requests that come compressed (`Content-Encoding`): gzip and deflate, several of them one around the other.
//!
//! What is unpacked counts against the same limit as what is sent, at every layer, and may not be out of all proportion
//! to it: a bomb costs neither memory nor time.

use std::io::{self, Read};

use axum::http::{HeaderMap, header};
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

use super::xml::shorten;

/// Layers that are undone. Nobody needs two; each costs as much as the whole request may.
const MOST_LAYERS: usize = 2;

/// Parts that a gzip layer may be made of.
const MOST_MEMBERS: usize = 16;

/// Bytes that one byte sent may become. Calls for ten thousand assets come to 60.
const MOST_RATIO: usize = 200;

/// Up to here the proportion is not looked at.
const SMALL: usize = 1 << 20;

/// What this server undoes, as the header of a refusal says it.
pub const UNDERSTOOD: &str = "gzip, deflate";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    /// The format of zlib by its standard; but some send the bare stream.
    Deflate,
}

/// Why a request was not unpacked, in words for whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("{0}")]
    TooLarge(String),
    #[error("{0}")]
    Broken(String),
}

/// How a request was compressed, the first step first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codings(Vec<Coding>);

impl Codings {
    /// Reads `Content-Encoding`. An error is in words for whoever sent it.
    pub fn of(headers: &HeaderMap) -> Result<Codings, String> {
        let mut codings = Vec::new();
        for value in headers.get_all(header::CONTENT_ENCODING) {
            let text = String::from_utf8_lossy(value.as_bytes());
            for name in text.split(',').map(|name| name.trim().to_ascii_lowercase()) {
                match name.as_str() {
                    "" | "identity" => {}
                    "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                    "deflate" => codings.push(Coding::Deflate),
                    other => {
                        let shown = shorten(other, 40);
                        return Err(format!(
                            "The request is encoded as {shown}, which is not known here: send it as gzip, as deflate, or \
                             without Content-Encoding"
                        ));
                    }
                }
            }
        }
        if codings.len() > MOST_LAYERS {
            return Err(format!("The request is compressed {} times; at most {MOST_LAYERS} are undone", codings.len()));
        }
        Ok(Codings(codings))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The most bytes that undoing them takes beside what was sent.
    pub fn most(&self, sent: usize, limit: usize) -> usize {
        self.0.len() * most_of_layer(sent, limit)
    }

    /// Undoes them, the last step first. It blocks for as long as that takes.
    pub fn undo(&self, sent: Vec<u8>, limit: usize) -> Result<Vec<u8>, Unusable> {
        let most = most_of_layer(sent.len(), limit);
        let too_large = || match most == limit {
            true => format!("The request is larger than the limit of {limit} bytes when it is unpacked"),
            false => format!("The request unpacks to more than {MOST_RATIO} times its size"),
        };
        let mut bytes = sent;
        for coding in self.0.iter().rev() {
            let unpacked = match coding {
                Coding::Gzip => gzip(&bytes, most),
                Coding::Deflate => deflate(&bytes, most),
            };
            bytes = match unpacked {
                Ok(Some(unpacked)) => unpacked,
                Ok(None) => return Err(Unusable::TooLarge(too_large())),
                Err(error) => {
                    let name = match coding {
                        Coding::Gzip => "gzip",
                        Coding::Deflate => "deflate",
                    };
                    let problem = format!("The request says that it is {name}, and cannot be unpacked: {error}");
                    return Err(Unusable::Broken(problem));
                }
            };
        }
        Ok(bytes)
    }
}

fn most_of_layer(sent: usize, limit: usize) -> usize {
    limit.min(sent.saturating_mul(MOST_RATIO).max(SMALL))
}

/// None if it is more than `most` bytes.
fn gzip(mut packed: &[u8], most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut unpacked = Vec::new();
    for _ in 0..MOST_MEMBERS {
        let mut member = GzDecoder::new(packed);
        if !take(&mut member, most, &mut unpacked)? {
            return Ok(None);
        }
        packed = member.into_inner();
        if packed.is_empty() {
            return Ok(Some(unpacked));
        }
    }
    Err(io::Error::other(format!("it is made of more than {MOST_MEMBERS} members")))
}

fn deflate(packed: &[u8], most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut unpacked = Vec::new();
    let (whole, used) = if is_zlib(packed) {
        let mut stream = ZlibDecoder::new(packed);
        (take(&mut stream, most, &mut unpacked)?, stream.total_in())
    } else {
        let mut stream = DeflateDecoder::new(packed);
        (take(&mut stream, most, &mut unpacked)?, stream.total_in())
    };
    if !whole {
        return Ok(None);
    }
    if used < packed.len() as u64 {
        return Err(io::Error::other("it goes on after its end"));
    }
    Ok(Some(unpacked))
}

/// Whether these bytes begin as zlib's format does. A bare stream that did would begin with an uncompressed block and
/// padding that no encoder writes.
fn is_zlib(packed: &[u8]) -> bool {
    match packed {
        [method, flags, ..] => method & 0x8F == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0,
        _ => false,
    }
}

/// Reads to the end; false if there is more than `most`.
fn take(stream: &mut impl Read, most: usize, unpacked: &mut Vec<u8>) -> io::Result<bool> {
    let room = (most - unpacked.len()) as u64;
    stream.take(room + 1).read_to_end(unpacked)?;
    Ok(unpacked.len() <= most)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const LIMIT: usize = 16 << 20;

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn bare(bytes: &[u8], level: Compression) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), level);
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn codings(values: &[&str]) -> Result<Codings, String> {
        let headers = values.iter().map(|value| (header::CONTENT_ENCODING, value.parse().unwrap()));
        Codings::of(&headers.collect::<HeaderMap>())
    }

    #[test]
    fn headers_say_what_to_undo() {
        use Coding::{Deflate, Gzip};
        for (values, expected) in [
            (&[][..], &[][..]),
            (&["identity"], &[]),
            (&["GZIP"], &[Gzip]),
            (&["x-gzip, identity,"], &[Gzip]),
            (&["deflate, gzip"], &[Deflate, Gzip]),
            (&["deflate", "gzip"], &[Deflate, Gzip]),
        ] {
            assert_eq!(codings(values), Ok(Codings(expected.to_vec())), "{values:?}");
        }
        for (values, word) in [
            (&["br"][..], "br"),
            (&["gzip, zstd"], "zstd"),
            (&["gzip,gzip,gzip"], "3 times"),
            (&["gzip", "gzip", "deflate"], "3 times"),
        ] {
            assert!(codings(values).unwrap_err().contains(word), "{values:?}");
        }
    }

    #[test]
    fn each_form_is_unpacked() {
        let text = "<a>Grüße</a>".repeat(50);
        let text = text.as_bytes();
        let halves = [gzipped(&text[..100]), gzipped(&text[100..])].concat();
        for (header, packed) in [
            ("gzip", gzipped(text)),
            ("gzip", halves),
            ("deflate", zlib(text)),
            ("deflate", bare(text, Compression::default())),
            ("deflate", bare(text, Compression::none())),
            ("deflate, gzip", gzipped(&zlib(text))),
            ("identity", text.to_vec()),
        ] {
            assert_eq!(codings(&[header]).unwrap().undo(packed, LIMIT).as_deref(), Ok(text), "{header}");
        }
    }

    #[test]
    fn what_is_broken_is_refused() {
        let text = b"<a>text</a>".repeat(50);
        let (zipped, zlibbed) = (gzipped(&text), zlib(&text));
        let mut wrong_sum = zipped.clone();
        let sum = wrong_sum.len() - 8;
        wrong_sum[sum] ^= 1;
        for (header, packed) in [
            ("gzip", Vec::new()),
            ("gzip", text.clone()),
            ("gzip", zlibbed.clone()),
            ("gzip", zipped[..zipped.len() - 1].to_vec()),
            ("gzip", zipped[..30].to_vec()),
            ("gzip", wrong_sum),
            ("gzip", [zipped.as_slice(), b"tail"].concat()),
            ("gzip", gzipped(b"").repeat(MOST_MEMBERS + 1)),
            ("deflate", Vec::new()),
            ("deflate", zipped),
            ("deflate", zlibbed[..zlibbed.len() - 1].to_vec()),
            ("deflate", [zlibbed.as_slice(), b"tail"].concat()),
        ] {
            let refusal = codings(&[header]).unwrap().undo(packed, LIMIT).unwrap_err();
            let Unusable::Broken(refusal) = refusal else { panic!("{refusal}") };
            assert!(refusal.contains(header) && refusal.contains("cannot be unpacked"), "{refusal}");
        }
    }

    #[test]
    fn bombs_end_at_the_bounds() {
        let bomb = gzipped(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 70 << 10);
        let refusal = |header, packed: Vec<u8>, limit| match codings(&[header]).unwrap().undo(packed, limit) {
            Err(Unusable::TooLarge(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(refusal("gzip", bomb.clone(), LIMIT).contains("more than 200 times"));
        assert!(refusal("gzip", bomb.clone(), 2 << 20).contains("limit of 2097152 bytes"));
        assert!(refusal("gzip, gzip", gzipped(&bomb), LIMIT).contains("more than 200 times"));
        // As large as it may be, and a byte more.
        let exact = |bytes: usize| codings(&["gzip"]).unwrap().undo(gzipped(&vec![b' '; bytes]), SMALL);
        assert_eq!(exact(SMALL).map(|unpacked| unpacked.len()), Ok(SMALL));
        assert!(exact(SMALL + 1).is_err());
    }
}
