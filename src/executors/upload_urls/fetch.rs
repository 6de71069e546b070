//! Fetching a file over HTTP from a server that is not trusted, to a file of our own.
//!
//! * Every hop of a redirect is looked at anew: its scheme, its port, and the addresses its host has ([`outward`]).
//! * The size is bounded by what the server announces and by what comes; the time by a limit on the whole and a limit on
//!   silence.
//! * What may pass is tried again after a while. If the server can prove that it is still the same file, the fetch goes on
//!   where it broke off. An answer that does not fit to what is there is not taken: the fetch begins anew.
//! * A file is complete when all that the server said it has is there.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use flate2::read::MultiGzDecoder;
use reqwest::header::{self, HeaderMap};
use reqwest::{Response, StatusCode, Version as Protocol};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use url::Url;

use super::part::{Coding, ContentRange, Validator, date, text};
use crate::assets::blobs::{BlobError, Draft};
use crate::clock::SharedClock;
use crate::executors::{Failure, Settings, reason};
use crate::model::log::Message;
use crate::outward::{self, Guard, Refusal, chain};

/// Why a try failed.
#[derive(Debug)]
pub enum Trouble {
    /// It will not pass.
    Lasting(Message),
    /// It may pass. The server may have said when to come back.
    Passing { why: Message, not_before: Option<Duration> },
    /// It is not the server's fault.
    Ours(Failure),
}

impl Trouble {
    const fn passing(why: Message) -> Self {
        Self::Passing { why, not_before: None }
    }

    fn writing(error: std::io::Error) -> Self {
        Self::Ours(Failure::of_io(&error, &error))
    }
}

/// A file that has partly arrived.
pub struct Download {
    pub draft: Draft,
    bytes: u64,
    /// What it is a part of; None if nothing of it can be used.
    version: Option<Version>,
}

/// A file, as a server has it.
struct Version {
    /// Where: what proves something of a file at one address proves nothing of others.
    url: Url,
    validator: Option<Validator>,
    /// How many bytes it has, encoded as it comes.
    length: Option<u64>,
    /// Its bytes come in frames: their end is no connection that was cut.
    is_framed: bool,
    coding: Coding,
    media_type: Option<String>,
}

impl Version {
    fn of(url: Url, response: &Response, length: Option<u64>) -> Result<Self, Trouble> {
        let headers = response.headers();
        let coding = Coding::of(headers)
            .map_err(|coding| Trouble::Lasting(Message::new("reason-content-coding").with("coding", coding)))?;
        let is_framed = headers.contains_key(header::TRANSFER_ENCODING) || response.version() > Protocol::HTTP_11;
        Ok(Self {
            url,
            validator: Validator::of(headers),
            length,
            is_framed,
            coding,
            media_type: text(headers, header::CONTENT_TYPE),
        })
    }
}

impl Download {
    pub const fn new(draft: Draft) -> Self {
        Self { draft, bytes: 0, version: None }
    }

    pub fn media_type(&self) -> Option<&str> {
        self.version.as_ref()?.media_type.as_deref()
    }

    /// Nothing told its end from a connection that was cut.
    pub fn is_endless(&self) -> bool {
        self.version.as_ref().is_some_and(|version| version.length.is_none() && !version.is_framed)
    }

    pub fn is_encoded(&self) -> bool {
        self.version.as_ref().is_some_and(|version| version.coding != Coding::Plain)
    }

    /// Replaces it by what it is when it is decoded, in `plain`. Blocks.
    pub fn decode(&mut self, mut plain: Draft, limit: u64, stop: &dyn Fn() -> bool) -> Result<(), Trouble> {
        let encoded = self.draft.file();
        encoded.seek(SeekFrom::Start(0)).map_err(Trouble::writing)?;
        unpack(encoded, plain.file(), limit, stop)?;
        self.draft = plain;
        Ok(())
    }

    fn begin(&mut self, version: Version) {
        (self.bytes, self.version) = (0, Some(version));
    }

    fn forget(&mut self) {
        (self.bytes, self.version) = (0, None);
    }

