//! Which answers hold bytes of the same file (RFC 9110, 8.8, 13.1.5, 14.4 and 15.3.7).

use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap, HeaderName};

/// A file may have changed twice in the second that a date names. A date that lies so far before the answer names one version.
const LONG_AGO: Duration = Duration::from_secs(60);

/// What proves that two answers are of the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validator {
    Tag(String),
    Date(String),
}

impl Validator {
    /// None if nothing proves it. Whoever gives a weak tag does not vouch for bytes, and its date does not either.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        if headers.contains_key(header::ETAG) {
            let tag = text(headers, header::ETAG).filter(|tag| tag.len() > 1 && tag.starts_with('"'));
            return tag.map(Self::Tag);
        }
        let changed = text(headers, header::LAST_MODIFIED)?;
        let age = date(&text(headers, header::DATE)?)?.duration_since(date(&changed)?).ok()?;
        (age >= LONG_AGO).then_some(Self::Date(changed))
    }

    /// As `If-Range` has it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(text) | Self::Date(text) => text,
        }
    }

    /// Whether an answer that brings a part says that it is of the same file.
    pub fn is_of(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Tag(tag) => text(headers, header::ETAG).as_ref() == Some(tag),
            Self::Date(date) => text(headers, header::LAST_MODIFIED).as_ref() == Some(date),
        }
    }
}

/// `Content-Range: bytes 200-999/1000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    pub first: u64,
    /// Behind the last byte.
    pub end: u64,
    /// None: the server does not know it.
    pub complete: Option<u64>,
}

impl ContentRange {
    /// None if the answer has none, or several parts.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let is_multipart = text(headers, header::CONTENT_TYPE)
            .is_some_and(|media_type| media_type.trim_start().to_ascii_lowercase().starts_with("multipart/byteranges"));
        if is_multipart || headers.get_all(header::CONTENT_RANGE).iter().count() != 1 {
            return None;
        }
        Self::parse(&text(headers, header::CONTENT_RANGE)?)
    }

    fn parse(value: &str) -> Option<Self> {
        let (unit, rest) = value.trim().split_once(' ')?;
        let (range, complete) = rest.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, end) = (number(first)?, number(last)?.checked_add(1)?);
        let complete = if complete == "*" { None } else { Some(number(complete)?) };
        let fits = unit.eq_ignore_ascii_case("bytes") && first < end && complete.is_none_or(|complete| end <= complete);
        fits.then_some(Self { first, end, complete })
    }
}

/// A coding that is decoded here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Gzip,
    /// With the header of zlib, or without it.
    Deflate,
}

impl Coding {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// How a server says that a file is encoded, though nobody asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Codings {
    /// In the order in which they were applied.
    pub known: Vec<Coding>,
    /// What is no coding at all, such as `utf-8`, `binary` or `aws-chunked`: browsers pass over it.
    pub strange: Vec<String>,
}

/// Most codings of one file: curl has as many.
const MOST_CODINGS: usize = 5;

impl Codings {
    /// An error is what it is called, and cannot be decoded here.
    pub fn of(headers: &HeaderMap) -> Result<Self, String> {
        let values = headers.get_all(header::CONTENT_ENCODING).iter();
        let text = values.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
        let text = text.collect::<Vec<_>>().join(",");
        let mut codings = Self::default();
        for name in text.split(',').map(|name| name.trim_matches(|c: char| c.is_whitespace() || c == '"')) {
            match name {
                "" | "identity" | "none" => {}
                "gzip" | "x-gzip" => codings.known.push(Coding::Gzip),
                "deflate" => codings.known.push(Coding::Deflate),
                // The others of the registry of HTTP (IANA).
                "br" | "zstd" | "compress" | "x-compress" | "dcb" | "dcz" | "exi" | "pack200-gzip" | "aes128gcm" => {
                    return Err(shown(&text));
                }
                strange => codings.strange.push(shown(strange)),
            }
        }
        let count = codings.known.len().max(codings.strange.len());
        if count > MOST_CODINGS { Err(shown(&text)) } else { Ok(codings) }
    }
}

