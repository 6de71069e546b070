//! Which part of a file a request is answered with, by its conditions and ranges (RFC 9110, 13 and 14).
//!
//! ```text
//! If-Match, or else If-Unmodified-Since      does not hold: 412
//! If-None-Match, or else If-Modified-Since   does not hold: 304
//! Range, unless If-Range does not match      206, or 416 if none of it lies in the file
//! ```
//!
//! Several ranges are answered in parts; those that overlap or all but touch are joined. More than [`MOST_RANGES`] are no
//! download that goes on: the whole file is sent, as it is for what is no range.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, Method, header};

/// Most ranges that are looked at.
pub const MOST_RANGES: usize = 32;

/// A gap of less than this costs less than what is written between two parts, in bytes.
const GAP: u64 = 160;

/// What tells a file from what it was before.
pub struct Validators {
    /// A strong entity tag, with its quotation marks.
    pub tag: String,
    /// In whole seconds, as dates are told.
    modified: SystemTime,
}

/// How a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    NotModified,
    /// A condition does not hold.
    Failed,
    Whole,
    /// At least one range, none of them empty.
    Parts(Vec<Range<u64>>),
    Unsatisfiable,
}

impl Validators {
    /// Of a file of this length, whose hash may be known.
    pub fn new(hash: Option<&str>, bytes: u64, modified: SystemTime) -> Self {
        let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let tag = match hash {
            Some(hash) => format!("\"{hash}\""),
            None => format!("\"{bytes:x}-{:x}\"", since.as_nanos()),
        };
        Self { tag, modified: UNIX_EPOCH + std::time::Duration::from_secs(since.as_secs()) }
    }

    pub fn date(&self) -> String {
        httpdate::fmt_http_date(self.modified)
    }

    /// What stands between parts: no archive holds its own hash.
    pub fn boundary(&self) -> String {
        format!("part-{}", self.tag.trim_matches('"'))
    }

    pub fn answer(&self, method: &Method, headers: &HeaderMap, bytes: u64) -> Answer {
        if let Some(broken) = self.broken_condition(headers) {
            return broken;
        }
        // Ranges are for what is sent.
        let range = headers.get(header::RANGE).filter(|_| method == Method::GET && self.is_same(headers));
        range.and_then(|range| ranges(range.to_str().ok()?, bytes)).unwrap_or(Answer::Whole)
    }

    fn broken_condition(&self, headers: &HeaderMap) -> Option<Answer> {
        let is_given = |name: &HeaderName| headers.contains_key(name);
        let date = |name: &HeaderName| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok();
        if is_given(&header::IF_MATCH) {
            if !self.is_named(headers, &header::IF_MATCH, Comparison::Strong) {
                return Some(Answer::Failed);
            }
        } else if date(&header::IF_UNMODIFIED_SINCE).is_some_and(|date| self.modified > date) {
            return Some(Answer::Failed);
        }
        if is_given(&header::IF_NONE_MATCH) {
            self.is_named(headers, &header::IF_NONE_MATCH, Comparison::Weak).then_some(Answer::NotModified)
        } else {
            let is_old = date(&header::IF_MODIFIED_SINCE).is_some_and(|date| self.modified <= date);
            is_old.then_some(Answer::NotModified)
        }
    }

    fn is_named(&self, headers: &HeaderMap, name: &HeaderName, comparison: Comparison) -> bool {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(str::trim).any(|tag| match comparison {
            _ if tag == "*" => true,
            Comparison::Strong => tag == self.tag,
            Comparison::Weak => tag.strip_prefix("W/").unwrap_or(tag) == self.tag,
        })
    }

    /// Whether the rest of what a client has a part of is still the rest of this file. A weak tag is none of ours, and a date
    /// is to be the very one.
    fn is_same(&self, headers: &HeaderMap) -> bool {
        let Some(condition) = headers.get(header::IF_RANGE) else { return true };
        let Ok(condition) = condition.to_str().map(str::trim) else { return false };
        condition == self.tag || httpdate::parse_http_date(condition).is_ok_and(|date| date == self.modified)
    }
}

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Strong,
    Weak,
}

/// None: what stands there is no set of ranges, or too large a one.
fn ranges(text: &str, bytes: u64) -> Option<Answer> {
    let (unit, set) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.split(',').count() > MOST_RANGES {
        return None;
    }
    let mut found = Vec::new();
    for text in set.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        found.push(range(text, bytes)?);
    }
    if found.is_empty() {
        return None;
    }
    found.retain(|range| range.start < range.end);
    if found.is_empty() { Some(Answer::Unsatisfiable) } else { Some(Answer::Parts(joined(found))) }
}