    /// What a request to this address can go on from.
    fn validator(&self, url: &Url) -> Option<&Validator> {
        let version = self.version.as_ref().filter(|version| self.bytes > 0 && version.url == *url)?;
        version.validator.as_ref()
    }

    /// The range that an answer brings, and how many bytes the file has, if it fits to what is there: behind it, or anew.
    fn fitting(&self, url: &Url, response: &Response, sent: Option<u64>) -> Option<(ContentRange, u64)> {
        let headers = response.headers();
        let range = ContentRange::of(headers)?;
        let is_whole_range = sent.is_none_or(|sent| sent == range.end - range.first);
        if !is_whole_range {
            return None;
        }
        if range.first == 0 {
            return Some((range, range.complete?));
        }
        let is_next = range.first == self.bytes && self.validator(url)?.is_of(headers);
        let version = self.version.as_ref().filter(|_| is_next)?;
        // An answer with a part need not repeat what it is a part of.
        if headers.contains_key(header::CONTENT_ENCODING) && Coding::of(headers) != Ok(version.coding) {
            return None;
        }
        let length = range.complete.or(version.length).filter(|length| range.end <= *length)?;
        version.length.is_none_or(|known| known == length).then_some((range, length))
    }

    /// What is still missing, when an answer has come to its end.
    fn check_complete(&self) -> Result<(), Trouble> {
        match self.version.as_ref().and_then(|version| version.length) {
            Some(length) if self.bytes != length => {
                let why = Message::new("reason-cut-short").with("bytes", self.bytes).with("length", length);
                Err(Trouble::passing(why))
            }
            _ => Ok(()),
        }
    }
}

/// How much is decoded between two looks at whether to stop.
const PIECE: usize = 1 << 18;

fn unpack(from: &mut File, to: &mut File, limit: u64, stop: &dyn Fn() -> bool) -> Result<(), Trouble> {
    let damaged = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Trouble::Lasting(
            Message::new("reason-coding-damaged").with("coding", "gzip").with("detail", error.to_string()),
        ),
        _ => Trouble::writing(error),
    };
    let (mut plain, mut piece, mut bytes) = (MultiGzDecoder::new(BufReader::new(from)), vec![0; PIECE], 0);
    loop {
        if stop() {
            return Err(Trouble::Ours(Failure::Interrupted));
        }
        let count = plain.read(&mut piece).map_err(damaged)?;
        if count == 0 {
            return Ok(());
        }
        bytes += count as u64;
        if bytes > limit {
            return Err(Trouble::Lasting(reason::too_large(bytes, limit)));
        }
        to.write_all(&piece[..count]).map_err(Trouble::writing)?;
    }
}

pub struct Fetcher {
    client: reqwest::Client,
    guard: Guard,
    settings: Arc<Settings>,
    clock: SharedClock,
}

impl Fetcher {
    pub fn new(settings: Arc<Settings>, clock: SharedClock) -> Result<Self, Failure> {
        let guard = Guard { reachable: settings.reachable, ports: settings.fetch.allowed_ports.clone() };
        let client = guard
            .client()
            .connect_timeout(settings.fetch.connect_timeout.duration())
            .read_timeout(settings.fetch.read_timeout.duration())
            .build();
        let client = client.map_err(|error| Failure::Fatal(reason::other(chain(&error))))?;
        Ok(Self { client, guard, settings, clock })
    }

    /// Tries once, beginning behind what has arrived before if the server lets us.
    pub async fn fetch(&self, url: &Url, download: &mut Download) -> Result<(), Trouble> {
        let mut url = url.clone();
        for _ in 0..=self.settings.fetch.max_redirects {
            self.guard.check(&url).map_err(|refusal| Trouble::Lasting(refused(&refusal)))?;
            let response = self.ask(&url, download).await?;
            match next_hop(&url, &response)? {
                Some(next) => url = next,
                None => return self.receive(url, response, download).await,
            }
        }
        let limit = self.settings.fetch.max_redirects;
        Err(Trouble::Lasting(Message::new("reason-too-many-redirects").with("limit", limit)))
    }