/// What a server wrote, fit for a line.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

pub fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

pub fn date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text.trim()).ok()
}

/// Digits and nothing else.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_strong_validators_count() {
        let (changed, soon, later) =
            ("Tue, 24 Nov 2026 10:00:00 GMT", "Tue, 24 Nov 2026 10:00:59 GMT", "Tue, 24 Nov 2026 10:01:00 GMT");
        let table = [
            (vec![(header::ETAG, "\"v1\"")], Some(Validator::Tag("\"v1\"".into()))),
            (vec![(header::ETAG, "W/\"v1\"")], None),
            (vec![(header::ETAG, "v1")], None),
            (vec![(header::ETAG, "W/\"v1\""), (header::LAST_MODIFIED, changed), (header::DATE, later)], None),
            (vec![(header::LAST_MODIFIED, changed), (header::DATE, later)], Some(Validator::Date(changed.into()))),
            (vec![(header::LAST_MODIFIED, changed), (header::DATE, soon)], None),
            (vec![(header::LAST_MODIFIED, later), (header::DATE, changed)], None),
            (vec![(header::LAST_MODIFIED, changed)], None),
            (vec![], None),
        ];
        for (fields, expected) in table {
            assert_eq!(Validator::of(&headers(&fields)), expected, "{fields:?}");
        }
    }

    #[test]
    fn ranges_are_read_exactly() {
        let range = |first, end, complete| Some(ContentRange { first, end, complete });
        let table = [
            ("bytes 200-999/1000", range(200, 1000, Some(1000))),
            ("Bytes 0-0/*", range(0, 1, None)),
            ("bytes 200-1000/1000", None),
            ("bytes 9-8/1000", None),
            ("bytes */1000", None),
            ("bytes +1-8/1000", None),
            ("bytes 0-18446744073709551615/*", None),
            ("items 0-9/10", None),
            ("bytes 0-9", None),
            ("bytes=0-9/10", None),
        ];
        for (value, expected) in table {
            assert_eq!(ContentRange::of(&headers(&[(header::CONTENT_RANGE, value)])), expected, "{value}");
        }
        let parts =
            [(header::CONTENT_RANGE, "bytes 0-9/10"), (header::CONTENT_TYPE, "Multipart/ByteRanges; boundary=x")];
        assert_eq!(ContentRange::of(&headers(&parts)), None);
    }

    #[test]
    fn codings_are_known_or_named() {
        let codings = |known: &[Coding], strange: &[&str]| {
            Ok(Codings { known: known.to_vec(), strange: strange.iter().map(|name| (*name).to_owned()).collect() })
        };
        let table = [
            ("", codings(&[], &[])),
            ("identity", codings(&[], &[])),
            ("identity, Identity,", codings(&[], &[])),
            ("none", codings(&[], &[])),
            ("X-GZip", codings(&[Coding::Gzip], &[])),
            ("identity, \"gzip\"", codings(&[Coding::Gzip], &[])),
            ("deflate, gzip", codings(&[Coding::Deflate, Coding::Gzip], &[])),
            ("gzip, gzip", codings(&[Coding::Gzip, Coding::Gzip], &[])),
            ("UTF-8", codings(&[], &["utf-8"])),
            ("aws-chunked,gzip", codings(&[Coding::Gzip], &["aws-chunked"])),
            ("br", Err("br".to_owned())),
            ("gzip, br", Err("gzip, br".to_owned())),
            ("gzip,gzip,gzip,gzip,gzip,gzip", Err("gzip,gzip,gzip,gzip,gzip,gzip".to_owned())),
        ];
        for (value, expected) in table {
            assert_eq!(Codings::of(&headers(&[(header::CONTENT_ENCODING, value)])), expected, "{value}");
        }
    }
}