/// Empty if it lies beyond the file; None: it is no range.
fn range(text: &str, bytes: u64) -> Option<Range<u64>> {
    // Numbers larger than any file are no other than the largest.
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        is_number.then(|| digits.parse::<u64>().unwrap_or(u64::MAX))
    };
    match text.split_once('-')? {
        ("", last) => Some(bytes.saturating_sub(number(last)?)..bytes),
        (first, "") => Some(number(first)?.min(bytes)..bytes),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| first.min(bytes)..last.saturating_add(1).min(bytes))
        }
    }
}

/// The same as they were asked for, if none is near another; else in their order in the file, and no byte twice.
fn joined(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut sorted = ranges.clone();
    sorted.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    if joined.len() == ranges.len() { ranges } else { joined }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "one range is what is meant")]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &str)]) -> Answer {
        let modified = UNIX_EPOCH + std::time::Duration::from_millis(1_000_000_500);
        let validators = Validators::new(Some("abc"), 1000, modified);
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        validators.answer(&Method::GET, &headers.collect(), 1000)
    }

    #[test]
    fn ranges_are_read_as_the_standard_has_them() {
        let parts = |ranges: &[Range<u64>]| Answer::Parts(ranges.to_vec());
        for (text, answer) in [
            ("bytes=0-9", parts(&[0..10])),
            ("Bytes = 990-", parts(&[990..1000])),
            ("bytes=-10", parts(&[990..1000])),
            ("bytes=-99999999999999999999999", parts(&[0..1000])),
            ("bytes=500-99999999999999999999999", parts(&[500..1000])),
            ("bytes=0-0,-1", parts(&[0..1, 999..1000])),
            ("bytes=900-909, ,0-9", parts(&[900..910, 0..10])),
            ("bytes=900-909,0-9,5-20", parts(&[0..21, 900..910])),
            ("bytes=0-9,100-109", parts(&[0..110])),
            ("bytes=0-9,2000-", parts(&[0..10])),
            ("bytes=1000-", Answer::Unsatisfiable),
            ("bytes=-0", Answer::Unsatisfiable),
            ("bytes=1000-,2000-3000", Answer::Unsatisfiable),
            ("bytes=9-0", Answer::Whole),
            ("bytes=0-9,x", Answer::Whole),
            ("bytes=+1-2", Answer::Whole),
            ("bytes=", Answer::Whole),
            ("bytes", Answer::Whole),
            ("lines=0-9", Answer::Whole),
        ] {
            assert_eq!(asked(&[("range", text)]), answer, "{text}");
        }
        let many = |count: usize| format!("bytes={}", vec!["0-0"; count].join(","));
        assert_eq!(asked(&[("range", &many(MOST_RANGES))]), parts(&[0..1]));
        assert_eq!(asked(&[("range", &many(MOST_RANGES + 1))]), Answer::Whole);
    }

    #[test]
    fn a_download_goes_on_only_with_the_same_file() {
        let date = |seconds: u64| httpdate::fmt_http_date(UNIX_EPOCH + std::time::Duration::from_secs(seconds));
        let part = Answer::Parts(vec![10..1000]);
        for (condition, goes_on) in [
            ("\"abc\"", true),
            ("W/\"abc\"", false),
            ("\"abd\"", false),
            ("abc", false),
            ("*", false),
            (&date(1_000_000), true),
            (&date(1_000_001), false),
            (&date(999_999), false),
            ("yesterday", false),
        ] {
            let answer = asked(&[("range", "bytes=10-"), ("if-range", condition)]);
            assert_eq!(answer, if goes_on { part.clone() } else { Answer::Whole }, "{condition}");
        }
        assert_eq!(asked(&[("range", "bytes=2000-"), ("if-range", "\"abd\"")]), Answer::Whole, "and never 416");
        assert_eq!(asked(&[("if-range", "\"abd\"")]), Answer::Whole);
    }

    #[test]
    fn conditions_come_before_ranges() {
        let date = |seconds: u64| httpdate::fmt_http_date(UNIX_EPOCH + std::time::Duration::from_secs(seconds));
        let (before, same) = (date(999_999), date(1_000_000));
        for (headers, answer) in [
            (vec![("if-match", "\"x\", \"abc\"")], Answer::Whole),
            (vec![("if-match", "W/\"abc\"")], Answer::Failed),
            (vec![("if-match", "*"), ("if-unmodified-since", &*before)], Answer::Whole),
            (vec![("if-unmodified-since", &*before), ("range", "bytes=0-")], Answer::Failed),
            (vec![("if-unmodified-since", &*same)], Answer::Whole),
            (vec![("if-none-match", "\"x\",W/\"abc\""), ("range", "bytes=2000-")], Answer::NotModified),
            (vec![("if-none-match", "\"x\""), ("if-modified-since", &*same)], Answer::Whole),
            (vec![("if-modified-since", &*same)], Answer::NotModified),
            (vec![("if-modified-since", &*before)], Answer::Whole),
            (vec![("if-modified-since", "never")], Answer::Whole),
        ] {
            assert_eq!(asked(&headers), answer, "{headers:?}");
        }
    }
}