    async fn ask(&self, url: &Url, download: &Download) -> Result<Response, Trouble> {
        // What is stored is what was sent, so it must not come in a wrapping.
        let mut request = self.client.get(url.clone()).header(header::ACCEPT_ENCODING, "identity");
        if let Some(validator) = download.validator(url) {
            let range = format!("bytes={}-", download.bytes);
            request = request.header(header::RANGE, range).header(header::IF_RANGE, validator.as_str());
        }
        request.send().await.map_err(|error| self.network(error))
    }

    async fn receive(&self, url: Url, mut response: Response, download: &mut Download) -> Result<(), Trouble> {
        let end = self.place(url, &response, download)?;
        let start = download.bytes;
        let file = download.draft.file().try_clone().map_err(Trouble::writing)?;
        let mut file = tokio::fs::File::from_std(file);
        file.set_len(start).await.map_err(Trouble::writing)?;
        file.seek(SeekFrom::Start(start)).await.map_err(Trouble::writing)?;
        let received = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    let bytes = download.bytes + chunk.len() as u64;
                    self.check_size(bytes)?;
                    if end.is_some_and(|end| bytes > end) {
                        download.forget();
                        break Err(other_part());
                    }
                    file.write_all(&chunk).await.map_err(Trouble::writing)?;
                    download.bytes = bytes;
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(self.network(error)),
            }
        };
        // Before anything else is written there: what is on its way to the disk comes there even if nobody waits.
        file.flush().await.map_err(Trouble::writing)?;
        received?;
        download.check_complete()
    }

    /// Makes ready for the bytes of an answer: behind those that are there, up to this one if it says so.
    fn place(&self, url: Url, response: &Response, download: &mut Download) -> Result<Option<u64>, Trouble> {
        match response.status() {
            StatusCode::OK => {
                let length = sent_length(response)?;
                self.check_size(length.unwrap_or_default())?;
                download.begin(Version::of(url, response, length)?);
                Ok(length)
            }
            StatusCode::PARTIAL_CONTENT => {
                let Some((range, length)) = download.fitting(&url, response, sent_length(response)?) else {
                    download.forget();
                    return Err(other_part());
                };
                self.check_size(length)?;
                match &mut download.version {
                    Some(version) if range.first > 0 => version.length = Some(length),
                    _ => download.begin(Version::of(url, response, Some(length))?),
                }
                Ok(Some(range.end))
            }
            StatusCode::RANGE_NOT_SATISFIABLE if download.bytes > 0 => {
                download.forget();
                Err(other_part())
            }
            status => Err(self.bad_status(status, response.headers())),
        }
    }

    fn bad_status(&self, status: StatusCode, headers: &HeaderMap) -> Trouble {
        let why = reason::http_status(status.as_u16());
        match status {
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                Trouble::Passing { why, not_before: retry_after(headers, self.clock.now()) }
            }
            // That it does not do this at all will not change.
            StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED => Trouble::Lasting(why),
            status if status.is_server_error() => {
                Trouble::Passing { why, not_before: retry_after(headers, self.clock.now()) }
            }
            _ => Trouble::Lasting(why),
        }
    }

    fn check_size(&self, bytes: u64) -> Result<(), Trouble> {
        let limit = self.settings.fetch.max_bytes.get();
        if bytes > limit { Err(Trouble::Lasting(reason::too_large(bytes, limit))) } else { Ok(()) }
    }

    fn network(&self, error: reqwest::Error) -> Trouble {
        if let Some(refusal) = outward::refusal(&error) {
            return Trouble::Lasting(refused(refusal));
        }
        // The address may hold a password.
        let error = error.without_url();
        if error.is_builder() {
            return Trouble::Lasting(reason::other(chain(&error)));
        }
        if error.is_timeout() {
            let settings = &self.settings.fetch;
            let limit = if error.is_connect() { settings.connect_timeout } else { settings.read_timeout };
            let limit = u64::try_from(limit.duration().as_millis()).unwrap_or(u64::MAX);
            return Trouble::passing(Message::new("reason-silence").with("milliseconds", limit));
        }
        Trouble::passing(Message::new("reason-connection").with("detail", chain(&error)))
    }
}

impl From<BlobError> for Trouble {
    fn from(error: BlobError) -> Self {
        Self::Ours(error.into())
    }
}

/// How many bytes an answer says that it brings. Frames are `chunked` and nothing else: of other codings nobody can tell the end, or
/// the file in them. A length beside frames holds as well: they may be those of another answer (RFC 9112, 6.3).
fn sent_length(response: &Response) -> Result<Option<u64>, Trouble> {
    let headers = response.headers();
    let all = |name| headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let codings = all(header::TRANSFER_ENCODING).collect::<Vec<_>>().join(", ");
    if codings.is_empty() && !headers.contains_key(header::TRANSFER_ENCODING) {
        return Ok(response.content_length());
    }
    if !codings.trim().eq_ignore_ascii_case("chunked") {
        let shown: String = codings.chars().filter(|c| !c.is_control()).take(80).collect();
        return Err(Trouble::Lasting(Message::new("reason-transfer-coding").with("coding", shown)));
    }
    let lengths = all(header::CONTENT_LENGTH).map(|length| length.trim().parse().ok()).collect::<Vec<Option<u64>>>();
    match lengths[..] {
        [] => Ok(None),
        [Some(first), ref others @ ..] if others.iter().all(|other| *other == Some(first)) => Ok(Some(first)),
        _ => Err(Trouble::Lasting(Message::new("reason-lengths-differ"))),
    }
}

fn next_hop(url: &Url, response: &Response) -> Result<Option<Url>, Trouble> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refuse = |why: &str| Trouble::Lasting(reason::other(why));
    let location = text(response.headers(), header::LOCATION);
    let location = location.ok_or_else(|| refuse("it was redirected, but not to where"))?;
    let mut next = url.join(&location).map_err(|_| refuse("it was redirected to something that is not an address"))?;
    if next.host() != url.host() {
        // Nobody but the server they were meant for gets them, whatever it asks for.
        let _ = next.set_username("");
        let _ = next.set_password(None);
    }
    Ok(Some(next))
}

/// It is not what was asked for, or does not fit to what is there.
fn other_part() -> Trouble {
    Trouble::passing(Message::new("reason-other-part"))
}

/// How long the server wants to be left alone: so many seconds, or until a date. A date is counted from the one that the
/// answer carries, so that the clocks of both sides need not agree; without that one, from `now`.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = text(headers, header::RETRY_AFTER)?;
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = date(&value)?;
    let sent = text(headers, header::DATE).and_then(|sent| date(&sent));
    Some(at.duration_since(sent.unwrap_or_else(|| now.into())).unwrap_or_default())
}

/// Why the guard let a request not through.
fn refused(refusal: &Refusal) -> Message {
    match refusal {
        Refusal::Address { host, address } => {
            Message::new("reason-private-address").with("host", host.clone()).with("address", address.to_string())
        }
        Refusal::Scheme(_) | Refusal::NoHost(_) | Refusal::Port(_) => reason::other(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_when_to_come_back() {
        let now = "2026-11-24T10:00:00Z".parse().unwrap();
        let wait = |retry_after: &'static str, date: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, retry_after.parse().unwrap());
            date.map(|date| headers.insert(header::DATE, date.parse().unwrap()));
            super::retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("7", None), Some(7));
        assert_eq!(wait("Tue, 24 Nov 2026 10:01:30 GMT", None), Some(90));
        // The server's clock is an hour late; only the difference counts.
        assert_eq!(wait("Tue, 24 Nov 2026 09:00:20 GMT", Some("Tue, 24 Nov 2026 09:00:00 GMT")), Some(20));
        for old_form in ["Tuesday, 24-Nov-26 10:00:05 GMT", "Tue Nov 24 10:00:05 2026"] {
            assert_eq!(wait(old_form, None), Some(5), "{old_form}");
        }
        assert_eq!(wait("Tue, 24 Nov 2026 09:59:00 GMT", None), Some(0), "it is over");
        for nonsense in ["soon", "-7", "7.5", ""] {
            assert_eq!(wait(nonsense, None), None, "{nonsense}");
        }
    }
}
